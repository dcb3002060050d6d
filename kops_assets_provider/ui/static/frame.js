/**
 * Airflow shows the page in a frame, in a sandbox that lets no link lead out of it.
 *
 * What is needed of the page around it (Airflow 3.1 to 3.3): that it is of the same origin, and that its
 * root element has the class "dark" or "light".
 */

/** Return the document around the frame; null if there is none, or it is not Airflow's. */
function outerDocument() {
  try {
    return window.parent === window ? null : window.parent.document;
  } catch {
    return null;
  }
}

/** Let links to Airflow lead the page around the frame there. */
export function letLinksLeave() {
  document.addEventListener("click", leave);
  document.addEventListener("auxclick", leave);
}

function leave(event) {
  const link = event.target.closest?.("a[data-airflow]");
  const outer = outerDocument();
  if (!link || !outer || event.button > 1) return;
  event.preventDefault();
  const anchor = outer.createElement("a");
  anchor.href = link.href;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1) {
    anchor.target = "_blank";
    anchor.rel = "noopener";
  }
  outer.body.append(anchor);
  anchor.click();
  anchor.remove();
}

/** Be dark or light as Airflow is, also when that changes. */
export function followTheme() {
  const root = outerDocument()?.documentElement;
  if (!root) return;
  const follow = () => {
    const found = ["dark", "light"].find((name) => root.classList.contains(name));
    if (found) document.documentElement.dataset.theme = found;
  };
  new MutationObserver(follow).observe(root, { attributeFilter: ["class"] });
  follow();
}
