/** Starts runs by Airflow's own REST API: its permissions hold, and its protection against forgery. */

import { airflowLink, el } from "./dom.js";

const NOTE = "Started from the kOps assets page";
const NO_DRY_RUN =
  "has no dry run. Run a DAG that checks once, kops_check_assets for instance: then that is used.";

/** Return the buttons of a cluster; ``say`` shows a message. */
export function actionButtons(cluster, say) {
  const found = [
    ["Copy now", cluster.actions.copy],
    ["Check now", cluster.actions.check],
  ];
  return found.filter(([, action]) => action).map((each) => button(cluster, ...each, say));
}

function button(cluster, text, action, say) {
  const why = action.allowed ? null : `You may not start runs of ${action.dag_id}`;
  const made = el(
    "button",
    {
      type: "button",
      title: why ?? `Starts a run of ${action.dag_id}`,
      disabled: !action.allowed,
      "data-key": `${text} ${cluster.cluster}`,
      "aria-label": `${text} ${cluster.cluster}${why ? `: ${why}` : ""}`,
    },
    text,
  );
  made.addEventListener("click", () => once(made, () => start(action, text, cluster, say)));
  return made;
}

/** Do it unless it is being done already. */
async function once(made, work) {
  if (made.getAttribute("aria-disabled")) return;
  made.setAttribute("aria-disabled", "true");
  try {
    await work();
  } finally {
    made.removeAttribute("aria-disabled");
  }
}

async function start(action, text, cluster, say) {
  const what = `${text} of ${cluster.cluster}`;
  try {
    const { run, paused } = await startRun(action);
    const path = `${dagPath(action)}/runs/${encodeURIComponent(run.dag_run_id)}`;
    const link = airflowLink(`dags/${path}`, run.dag_run_id);
    say([`${what}: started `, link, paused ? ". It waits, since the DAG is paused." : "."], "good");
  } catch (error) {
    say([`${what} was not started: ${error.message}`], "bad");
  }
}

async function startRun(action) {
  const details = await api(`dags/${dagPath(action)}/details`);
  if (action.dry_run && !("dry_run" in (details.params ?? {}))) {
    throw new Error(`${action.dag_id} ${NO_DRY_RUN}`);
  }
  const body = { logical_date: null, conf: await confOf(action), note: NOTE };
  const run = await api(`dags/${dagPath(action)}/dagRuns`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return { run, paused: details.is_paused };
}

/** Return the configuration of the run that did the same for this cluster last. */
async function confOf(action) {
  const path = `dags/${dagPath(action)}/dagRuns/${encodeURIComponent(action.run_id)}`;
  const { dry_run: _, ...conf } = (await api(path)).conf ?? {};
  return action.dry_run ? { ...conf, dry_run: true } : conf;
}

function dagPath(action) {
  return encodeURIComponent(action.dag_id);
}

async function api(path, options = {}) {
  const answer = await fetch(`../api/v2/${path}`, { credentials: "same-origin", ...options });
  if (!answer.ok) throw new Error(await refusal(answer));
  return answer.json();
}

/** Return why a server refused, in its own words if it has any. */
export async function refusal(answer) {
  const text = await answer.text();
  try {
    const { detail } = JSON.parse(text);
    if (typeof detail === "string") return detail;
    return detail.reason ?? detail.map((each) => each.msg).join("; ");
  } catch {
    return `the server answered ${answer.status} ${answer.statusText}`;
  }
}
