// Runs picked for a comparison, across studies, and the tray that shows them.
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { recall, remember } from "./memory.js";
import { compareHref } from "./route.js";

const key = ([study, run]) => `${study}\n${run}`;
const picked = new Map((recall("picked") ?? []).map((pair) => [key(pair), pair]));
const heard = new Set();

/** Whether a run is picked. */
export const isPicked = (study, run) => picked.has(key([study, run]));

/** Pick a run, or put it back. */
export function pick(study, run, on = !isPicked(study, run)) {
  if (on) picked.set(key([study, run]), [study, run]);
  else picked.delete(key([study, run]));
  changed();
}

function changed() {
  remember("picked", [...picked.values()]);
  heard.forEach((work) => work());
}

/** Call `work` when the picked runs change. Returns `stop()`. */
export function onPicked(work) {
  heard.add(work);
  return () => heard.delete(work);
}

/** The tray at the foot of a view. Returns {el, leave}. */
export function tray() {
  const el = h("div", { class: "tray", role: "region", "aria-label": t("picked.label") });
  const draw = () => {
    el.hidden = picked.size === 0;
    el.replaceChildren(
      h("span", {}, t("picked.n", { n: picked.size })),
      h("a", { class: "button primary", href: compareHref([...picked.values()]) }, t("picked.compare")),
      h("button", { onClick: () => {
        picked.clear();
        changed();
      } }, t("picked.clear")),
    );
  };
  draw();
  return { el, leave: onPicked(draw) };
}
