"use strict";
const find = (id) => document.getElementById(id);
const STEP = 24;
let about = { labels: [], bits: 1, unable: {} };
let asked = null; // what the results answer: {words}, {like} or {file}
let shown = STEP;
let turn = 0; // of the newest request: answers of older ones are dropped

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function textOf(item) {
  return item.payload.text || item.payload.words || "";
}

function card(item) {
  const text = textOf(item);
  const top = item.picture
    ? element("img", { className: "picture", alt: "", src: item.picture, loading: "lazy" })
    : element("span", { className: "no-picture", textContent: text || item.id });
  const said = element("span", { className: "said" });
  if (item.distance !== undefined) {
    const bar = element("span");
    bar.style.width = `${(100 * item.distance) / about.bits}%`;
    said.append(
      element("span", { className: "distance" }, `${item.distance} of ${about.bits} bits apart`),
      element("span", { className: "bar" }, bar),
    );
  }
  if (item.picture && text) said.append(element("span", { className: "text", textContent: text }));
  if (item.labels.length) said.append(element("span", { className: "labels", textContent: item.labels.join(", ") }));
  const button = element("button", { type: "button", className: "item", title: item.id }, top, said);
  const distance = item.distance === undefined ? "" : `, ${item.distance} bits apart`;
  button.setAttribute("aria-label", `${text || item.id}${distance}: find what is like it`);
  button.addEventListener("click", () => go({ like: item.id, item }));
  return element("li", {}, button);
}

function chosenLabels() {
  return [...document.querySelectorAll("#labels input:checked")].map((box) => box.value);
}

function settings() {
  const values = new URLSearchParams({ k: shown, combine: find("combine").value });
  for (const label of chosenLabels()) values.append("label", label);
  if (find("rerank").checked) values.set("rerank", 8);
  return values;
}

function showQuery() {
  const box = find("query");
  box.replaceChildren();
  const file = asked && asked.file;
  const item = asked && asked.item;
  box.hidden = !file && !(asked && asked.like !== undefined);
  if (file) box.append(element("img", { alt: "", src: URL.createObjectURL(file) }), "Like your picture");
  else if (item && item.picture) box.append(element("img", { alt: "", src: item.picture }), `Like ${textOf(item) || item.id}`);
  else if (!box.hidden) box.append(`Like ${(item && textOf(item)) || asked.like}`);
}

async function answer() {
  const mine = ++turn;
  const values = settings();
  let request;
  if (!asked) request = fetch("/api/sample");
  else if (asked.file) request = fetch(`/api/search?${values}`, { method: "POST", body: asked.file });
  else {
    if (asked.words !== undefined) values.set("words", asked.words);
    else values.set("like", asked.like);
    request = fetch(`/api/search?${values}`);
  }
  document.body.classList.add("busy");
  showQuery();
  let found = { items: [], remark: null };
  let error = "";
  try {
    const response = await request;
    const content = await response.json();
    if (response.ok) found = content;
    else error = typeof content.detail === "string" ? content.detail : "The server does not understand this search.";
  } catch {
    error = "The server does not answer; is it still running?";
  }
  if (mine !== turn) return;
  document.body.classList.remove("busy");
  find("remark").hidden = !found.remark;
  find("remark").textContent = found.remark || "";
  find("status").className = error ? "error" : "";
  const count = found.items.length;
  find("status").textContent = error || (asked ? (count ? `The nearest ${count}` : "Nothing was found.") : `Some of ${about.items} items`);
  find("results").replaceChildren(...found.items.map(card));
  if (asked && count === shown && shown < 192) {
    const more = element("button", { type: "button", className: "item more" }, element("span", { className: "no-picture", textContent: "Show more" }));
    more.addEventListener("click", () => { shown *= 2; answer(); });
    find("results").append(element("li", {}, more));
  }
}

function go(what, remember = true) {
  asked = what;
  shown = STEP;
  find("words").value = (what && what.words) || "";
  if (remember) {
    const address = new URLSearchParams();
    if (what && what.words !== undefined) address.set("words", what.words);
    if (what && what.like !== undefined) address.set("like", what.like);
    history.pushState(null, "", what && !what.file ? `?${address}` : location.pathname);
  }
  window.scrollTo({ top: 0 });
  return answer();
}

function fromAddress() {
  const address = new URLSearchParams(location.search);
  if (address.has("words")) return { words: address.get("words") };
  if (address.has("like")) return { like: address.get("like") };
  return null;
}

function searchByFile(file) {
  if (!file) return;
  if (about.unable.image) return fail(about.unable.image);
  if (file.size > about.upload_limit) return fail(`The picture must have at most ${about.upload_limit / 2 ** 20} MB.`);
  go({ file });
}

function fail(sentence) {
  find("status").className = "error";
  find("status").textContent = sentence;
}

function moveFocus(key) {
  const cards = [...document.querySelectorAll("#results button")];
  const now = cards.indexOf(document.activeElement);
  if (now < 0) return false;
  const top = cards[0].getBoundingClientRect().top;
  const columns = cards.filter((one) => Math.abs(one.getBoundingClientRect().top - top) < 4).length;
  const next = now + { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
  if (next < 0) find("words").focus();
  else if (next < cards.length) cards[next].focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input[type=search], select");
  if (event.key === "/" && !typing) { event.preventDefault(); find("words").select(); }
  else if (event.key === "ArrowDown" && event.target.id === "words") {
    const first = document.querySelector("#results button");
    if (first) { event.preventDefault(); first.focus(); }
  } else if (event.key.startsWith("Arrow") && !typing && moveFocus(event.key)) event.preventDefault();
});
find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = find("words").value;
  go(words.trim() ? { words } : null);
});
find("upload").addEventListener("click", () => find("file").click());
find("file").addEventListener("change", (event) => { searchByFile(event.target.files[0]); event.target.value = ""; });
find("options").addEventListener("change", () => {
  const labels = chosenLabels();
  find("chosen").textContent = labels.length ? `: ${labels.join(", ")}` : "";
  shown = STEP;
  if (asked) answer();
});
window.addEventListener("popstate", () => go(fromAddress(), false));
window.addEventListener("dragover", (event) => { event.preventDefault(); find("drop").hidden = false; });
window.addEventListener("dragleave", (event) => { if (!event.relatedTarget) find("drop").hidden = true; });
window.addEventListener("drop", (event) => {
  event.preventDefault();
  find("drop").hidden = true;
  const picture = [...event.dataTransfer.files].find((file) => file.type.startsWith("image/"));
  if (picture) searchByFile(picture);
  else fail("What was dropped is not a picture file.");
});
window.addEventListener("paste", (event) => searchByFile([...event.clipboardData.files][0]));

(async () => {
  try {
    about = await (await fetch("/api/index")).json();
  } catch {
    return fail("The server does not answer; is it still running?");
  }
  document.title = find("name").textContent = `Search ${about.name}`;
  find("rerank-label").hidden = !about.rerank;
  find("search").hidden = about.exact;
  find("search").textContent = about.search;
  find("words").disabled = Boolean(about.unable.text);
  if (about.unable.text) find("words").placeholder = "This model takes no words";
  find("upload").disabled = Boolean(about.unable.image);
  find("upload").title = about.unable.image || "";
  find("labels").hidden = !about.labels.length;
  for (const label of about.labels) {
    const box = element("input", { type: "checkbox", value: label });
    find("labels").append(element("label", { className: "chip" }, box, label));
  }
  go(fromAddress(), false);
})();
