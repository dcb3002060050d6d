/** What was sent and what was there, by day, as two small pictures and as a table. */

import { bytes, cell, el, number, plural, table } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const DAYS = 30;
const [WIDTH, HEIGHT] = [600, 120];
const DAY = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });

/** Return the pictures of some clusters; nothing if none of their runs is known. */
export function historyPictures(clusters) {
  const days = byDay(clusters);
  if (!days.length) return null;
  const last = days.at(-1);
  const most = Math.max(...days.map((each) => each.sent));
  const gist = `Bytes sent by day: ${bytes(most)} at most`;
  const there = `Assets: ${number(last.assets - last.bad)} of ${number(last.assets)} are there, ${bytes(last.size)}`;
  return [
    figure(gist, days, [(each) => each.sent], most, (each) => bytes(each.sent)),
    figure(there, days, [(each) => each.assets - each.bad, (each) => each.bad],
      Math.max(...days.map((each) => each.assets)), tellAssets),
    sameAsTable(days),
  ];
}

function tellAssets(day) {
  return `${plural(day.assets, "asset")}${day.bad ? `, ${number(day.bad)} of them not there` : ""}`;
}

/** Add up the clusters for each day; one that did not run on a day is as it was before. */
function byDay(clusters) {
  const runs = clusters.flatMap(({ cluster, history }) => history.map((run) => ({ cluster, run })));
  runs.sort((one, other) => new Date(one.run[0]) - new Date(other.run[0]));
  const days = new Map();
  const latest = new Map();
  for (const { cluster, run: [at, , assets, bad, size, sent] } of runs) {
    const name = new Date(at).toDateString();
    const before = days.get(name)?.sent ?? 0;
    latest.set(cluster, { assets, bad, size });
    days.set(name, { day: new Date(at), sent: before + sent, latest: new Map(latest) });
  }
  return [...days.values()].slice(-DAYS).map(summed);
}

function summed({ day, sent, latest }) {
  const sum = (name) => [...latest.values()].reduce((total, each) => total + each[name], 0);
  return { day, sent, assets: sum("assets"), bad: sum("bad"), size: sum("size") };
}

function figure(caption, days, values, most, tell) {
  const [first, last] = [days[0], days.at(-1)].map((each) => DAY.format(each.day));
  return el(
    "figure",
    {},
    el("figcaption", {}, caption),
    picture(caption, days, values, most || 1, tell),
    el("p", { class: "axis" }, el("span", {}, first), days.length > 1 && el("span", {}, last)),
  );
}

function picture(label, days, values, most, tell) {
  const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" });
  root.setAttribute("role", "img");
  root.setAttribute("aria-label", `${label}. The table below has all figures.`);
  const width = Math.min(WIDTH / days.length, 40);
  days.forEach((day, index) => root.append(bar(day, index * width, width, values, most, tell)));
  return root;
}

/** Return a day's values, one upon the other. */
function bar(day, x, width, values, most, tell) {
  const group = svg("g");
  const title = svg("title");
  title.textContent = `${DAY.format(day.day)}: ${tell(day)}`;
  group.append(title);
  let y = HEIGHT;
  values.forEach((value, number) => {
    const height = (value(day) / most) * HEIGHT;
    y -= height;
    const place = { x: x + 1, y, width: Math.max(width - 2, 1), height };
    group.append(svg("rect", { ...place, class: `value-${number}` }));
  });
  return group;
}

function svg(tag, attributes = {}) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function sameAsTable(days) {
  const headings = ["Day", "Sent", "Assets", "Not there", "Size of the mirror"];
  const rows = [...days].reverse().map((each) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", "data-label": "Day" }, DAY.format(each.day)),
      cell("Sent", bytes(each.sent)),
      cell("Assets", number(each.assets)),
      cell("Not there", number(each.bad)),
      cell("Size", bytes(each.size)),
    ),
  );
  const shown = table("days", "Bytes and assets by day", headings, rows);
  return el("details", { "data-key": "days" }, el("summary", {}, "The same as a table"), shown);
}
