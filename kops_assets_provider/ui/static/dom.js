/** Elements, numbers, times and links. All text goes into text nodes: none of it is ever markup. */

const UNITS = ["B", "kB", "MB", "GB", "TB"];
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60]];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const FULL = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const NUMBER = new Intl.NumberFormat("en");

/** Return an element with attributes and children; what is null or false is left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.flat().filter((child) => child || child === 0));
  return node;
}

/** Return a number as people read it. */
export function number(value) {
  return NUMBER.format(value);
}

/** Return "1 asset", "2 assets". */
export function plural(count, word) {
  return `${number(count)} ${word}${count === 1 ? "" : "s"}`;
}

/** Return bytes in decimal units. */
export function bytes(value) {
  let unit = 0;
  for (; value >= 1000 && unit < UNITS.length - 1; unit += 1) value /= 1000;
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** Return how long ago a time was, with all of it as the tooltip. */
export function ago(iso, now) {
  const time = new Date(iso);
  return el("time", { datetime: iso, title: FULL.format(time) }, since(time, now));
}

function since(time, now) {
  const seconds = (time - now) / 1000;
  const found = STEPS.find(([, length]) => Math.abs(seconds) >= length);
  return found ? RELATIVE.format(Math.round(seconds / found[1]), found[0]) : "just now";
}

/** Return a link to a page of Airflow's, by its path below Airflow's address. */
export function airflowLink(path, text, attributes = {}) {
  return el("a", { href: `../${path}`, "data-airflow": true, ...attributes }, text);
}

/** Return a sign that does not need colour, and is not read aloud beside its word. */
export function sign(text) {
  return el("span", { class: "sign", "aria-hidden": "true" }, text);
}

/** Return a table with a caption that only screen readers need, and its heading. */
export function table(name, caption, headings, rows) {
  const heads = headings.map((text) => el("th", { scope: "col" }, text));
  return el(
    "table",
    { class: name },
    el("caption", { class: "unseen" }, caption),
    el("thead", {}, el("tr", {}, heads)),
    el("tbody", {}, rows),
  );
}

/** Return a cell; on a narrow screen its label stands before it. */
export function cell(label, ...children) {
  return el("td", { "data-label": label }, ...children);
}
