// The columns of the table of runs.
import { h } from "../dom.js";
import { count, duration, short, value } from "../format.js";
import { because, t } from "../i18n.js";
import { recall, remember } from "../memory.js";

const HIDDEN = ["trial", "last", "best_step"];

const widthFor = (name, least) => Math.max(least, Math.min(160, name.length * 8.6 + 34)); // px

/** All columns of a study: {key, title, width px, num, sort (name for the server) | null, cell(row)}. */
export function allColumns(data) {
  const { info } = data;
  const word = (key) => t(`col.${key}`);
  const own = [
    { key: "id", title: word("id"), width: 92, sort: "id", cell: (row) => row.id },
    { key: "state", title: word("state"), width: 108, sort: "state", cell: (row) => h("span", { class: `state ${row.state}` }, t(`state.${row.state}`), row.held ? h("span", { class: "faint", title: t("col.held") }, "✋") : null) },
    { key: "best", title: info.metric, width: widthFor(info.metric, 104), num: true, sort: "best", cell: (row) => short(row.best) },
    { key: "last", title: word("last"), width: 84, num: true, sort: "last", cell: (row) => short(row.last) },
    { key: "best_step", title: word("best_step"), width: 84, num: true, sort: null, cell: (row) => count(row.best_step) },
    { key: "step", title: word("step"), width: 84, num: true, sort: "step", cell: (row) => [count(row.step), h("span", { class: "faint" }, `/${count(info.max_steps)}`)] },
    { key: "train_s", title: word("train_s"), width: 84, num: true, sort: "train_s", cell: (row) => duration(row.train_s) },
    { key: "trial", title: word("trial"), width: 64, num: true, sort: "trial", cell: (row) => row.trial },
  ];
  const params = info.space.map((p) => ({
    key: `p.${p.name}`, title: p.name, width: widthFor(p.name, 88) + (p.term ? 12 : 0), num: p.kind !== "choice",
    sort: `p.${p.name}`, term: p.term, cell: (row) => (p.name in row.params ? value(row.params[p.name]) : h("span", { class: "faint" }, "–")),
  }));
  const reason = { key: "reason", title: word("reason"), width: 320, sort: null, cell: (row) => h("span", { class: row.error ? "bad" : "quiet", title: row.error || because(row.reason) }, row.error || because(row.reason)) };
  return [...own, ...params, reason];
}

/** Which columns are shown; `onChange()` when that changes. Returns {el, shown()}. */
export function columnsMenu(data, onChange) {
  const all = allColumns(data);
  const key = `columns.${data.name}`;
  const hidden = new Set(recall(key) ?? [...HIDDEN, ...data.info.space.slice(12).map((p) => `p.${p.name}`)]);
  const el = h("details", { class: "menu" }, h("summary", {}, t("table.columns")), h("div", {},
    all.filter((c) => c.key !== "id").map((column) => h("label", {}, h("input", {
      type: "checkbox", checked: !hidden.has(column.key), onChange: (event) => {
        if (event.target.checked) hidden.delete(column.key);
        else hidden.add(column.key);
        remember(key, [...hidden]);
        onChange();
      },
    }), column.title))));
  el.addEventListener("keydown", (event) => {
    if (event.key === "Escape") el.open = false;
  });
  el.addEventListener("focusout", (event) => {
    if (!el.contains(event.relatedTarget)) el.open = false;
  });
  return { el, shown: () => all.filter((c) => !hidden.has(c.key)) };
}
