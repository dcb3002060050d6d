/** The table of the assets, and its filters. */

import { ago, airflowLink, bytes, cell, el, number, plural, sign, table } from "./dom.js";

const AT_A_TIME = 100;
const DIGITS = 12; // of a digest, as other tools shorten it
const ORDER = ["bad", "stale", "ok", "not mirrored"];
const SIGNS = { bad: "✗", stale: "◷", ok: "✓", "not mirrored": "○" };
const PROBLEMS = "problems";
const HEADINGS = [
  ...["State", "Canonical and download", "Cluster", "Digest or SHA-256"],
  ...["Size", "Last verified", "Last copied", "Log"],
];

/** Give every asset its cluster and what a search looks at, and put problems first. */
export function prepare(view) {
  for (const cluster of view.clusters) cluster.mine = [];
  for (const asset of view.assets) {
    const cluster = view.clusters[asset.cluster];
    asset.clusterName = cluster.cluster;
    asset.order = ORDER.indexOf(asset.status);
    asset.text = [asset.canonical, asset.download, asset.content, asset.reason, asset.clusterName]
      .join("\n")
      .toLowerCase();
    cluster.mine.push(asset);
  }
  view.assets.sort(byProblem);
  for (const cluster of view.clusters) cluster.mine.sort(byProblem);
  return view;
}

function byProblem(one, other) {
  return one.order - other.order || byText(one.clusterName, other.clusterName) || byName(one, other);
}

function byName(one, other) {
  return byText(one.kind, other.kind) || byText(one.canonical, other.canonical);
}

// Comparing as people sort takes a second for ten thousand names.
function byText(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Return the assets that the filters let pass. */
export function filtered(assets, { q, cluster, kind, state, changed }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  return assets.filter(
    (asset) =>
      (!cluster || asset.clusterName === cluster) &&
      (!kind || asset.kind === kind) &&
      (!state || hasState(asset, state)) &&
      (!changed || asset.change) &&
      words.every((word) => asset.text.includes(word)),
  );
}

function hasState(asset, state) {
  return state === PROBLEMS ? asset.order < 2 : asset.state === state;
}

/** Put the choices into the filters' lists; what is chosen stays so. */
export function fillChoices(form, view) {
  const values = (name) => [...new Set(view.assets.map((each) => each[name]))].sort();
  choices(form.elements.cluster, [["", "All"], ...values("clusterName").map((x) => [x, x])]);
  choices(form.elements.kind, [["", "All"], ...values("kind").map((x) => [x, x])]);
  const states = values("state").map((x) => [x, x]);
  choices(form.elements.state, [["", "All"], [PROBLEMS, "Problems"], ...states]);
}

function choices(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
  select.value = options.some(([value]) => value === chosen) ? chosen : "";
}

/** Return how many of how many, as people read it. */
export function countText(found, all) {
  return found === all ? plural(all, "asset") : `${number(found)} of ${plural(all, "asset")}`;
}

/** Shows as many rows as were asked for: all of them at once would take a browser seconds. */
export class AssetRows {
  constructor(place, button) {
    this.place = place;
    this.button = button;
    this.found = [];
    this.limit = AT_A_TIME;
    button.addEventListener("click", () => this.more());
  }

  /** Show the first of what was found; as many as before if it is shown again. */
  show(found, now, again = false) {
    if (!again) this.limit = AT_A_TIME;
    this.found = found;
    this.now = now;
    const rows = found.slice(0, this.limit).map((asset) => row(asset, now));
    const shown = table("assets", "Assets, problems first", HEADINGS, rows);
    this.place.replaceChildren(found.length ? shown : el("p", {}, "No asset matches the filters."));
    this.tellRest();
  }

  more() {
    const rows = this.found.slice(this.limit, this.limit + AT_A_TIME).map((x) => row(x, this.now));
    this.place.querySelector("tbody").append(...rows);
    this.limit += AT_A_TIME;
    this.tellRest();
    rows[0].tabIndex = -1;
    rows[0].focus({ preventScroll: true });
  }

  tellRest() {
    const rest = this.found.length - this.limit;
    this.button.hidden = rest <= 0;
    this.button.textContent = `Show ${number(Math.min(rest, AT_A_TIME))} more of ${number(rest)}`;
  }
}

function row(asset, now) {
  const state = [sign(SIGNS[asset.status]), asset.state];
  return el(
    "tr",
    {},
    cell("State", el("span", { class: `state ${asset.status.replace(" ", "-")}` }, state), change(asset)),
    names(asset),
    cell("Cluster", asset.clusterName),
    cell("Digest or SHA-256", digest(asset.content)),
    cell("Size", asset.size === null ? "" : bytes(asset.size)),
    cell("Last verified", asset.verified_at && ago(asset.verified_at, now)),
    cell("Last copied", copied(asset, now)),
    cell("Log", asset.log && airflowLink(asset.log, "log", { "aria-label": `log of ${asset.canonical}` })),
  );
}

function change(asset) {
  return asset.change && el("small", {}, asset.change);
}

function names(asset) {
  const download = asset.download === asset.canonical ? "" : `→ ${asset.download}`;
  return el(
    "th",
    { scope: "row", "data-label": asset.kind },
    el("span", {}, asset.canonical),
    download && el("small", {}, download),
    asset.reason && el("p", { class: "reason" }, asset.reason),
  );
}

function digest(content) {
  if (!content) return "";
  const [start, rest] = content.includes(":") ? content.split(":") : ["", content];
  const short = `${start && `${start}:`}${rest.slice(0, DIGITS)}`;
  return el("code", { title: content }, short);
}

function copied(asset, now) {
  if (!asset.copied_at) return "";
  const label = { "aria-label": `run ${asset.copied_by}`, title: asset.copied_by };
  const by = asset.copied_url ? airflowLink(asset.copied_url, "run", label) : null;
  return [ago(asset.copied_at, now), " ", by ?? el("small", {}, asset.copied_by ?? "")];
}
