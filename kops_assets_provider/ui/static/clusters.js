/** The verdict, and the table of the clusters. */

import { actionButtons } from "./actions.js";
import { ago, airflowLink, bytes, cell, el, number, plural, sign, table } from "./dom.js";

const SHOWN_PROBLEMS = 3;
const SHOWN_CHANGES = 50;
const ORDER = ["not ready", "stale", "ready"];
const WORDS = { ready: "Ready", "not ready": "Not ready", stale: "Not verified lately" };
const SIGNS = { ready: "✓", "not ready": "✗", stale: "◷" };
const HEADINGS = ["Cluster", "Readiness", "What is missing, and why", "Last run", "Changes"];

/** Return the verdict on all clusters, in words and totals. */
export function verdict(view) {
  const { clusters } = view;
  if (!clusters.length) return noClusters(view.scope);
  const count = (status) => clusters.filter((each) => each.status === status).length;
  const [bad, stale] = [count("not ready"), count("stale")];
  const worst = bad ? "not ready" : stale ? "stale" : "ready";
  return el(
    "div",
    { class: `verdict ${worst.replace(" ", "-")}` },
    el("p", { class: "headline" }, sign(SIGNS[worst]), headline(clusters.length, bad, stale)),
    el("p", {}, totals(view)),
  );
}

function noClusters(scope) {
  const [what, todo] = scope
    ? ["This run has told of no cluster", "Its report comes at its end; the log of report says more."]
    : [
        "No run has mirrored a cluster yet",
        "Run a DAG that copies: kops_copy_assets_nightly, or kops_copy_assets_manual by hand.",
      ];
  return el("div", { class: "verdict" }, el("p", { class: "headline" }, sign("○"), what), el("p", {}, todo));
}

function headline(total, bad, stale) {
  if (total === 1) return `The cluster is ${bad ? "not ready" : stale ? "not verified lately" : "ready"}`;
  if (bad) return `${someOf(bad, total)} not ready`;
  if (stale) return `${someOf(stale, total)} not verified lately`;
  return `All ${number(total)} clusters are ready`;
}

function someOf(count, total) {
  return `${number(count)} of ${number(total)} clusters ${count === 1 ? "is" : "are"}`;
}

function totals({ clusters, assets, now }) {
  const size = clusters.reduce((sum, each) => sum + each.size, 0);
  const last = clusters.map((each) => each.run.at).sort().at(-1);
  const counts = `${plural(clusters.length, "cluster")}, ${plural(assets.length, "asset")}`;
  return [`${counts}, ${bytes(size)}; the last run ended `, ago(last, now), "."];
}

/** Return the table; ``choose(cluster, state)`` filters the assets, ``say`` shows a message. */
export function clustersTable(view, choose, say) {
  const acts = view.clusters.some((each) => each.actions.copy || each.actions.check);
  const headings = acts ? [...HEADINGS, "Start a run"] : HEADINGS;
  const rows = [...view.clusters].sort(byReadiness).map((each) => row(each, view, choose, acts, say));
  return table("clusters", "Clusters, those that are not ready first", headings, rows);
}

function byReadiness(one, other) {
  const order = ORDER.indexOf(one.status) - ORDER.indexOf(other.status);
  return order || one.cluster.localeCompare(other.cluster);
}

function row(cluster, view, choose, acts, say) {
  return el(
    "tr",
    {},
    nameCell(cluster, choose),
    cell("Readiness", readiness(cluster, view.now)),
    cell("Missing", cluster.remark && el("p", { class: "remark" }, cluster.remark), problems(cluster, choose)),
    cell("Last run", lastRun(cluster, view.now)),
    cell("Changes", changes(cluster)),
    acts && el("td", { "data-label": "", class: "actions" }, actionButtons(cluster, say)),
  );
}

function nameCell(cluster, choose) {
  const show = () => choose(cluster.cluster, "");
  const attributes = { type: "button", class: "link", title: "Show its assets" };
  const key = { "data-key": `assets of ${cluster.cluster}` };
  const name = el("button", { ...attributes, ...key, onclick: show }, cluster.cluster);
  return el("th", { scope: "row", "data-label": "Cluster" }, name, el("small", {}, counts(cluster)));
}

function counts(cluster) {
  const all = cluster.mine.length;
  const mirrored = all - (cluster.counts["not mirrored"] ?? 0);
  const rest = mirrored === all ? "" : ` of ${number(all)} mirrored`;
  return `${plural(mirrored, "asset")}${rest}, ${bytes(cluster.size)}`;
}

function readiness(cluster, now) {
  const name = cluster.status.replace(" ", "-");
  const word = el("span", { class: `badge ${name}` }, sign(SIGNS[cluster.status]), WORDS[cluster.status]);
  const check = cluster.last_check;
  return [
    word,
    cluster.since && cluster.status !== "stale" && el("small", {}, "since ", ago(cluster.since, now)),
    check && el("small", {}, ago(check.at, now), ": a ", airflowLink(check.url, check.kind), ` found ${finding(check)}`),
  ];
}

function finding(check) {
  return check.ready ? "all there" : `${plural(check.missing, "asset")} missing or wrong`;
}

function problems(cluster, choose) {
  const bad = cluster.mine.filter((each) => each.status === "bad" || each.status === "stale");
  const items = bad.slice(0, SHOWN_PROBLEMS).map(problem);
  const rest = bad.length - items.length;
  const attributes = { type: "button", class: "link", "data-key": `problems of ${cluster.cluster}` };
  const more = { ...attributes, onclick: () => choose(cluster.cluster, "problems") };
  return [
    items.length > 0 && el("ul", { class: "problems" }, items),
    rest > 0 && el("button", more, `and ${number(rest)} more`),
  ];
}

function problem(asset) {
  const why = asset.reason ?? (asset.status === "stale" ? "not verified lately" : asset.state);
  const log = asset.status === "bad" && asset.log;
  const label = { "aria-label": `log of ${asset.canonical}` };
  return el("li", {}, el("b", {}, asset.canonical), `: ${why} `, log && airflowLink(log, "log", label));
}

function lastRun({ run, kind, kops_version: version }, now) {
  const label = { title: run.id, "aria-label": `run ${run.id}` };
  return [
    el("span", {}, ago(run.at, now), " ", run.url ? airflowLink(run.url, "run", label) : null),
    el("small", {}, run.url ? (run.dag_id ?? "") : run.id),
    el("small", {}, `kOps ${version}${kind === "copy" ? "" : `, a ${kind}`}`),
  ];
}

function changes({ changes: found, cluster }) {
  if (!found.length) return el("span", { class: "soft" }, "none");
  const items = found.slice(0, SHOWN_CHANGES).map((each) =>
    el("li", {}, el("b", {}, each.change), ` ${each.kind} ${each.canonical}`),
  );
  const rest = found.length - items.length;
  return el(
    "details",
    { "data-key": `changes of ${cluster}` },
    el("summary", {}, plural(found.length, "asset")),
    el("ul", {}, items, rest > 0 && el("li", {}, `and ${number(rest)} more`)),
  );
}
