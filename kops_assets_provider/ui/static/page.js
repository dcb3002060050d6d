/** Loads what the page shows, shows it, and asks again while somebody looks. */

import { refusal } from "./actions.js";
import { AssetRows, countText, fillChoices, filtered, prepare } from "./assets.js";
import { clustersTable, verdict } from "./clusters.js";
import { el } from "./dom.js";
import { followTheme, letLinksLeave } from "./frame.js";
import { historyPictures } from "./history.js";

const EVERY = 60_000;
const TELL_AFTER = 400;
const FILTERS = ["q", "cluster", "kind", "state", "changed"];
const TIME = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hour12: false });

const byId = (id) => document.getElementById(id);
const form = document.querySelector(".filters");
const rows = new AssetRows(document.querySelector("#assets .rows"), byId("more"));
let view = null;
let told = "";
let telling = 0;

/** Ask for the data and show it; what is shown already stays if that fails. */
async function load() {
  byId("refresh").setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(`mirrors${location.search}`, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(await unavailable(answer));
    show(await answer.text());
    byId("error").replaceChildren();
  } catch (error) {
    byId("error").replaceChildren(el("p", { class: "note bad" }, failure(error)));
    if (!view) byId("verdict").replaceChildren();
  } finally {
    byId("refresh").removeAttribute("aria-disabled");
  }
}

async function unavailable(answer) {
  const why = await refusal(answer);
  if (answer.status === 401) return `You are not logged in any more: load Airflow again. (${why})`;
  if (answer.status === 403) return `You may not read this: ask who gives rights in Airflow. (${why})`;
  return `Airflow's API server could not tell: ${why}. Its log has more; then refresh.`;
}

function failure(error) {
  const lost = error instanceof TypeError;
  return lost ? "Airflow's API server does not answer. Try again with Refresh." : error.message;
}

function show(text) {
  const values = JSON.parse(text);
  byId("as-of").replaceChildren("as of ", el("time", { datetime: values.now }, TIME.format(new Date(values.now))));
  // The time alone is no reason to make everything anew, under somebody's hands.
  const rest = text.replace(values.now, "");
  if (rest === told) return;
  const again = view !== null;
  told = rest;
  view = prepare({ ...values, now: new Date(values.now) });
  keeping(() => render(again));
}

function render(again) {
  if (view.scope) byId("title").textContent = "kOps assets of this run";
  byId("verdict").replaceChildren(verdict(view));
  for (const id of ["clusters", "assets"]) byId(id).hidden = !view.clusters.length;
  const clusters = clustersTable(view, choose, say);
  document.querySelector("#clusters .rows").replaceChildren(clusters);
  fillChoices(form, view);
  if (!again) readFilters();
  showAssets(again);
}

/** Run what replaces elements, and let stay what was open, and where the focus was. */
function keeping(change) {
  const keyed = (key) => document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  const open = [...document.querySelectorAll("details[open][data-key]")].map((x) => x.dataset.key);
  const focused = document.activeElement?.dataset?.key;
  const top = window.scrollY;
  change();
  for (const key of open) keyed(key)?.setAttribute("open", "");
  if (focused) keyed(focused)?.focus({ preventScroll: true });
  window.scrollTo({ top, behavior: "instant" });
}

function filters() {
  const { q, cluster, kind, state, changed } = form.elements;
  const chosen = { cluster: cluster.value, kind: kind.value, state: state.value };
  return { q: q.value, ...chosen, changed: changed.checked };
}

function showAssets(again = false) {
  const wanted = filters();
  const found = filtered(view.assets, wanted);
  rows.show(found, view.now, again);
  showHistory(wanted.cluster);
  clearTimeout(telling);
  const text = countText(found.length, view.assets.length);
  // Who listens does not want to hear a number for each letter.
  telling = setTimeout(() => (byId("count").textContent = text), again ? 0 : TELL_AFTER);
  if (!byId("count").textContent) byId("count").textContent = text;
}

function showHistory(cluster) {
  const chosen = view.clusters.filter((each) => !cluster || each.cluster === cluster);
  const pictures = historyPictures(chosen);
  byId("history").hidden = !pictures;
  keeping(() => document.querySelector("#history .pictures").replaceChildren(...(pictures ?? [])));
}

/** Show the assets of a cluster, as a button of its row asks. */
function choose(cluster, state) {
  form.reset();
  form.elements.cluster.value = cluster;
  form.elements.state.value = state;
  filter();
  byId("assets").focus();
}

function filter() {
  showAssets();
  keepFilters();
}

function keepFilters() {
  const chosen = Object.entries(filters()).filter(([, value]) => value);
  const hash = new URLSearchParams(chosen.map(([name, value]) => [name, String(value)]));
  history.replaceState(null, "", chosen.length ? `#${hash}` : location.pathname + location.search);
}

function readFilters() {
  const hash = new URLSearchParams(location.hash.slice(1));
  for (const name of FILTERS.filter((each) => hash.has(each))) {
    const field = form.elements[name];
    if (field.type === "checkbox") field.checked = true;
    else field.value = hash.get(name);
    // A choice that is gone means all of them.
    if (field.selectedIndex === -1) field.value = "";
  }
}

/** Show a message, and let it be read aloud. */
function say(parts, kind) {
  byId("message").replaceChildren(el("p", { class: `note ${kind}` }, parts));
}

function loadWhileSeen() {
  if (document.visibilityState === "visible") load();
}

followTheme();
letLinksLeave();
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
// The fields are empty only once the event is over.
form.addEventListener("reset", () => setTimeout(() => view && filter()));
byId("refresh").addEventListener("click", load);
setInterval(loadWhileSeen, EVERY);
load();
