// The diary: every action on the run, newest first.
import { fill, h } from "../dom.js";
import { count, moment } from "../format.js";
import { because, t } from "../i18n.js";
import { changesOf, undoable, verdictOf } from "./cards.js";
import { whenChanged } from "./changed.js";
import { icon } from "./icons.js";
import { authorWords, fateWords, kindWords } from "./words.js";

const COLUMNS = ["number", "time", "step", "author", "kind", "change", "reason", "verdict"];

/** `update(entries, mayAct)`; `onUndo(entry)` asks to go back to before it. */
export function createDiary(metric, onUndo) {
  const body = h("tbody", {});
  const none = h("p", { class: "body quiet" }, t("diary.none"));
  const table = h(
    "table",
    { class: "diary" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        COLUMNS.map((c) =>
          h("th", { class: c === "number" || c === "step" ? "num" : "", scope: "col" }, t(`diary.${c}`)),
        ),
        h("th", {}, h("span", { class: "sr" }, t("diary.undo"))),
      ),
    ),
    body,
  );
  const root = h(
    "section",
    { class: "panel diary-panel" },
    h("header", {}, h("h2", {}, t("diary.title"))),
    none,
    h("div", { class: "scroll" }, table),
  );

  const update = whenChanged(
    (...given) => given,
    (entries, mayAct) => {
      none.hidden = entries.length > 0;
      table.hidden = entries.length === 0;
      fill(
        body,
        [...entries].sort((a, b) => b.number - a.number).map((entry) => row(entry, mayAct)),
      );
    },
  );

  function row(entry, mayAct) {
    const cell = (name, props, ...children) => h("td", { ...props, dataset: { label: t(`diary.${name}`) } }, children);
    const told =
      entry.state === "obeyed" ? null : h("span", { class: `fate-pill is-${entry.state}` }, fateWords(entry.state));
    return h(
      "tr",
      { class: `is-${entry.state}`, dataset: { number: String(entry.number) } },
      cell("number", { class: "num quiet" }, entry.number),
      cell("time", { class: "quiet" }, moment(entry.time_s)),
      cell("step", { class: "num" }, entry.step === null ? "–" : count(entry.step)),
      cell("author", {}, h("span", { class: `author by-${entry.author}` }, authorWords(entry.author))),
      cell("kind", { class: "kind" }, icon(entry.kind), " ", kindWords(entry.kind), " ", told),
      cell("change", { class: "mono" }, changesOf(entry)),
      cell(
        "reason",
        { class: "reason" },
        entry.reason && because(entry.reason),
        entry.why && h("div", { class: entry.state === "refused" ? "bad small" : "quiet small" }, entry.why),
      ),
      cell("verdict", {}, verdictOf(entry, metric)),
      h(
        "td",
        {},
        mayAct &&
          undoable(entry) &&
          h(
            "button",
            {
              class: "ghost small",
              title: t("diary.undo.of", { number: entry.number }),
              "aria-label": t("diary.undo.of", { number: entry.number }),
              onClick: () => onUndo(entry),
            },
            icon("rollback"),
          ),
      ),
    );
  }
  return { root, update };
}
