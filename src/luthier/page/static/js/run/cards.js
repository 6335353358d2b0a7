// One action, whole: who, when, why, what it changed, what came of it.
import { h } from "../dom.js";
import { count, moment } from "../format.js";
import { because, t } from "../i18n.js";
import { icon } from "./icons.js";
import { isRollback } from "./series.js";
import { authorWords, changed, fateWords, kindWords, outcomeClass, verdictWords } from "./words.js";

/** From which run to which a fork went, and values before and after, one line each. */
export function changesOf(entry) {
  const way = entry.parent ? [h("div", {}, entry.parent, " → ", h("b", {}, entry.run))] : [];
  return [...way, ...changed(entry).map(([name, before, after]) =>
    h(
      "div",
      { class: "changed-value" },
      h("span", { class: "quiet" }, name),
      " ",
      before,
      " → ",
      h("b", {}, after || "–"),
    ),
  )];
}

/** The verdict as a coloured sentence; null where there is none. */
export function verdictOf(entry, metric) {
  if (!entry.verdict) return null;
  return h("span", { class: `verdict ${outcomeClass(entry.verdict)}` }, verdictWords(entry.verdict, metric));
}

/** Whether taking this back makes sense: it changed values or went back. */
export const undoable = (entry) => entry.state === "obeyed" && (entry.kind === "change" || isRollback(entry));

/** The card. `onUndo(entry)` is null for who may not act. */
export function card(entry, metric, onUndo) {
  return h(
    "article",
    { class: "entry-card" },
    h(
      "header",
      {},
      icon(entry.kind),
      h("b", {}, kindWords(entry.kind)),
      h("span", { class: "quiet" }, `#${entry.number}`),
      h("span", { class: `author by-${entry.author}` }, authorWords(entry.author)),
    ),
    h(
      "p",
      { class: "quiet small" },
      [
        moment(entry.time_s),
        entry.step !== null && t("run.at", { step: count(entry.step) }),
        entry.state !== "obeyed" && fateWords(entry.state),
      ]
        .filter(Boolean)
        .join(" · "),
    ),
    changesOf(entry),
    entry.reason && h("p", { class: "reason" }, because(entry.reason)),
    entry.why && h("p", { class: entry.state === "refused" ? "bad small" : "small" }, entry.why),
    verdictOf(entry, metric),
    onUndo &&
      undoable(entry) &&
      h("button", { class: "small-button", onClick: () => onUndo(entry) }, icon("rollback"), t("diary.undo")),
  );
}
