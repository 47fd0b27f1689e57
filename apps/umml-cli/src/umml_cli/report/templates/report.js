"use strict";
const pages = JSON.parse(document.getElementById("pages").textContent);
const taskTitles = { i2t: "image → text", t2i: "text → image" };

// Small helpers: an element with attributes and children; texts never become markup.
function make(name, attributes = {}, ...children) {
  const svg = ["svg", "polyline", "text", "line"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Sorting: a heading sorts upwards, then downwards, then restores the order of the page.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const headings = table.tHead.rows[table.tHead.rows.length - 1].cells;
  [...headings].forEach((heading, column) => {
    heading.tabIndex = 0;
    const sort = () => {
      const next = { ascending: "descending", descending: null }[heading.getAttribute("aria-sort")];
      const direction = next === undefined ? "ascending" : next;
      for (const other of headings) other.removeAttribute("aria-sort");
      if (direction) heading.setAttribute("aria-sort", direction);
      const rows = direction ? [...original].sort((a, b) => compare(a.cells[column], b.cells[column], direction)) : original;
      body.append(...rows);
    };
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
  });
}
function sortKey(cell) {
  const text = cell.textContent.replace("★", "").trim();
  const number = parseFloat(cell.dataset.value ?? text);
  return { text, number: /^[-+]?[\d.]/.test(cell.dataset.value ?? text) ? number : NaN };
}
function compare(first, second, direction) {
  const [a, b] = [sortKey(first), sortKey(second)];
  const sign = direction === "ascending" ? 1 : -1;
  if (isNaN(a.number) !== isNaN(b.number)) return isNaN(a.number) ? 1 : -1; // what has no number stays below
  return sign * (isNaN(a.number) ? a.text.localeCompare(b.text) : a.number - b.number);
}

// Filters: a row or section that says another method, data set or scheme is hidden.
const filters = ["method", "dataset", "scheme"];
function applyFilters() {
  const chosen = Object.fromEntries(filters.map((name) => [name, document.getElementById(`filter-${name}`).value]));
  for (const element of document.querySelectorAll("[data-method], [data-dataset], [data-scheme]")) {
    const other = filters.some((name) => chosen[name] && element.dataset[name] && element.dataset[name] !== chosen[name]);
    element.classList.toggle("hidden", other);
  }
}
for (const name of filters) document.getElementById(`filter-${name}`).addEventListener("change", applyFilters);

// A page for each run, at #run-ID.
function curve(title, points) {
  const [width, height, left, right, top, bottom] = [480, 150, 52, 8, 20, 22];
  const svg = make("svg", { class: "curve", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  const xs = points.map((point) => point[0]), ys = points.map((point) => point[1]);
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const x = (value) => left + (x1 > x0 ? (value - x0) / (x1 - x0) : 0.5) * (width - left - right);
  const y = (value) => height - bottom - (y1 > y0 ? (value - y0) / (y1 - y0) : 0.5) * (height - top - bottom);
  const axis = { stroke: "currentColor", "stroke-opacity": 0.3 };
  svg.append(make("text", { x: left, y: 12 }, title));
  svg.append(make("line", { x1: left, x2: width - right, y1: height - bottom, y2: height - bottom, ...axis }));
  svg.append(make("line", { x1: left, x2: left, y1: top, y2: height - bottom, ...axis }));
  for (const value of new Set([y0, y1])) svg.append(make("text", { x: left - 4, y: y(value) + 4, "text-anchor": "end" }, String(value)));
  for (const value of new Set([x0, x1])) svg.append(make("text", { x: x(value), y: height - 6, "text-anchor": value === x0 ? "start" : "end" }, `epoch ${value}`));
  svg.append(make("polyline", { points: points.map((point) => `${x(point[0])},${y(point[1])}`).join(" "), fill: "none", stroke: "var(--accent)", "stroke-width": 1.6 }));
  return svg;
}
function definitions(values) {
  const list = make("dl");
  for (const [name, value] of Object.entries(values)) {
    list.append(make("dt", {}, name), make("dd", {}, typeof value === "object" ? JSON.stringify(value).replaceAll(",", ", ") : String(value)));
  }
  return list;
}
function retrievals(run) {
  const parts = [];
  const face = (row, task, asks) => {
    const [name, words, labels] = pages.items[run.dataset][row];
    return make("span", { class: "words", title: labels }, (task === "i2t") === asks ? name : words || name);
  };
  for (const [task, found] of Object.entries(run.retrievals)) {
    const column = make("div", {}, make("h3", {}, taskTitles[task]));
    for (const [query, answers] of found) {
      const tiles = answers.map(([row, distance, right]) =>
        make("div", { class: `tile ${right ? "right" : "wrong"}`, title: `${distance} bits away` }, face(row, task, false)));
      column.append(make("div", { class: "query" }, make("div", { class: "ask" }, face(query, task, true), make("div", { class: "soft words" }, pages.items[run.dataset][query][2])), make("div", { class: "answers" }, ...tiles)));
    }
    parts.push(column);
  }
  return parts.length ? [make("h2", {}, "Sample retrievals, by the codes of the last epoch"), make("div", { class: "rows" }, ...parts)] : [];
}
function showPage() {
  const page = document.getElementById("page");
  const run = pages.runs.find((one) => location.hash === `#run-${one.id}`);
  page.hidden = !run;
  document.querySelector("main").hidden = Boolean(run);
  document.querySelector(".filter").hidden = Boolean(run);
  if (!run) return;
  const { options, ...rest } = run.specification;
  const numbers = (maps) => Object.entries(maps).map(([task, value]) => `${taskTitles[task]} ${value.toFixed(4)}`).join(", ");
  page.replaceChildren(
    make("p", {}, make("a", { href: "#" }, "← all runs")),
    make("h1", {}, run.title),
    definitions({ run: run.id, "mAP, last epoch": numbers(run.last), "mAP, best evaluated epoch": `${numbers(run.best)} (epoch ${run.best_epoch})` }),
    ...retrievals(run),
    ...(Object.keys(run.curves).length ? [make("h2", {}, "Training")] : []),
    ...Object.entries(run.curves).filter(([, points]) => points.length > 1).map(([name, points]) => curve(name, points)),
    make("h2", {}, "Times, in seconds"), definitions(run.seconds),
    make("h2", {}, "Specification"), definitions({ ...rest, ...options }),
    make("h2", {}, "Environment"), definitions(run.environment));
  window.scrollTo(0, 0);
}
window.addEventListener("hashchange", showPage);
showPage();
