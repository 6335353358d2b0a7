// How many runs stand where, as one bar of colours.
import { h } from "../dom.js";
import { count } from "../format.js";
import { t } from "../i18n.js";

/** The states of runs in the order in which they are always shown. */
export const STATES = ["running", "completed", "paused", "stopped", "failed", "lost", "pending"];

/** A bar of the counts {state: n}. */
export function statesBar(counts) {
  const shown = STATES.filter((state) => counts[state]);
  const words = shown.map((state) => `${t(`state.${state}`)} ${count(counts[state])}`).join(", ");
  return h("div", { class: "states", role: "img", "aria-label": words, title: words },
    shown.map((state) => h("i", { class: state, style: { flexGrow: counts[state] } })));
}
