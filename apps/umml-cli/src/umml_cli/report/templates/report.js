"use strict";
const pages = JSON.parse(document.getElementById("pages").textContent);
const taskTitles = { i2t: "image → text", t2i: "text → image" };
const runs = new Map(pages.runs.map((run) => [run.id, run]));
const overview = document.getElementById("overview"); // null in the report of a single run

// An element with attributes and children; texts never become markup.
const svgNames = new Set(["svg", "polyline", "text", "line", "circle"]);
function make(name, attributes = {}, ...children) {
  const element = svgNames.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Sorting: a heading sorts each group of rows upwards, then downwards, then restores the order of the page.
function sortKey(cell) {
  const text = (cell?.dataset.value ?? cell?.textContent ?? "").replace("★", "").replace("−", "-").trim();
  return { text, number: /^[-+]?[\d.]/.test(text) ? parseFloat(text) : NaN };
}
function compare(first, second, direction) {
  const [a, b] = [sortKey(first), sortKey(second)];
  if (isNaN(a.number) !== isNaN(b.number)) return isNaN(a.number) ? 1 : -1; // what has no number stays below
  return (direction === "ascending" ? 1 : -1) * (isNaN(a.number) ? a.text.localeCompare(b.text) : a.number - b.number);
}
for (const table of document.querySelectorAll("table.sortable")) {
  const groups = [...table.tBodies].map((body) => ({ body, rows: [...body.rows].filter((row) => !row.classList.contains("heading")) }));
  const headings = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  headings.forEach((heading, column) => {
    heading.tabIndex = 0;
    const sort = () => {
      const before = heading.getAttribute("aria-sort");
      const direction = before === null ? "ascending" : before === "ascending" ? "descending" : null;
      for (const other of headings) other.removeAttribute("aria-sort");
      if (direction) heading.setAttribute("aria-sort", direction);
      table.classList.toggle("sorted", direction !== null);
      for (const { body, rows } of groups) body.append(...(direction ? [...rows].sort((a, b) => compare(a.cells[column], b.cells[column], direction)) : rows));
    };
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
  });
}

// The address keeps what is filtered and what is looked at: #method=dadh&scheme=UI&at=runs, or plainly #runs.
const filters = ["method", "dataset", "scheme", "bits", "seed"];
const choices = new Map(filters.map((name) => [name, document.getElementById(`filter-${name}`)]).filter(([, choice]) => choice));
function readAddress() {
  const hash = decodeURIComponent(location.hash.slice(1));
  return hash.includes("=") ? Object.fromEntries(new URLSearchParams(location.hash.slice(1))) : { at: hash };
}
function writeAddress(state) {
  const chosen = Object.entries(state).filter(([, value]) => value);
  const plain = chosen.length === 1 && chosen[0][0] === "at" ? chosen[0][1] : String(new URLSearchParams(chosen));
  if (plain !== location.hash.slice(1)) location.hash = plain;
}

// What says another value is hidden; the paired baseline and the untrained network stay beside every scheme.
const baselines = new Set(["paired", "untrained"]);
function differs(element, name, wanted) {
  const value = element.dataset[name];
  if (!wanted || value === undefined || value === "" || value === wanted) return false;
  return !(name === "scheme" && baselines.has(value) && !baselines.has(wanted));
}
function applyFilters(state) {
  for (const [name, choice] of choices) choice.value = [...choice.options].some((option) => option.value === state[name]) ? state[name] : "";
  for (const element of document.querySelectorAll(filters.map((name) => `[data-${name}]`).join(","))) {
    element.classList.toggle("hidden", [...choices].some(([name, choice]) => differs(element, name, choice.value)));
  }
  for (const table of document.querySelectorAll("table")) { // a heading above columns spans those that are left
    const [above, titles] = table.tHead?.rows.length === 2 ? table.tHead.rows : [];
    let column = 0;
    for (const group of above?.cells ?? []) {
      group.dataset.span ??= group.colSpan;
      const own = [...titles.cells].slice(column, column += Number(group.dataset.span));
      const left = own.filter((cell) => !cell.classList.contains("hidden")).length;
      group.classList.toggle("hidden", left === 0);
      group.colSpan = Math.max(1, left);
    }
    for (const body of table.tBodies) {
      const [first, ...rows] = body.rows;
      if (first?.classList.contains("heading")) first.classList.toggle("hidden", rows.every((row) => row.classList.contains("hidden")));
    }
  }
  const rows = [...document.querySelectorAll("tr[data-run]")];
  const status = document.querySelector(".filter [role=status]");
  document.querySelector(".filter")?.classList.toggle("filtered", [...choices.values()].some((choice) => choice.value));
  if (status) status.textContent = `${rows.filter((row) => !row.classList.contains("hidden")).length} of ${rows.length} runs` + (state.seed ? "; means stay over all seeds" : "");
}
for (const [name, choice] of choices) choice.addEventListener("change", () => writeAddress({ ...readAddress(), [name]: choice.value, at: "" }));
document.querySelector(".filter")?.addEventListener("reset", (event) => { event.preventDefault(); writeAddress({}); });
document.addEventListener("click", (event) => { // a jump keeps the filters
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  event.preventDefault();
  const target = link.getAttribute("href").slice(1);
  if (readAddress().at === target) look(); else writeAddress({ ...readAddress(), at: target });
});

// Curves with round ticks on both axes.
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
function ticks(low, high, count, whole) {
  const rough = (high - low) / count || Math.abs(high) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
  if (whole) step = Math.max(1, Math.round(step));
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9); value * step <= high + step * 1e-9; value++) found.push(Number((value * step).toPrecision(12)));
  return found;
}
const dashes = ["", "6 3", "2 3", "8 3 2 3", "1 4", "10 4"];
const stroke = (place) => ({ fill: "none", stroke: `var(--c${place % 6})`, "stroke-width": 1.8, "stroke-dasharray": dashes[place % 6] });
function curve(title, lines) {
  const [width, height, left, right, top, bottom] = [360, 190, 50, 12, 24, 34];
  const svg = make("svg", { class: "curve", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title} by epoch` });
  const xs = lines.flat().map((point) => point[0]), ys = lines.flat().map((point) => point[1]);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  let [y0, y1] = [Math.min(...ys), Math.max(...ys)];
  if (y0 >= 0 && y0 < 0.4 * y1) y0 = 0;
  if (y0 === y1) [y0, y1] = [y0 - (Math.abs(y0) || 1) / 10, y1 + (Math.abs(y1) || 1) / 10];
  const x = (value) => left + (x1 > x0 ? (value - x0) / (x1 - x0) : 0.5) * (width - left - right);
  const y = (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom);
  const grid = { stroke: "currentColor", "stroke-opacity": 0.15 };
  svg.append(make("text", { x: 4, y: 14, class: "title" }, title));
  for (const value of ticks(y0, y1, 4)) {
    svg.append(make("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), ...grid }), make("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, short.format(value)));
  }
  for (const value of ticks(x0, x1, 5, true)) {
    svg.append(make("line", { x1: x(value), x2: x(value), y1: height - bottom, y2: height - bottom + 4, stroke: "currentColor", "stroke-opacity": 0.5 }), make("text", { x: x(value), y: height - bottom + 16, "text-anchor": "middle" }, String(value)));
  }
  svg.append(make("line", { x1: left, x2: width - right, y1: height - bottom, y2: height - bottom, stroke: "currentColor", "stroke-opacity": 0.5 }));
  svg.append(make("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, "epoch"));
  lines.forEach((points, place) => {
    if (points.length > 1) svg.append(make("polyline", { points: points.map((point) => `${x(point[0]).toFixed(1)},${y(point[1]).toFixed(1)}`).join(" "), ...stroke(place) }));
    else for (const point of points) svg.append(make("circle", { cx: x(point[0]), cy: y(point[1]), r: 3, fill: `var(--c${place % 6})` }));
  });
  return svg;
}
const plain = (name) => name.replace(/^map_(i2t|t2i)$/, (_, task) => `mAP, ${taskTitles[task]}`).replaceAll("_", " ");
const isMain = (name) => name.startsWith("map_") || /^(total|loss)$/.test(name);
function sideBySide(shown) { // the curves of several runs in one figure for each loss
  const names = [...new Set(shown.flatMap((run) => Object.keys(run.curves)))].filter((name) => shown.some((run) => (run.curves[name] ?? []).length > 1));
  const main = names.filter(isMain);
  const legend = make("ul", { class: "legend" }, ...shown.map((run, place) =>
    make("li", {}, make("svg", { viewBox: "0 0 36 10", "aria-hidden": "true" }, make("line", { x1: 0, x2: 36, y1: 5, y2: 5, ...stroke(place) })), run.cell)));
  const figures = (main.length ? main : names).map((name) => curve(plain(name), shown.map((run) => run.curves[name] ?? [])));
  return [legend, make("div", { class: "curves" }, ...figures)];
}
function curves(run) {
  const names = Object.keys(run.curves).filter((name) => run.curves[name].length > 1).sort((a, b) => isMain(b) - isMain(a));
  return names.map((name) => curve(plain(name), [run.curves[name]]));
}

// Retrieval examples: an image is shown by its picture or else by words, a text by its words or class names.
function face(run, row, side) {
  const [text, classes, picture] = pages.items[run.dataset][row];
  if (side === "image" && picture) return [make("img", { src: picture, alt: text || classes || "picture", title: text || classes })];
  const words = text || classes || "no text";
  return [make("span", {}, side === "image" && text ? `image of: ${words}` : words), text && classes ? make("span", { class: "classes" }, classes) : null];
}
const place = (partner) => (partner[1] === partner[2] ? `rank ${partner[1]}` : `rank ${partner[1]}–${partner[2]}`);
const bits = (distance) => `${distance} bit${distance === 1 ? "" : "s"}`;
function examples(run, heading, most = Infinity) {
  return Object.entries(run.retrievals).filter(([, found]) => found.length).map(([task, found]) => {
    const [asks, answersWith] = task === "i2t" ? ["image", "text"] : ["text", "image"];
    const queries = found.slice(0, most).map(([query, answers, partner]) => {
      const tiles = answers.map(([row, distance, mark], number) => make("li", { class: `tile ${mark & 2 ? "own" : mark & 1 ? "relevant" : "other"}` },
        make("div", {}, ...face(run, row, answersWith)),
        make("div", { class: "where" }, `${number + 1}. · ${bits(distance)} `, make("b", {}, mark & 2 ? "✓ partner" : mark & 1 ? "✓" : ""))));
      if (partner && !answers.some(([, , mark]) => mark & 2)) {
        tiles.push(make("li", { class: "tile own" }, make("div", {}, ...face(run, query, answersWith)), make("div", { class: "where" }, make("b", {}, "partner"), `: ${place(partner)} · ${bits(partner[0])}`)));
      }
      return make("div", { class: "query" }, make("div", { class: "asked" }, ...face(run, query, asks)), make("ol", { class: "answers" }, ...tiles));
    });
    return make("div", {}, make(heading, {}, taskTitles[task]), ...queries);
  });
}
const exampleNote = () => make("p", { class: "soft" }, "Top results by Hamming distance, with codes of the last epoch. ✓ shares a class with the query. Partner: the query’s own other side, at its place in the ranking; equal distances share a range of ranks.");
function fillExamples(box) {
  const shown = box.dataset.runs.split(" ").map((id) => runs.get(id)).filter((run) => Object.keys(run.retrievals).length);
  const panel = make("div", { class: "rows" });
  const buttons = shown.map((run) => make("button", { type: "button" }, run.cell));
  const choose = (number) => {
    buttons.forEach((button, other) => button.setAttribute("aria-pressed", String(other === number)));
    panel.replaceChildren(...examples(shown[number], "h4"));
  };
  buttons.forEach((button, number) => button.addEventListener("click", () => choose(number)));
  box.replaceChildren(make("div", { class: "tabs", role: "group", "aria-label": "Training pairs" }, ...buttons), panel);
  choose(0);
  box.printed = () => panel.replaceChildren(...shown.map((run) => make("div", { class: "condition" }, make("h4", {}, run.cell), ...examples(run, "h5", 1))));
  box.restored = () => choose(Math.max(0, buttons.findIndex((button) => button.getAttribute("aria-pressed") === "true")));
}
for (const box of document.querySelectorAll(".examples")) fillExamples(box);
for (const box of document.querySelectorAll(".training")) box.replaceChildren(...sideBySide(box.dataset.runs.split(" ").map((id) => runs.get(id)).filter((run) => Object.keys(run.curves).length)));

// A page for each run, at #run-ID.
function definitions(values) {
  const list = make("dl", { class: "facts" });
  for (const [name, value] of Object.entries(values)) {
    const said = value !== null && typeof value === "object" ? Object.entries(value).map(([key, each]) => (Array.isArray(value) ? each : `${key} ${each}`)).join(", ") : String(value);
    list.append(make("dt", {}, name.replaceAll("_", " ")), make("dd", {}, said));
  }
  return list;
}
const numbers = (maps) => Object.entries(maps).map(([task, value]) => `${taskTitles[task]} ${value.toFixed(4)}`).join(", ");
function runParts(run) {
  const { options, ...rest } = run.specification;
  const shown = examples(run, "h3"), drawn = curves(run);
  return [
    ...(drawn.length ? [make("h2", {}, "Training curves"), make("div", { class: "curves" }, ...drawn)] : []),
    ...(shown.length ? [make("h2", {}, "Retrieval examples"), exampleNote(), make("div", { class: "rows" }, ...shown)] : []),
    make("h2", {}, "Times, in seconds"), definitions(run.seconds),
    make("h2", {}, "Specification"), definitions({ ...rest, ...options }),
    make("h2", {}, "Environment"), definitions(run.environment)];
}
function summary(run) {
  return { run: run.id, "mAP, last epoch": numbers(run.last), "mAP, best evaluated epoch": `${numbers(run.best)} (epoch ${run.best_epoch})` };
}
function look() {
  const state = readAddress();
  applyFilters(state);
  const run = runs.get((state.at ?? "").replace(/^run-/, ""));
  const page = document.getElementById("page");
  page.hidden = !run;
  overview.hidden = Boolean(run);
  if (run) {
    page.replaceChildren(make("p", {}, make("a", { href: "#runs" }, "← all runs")), make("h1", {}, run.heading), definitions(summary(run)), ...runParts(run));
    window.scrollTo(0, 0);
  } else if (state.at) {
    document.getElementById(state.at)?.scrollIntoView();
  }
  markScrolling();
}

// A line above whatever scrolls sideways.
function markScrolling() {
  for (const box of document.querySelectorAll(".scroll")) {
    const more = box.scrollWidth > box.clientWidth + 1;
    let line = box.previousElementSibling?.classList.contains("more") ? box.previousElementSibling : null;
    if (more && !line) box.before(line = make("p", { class: "more" }, "Scroll sideways for more →"));
    if (line) line.hidden = !more || box.classList.contains("hidden");
  }
}
window.addEventListener("resize", markScrolling);

// Print holds every condition, and a row for every run that the filters leave; the curves of one run are on its page.
window.addEventListener("beforeprint", () => {
  if (!overview || overview.hidden) return;
  for (const box of document.querySelectorAll(".examples")) box.printed();
  for (const details of document.querySelectorAll("details")) details.open = true;
});
window.addEventListener("afterprint", () => {
  if (!overview || overview.hidden) return;
  for (const box of document.querySelectorAll(".examples")) box.restored();
});

if (overview) {
  window.addEventListener("hashchange", look);
  look();
} else {
  document.getElementById("page").replaceChildren(...pages.runs.flatMap(runParts));
}
