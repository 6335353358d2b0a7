// Parameters and results of the compared runs, one column per run.
import { h } from "../dom.js";
import { count, duration, short, value } from "../format.js";
import { t } from "../i18n.js";
import { runHref } from "../route.js";

const same = (list) => list.every((v) => JSON.stringify(v ?? null) === JSON.stringify(list[0] ?? null));

/** The table. `members`: [{study, run, row, info, color}]; `drop(member)` takes one out. */
export function compareTable(members, { differing, drop }) {
  const names = [...new Set(members.flatMap((m) => [...m.info.space.map((p) => p.name), ...Object.keys(m.row.params)]))];
  const several = !same(members.map((m) => m.study));
  const line = (name, cells, { term = null, differs = false, marked = -1, num = true } = {}) =>
    h("tr", { class: differs ? "differs" : "" },
      h("th", { scope: "row" }, term ? h("a", { href: `#/k/${encodeURIComponent(term)}`, title: t("table.explain", { name }) }, name) : name),
      cells.map((cell, k) => h("td", { class: num ? "num" : "" }, cell, k === marked ? h("span", { class: "star", title: t("table.best") }, " ★") : null)));
  const params = names.map((name) => {
    const values = members.map((m) => m.row.params[name]);
    const differs = !same(values);
    const term = members.map((m) => m.info.space.find((p) => p.name === name)?.term).find(Boolean);
    return differs || !differing ? line(name, values.map(value), { term, differs }) : null;
  }).filter(Boolean);
  // A best among runs means something only when they are after the same thing.
  const rivals = same(members.map((m) => [m.info.metric, m.info.goal]));
  const best = rivals ? winner(members) : -1;
  const span = members.length + 1;
  return h("table", { class: "compare-table" },
    h("thead", {}, h("tr", {}, h("td"), members.map((m) => h("th", { scope: "col", class: "num" },
      h("span", { class: "dot", style: { background: m.color } }), " ",
      h("a", { href: runHref(m.study, m.run) }, t("nav.run", { run: m.run })),
      h("button", { class: "drop", title: t("compare.drop", { run: m.run }), "aria-label": t("compare.drop", { run: m.run }), onClick: () => drop(m) }, "×"))))),
    h("tbody", {},
      several ? line(t("compare.study"), members.map((m) => m.study), {}) : null,
      h("tr", { class: "part" }, h("th", { colSpan: span, scope: "rowgroup" }, t("compare.results"))),
      line(t("col.state"), members.map((m) => h("span", { class: `state ${m.row.state}` }, t(`state.${m.row.state}`)))),
      line(rivals ? members[0].info.metric : t("studies.best"), members.map((m) => short(m.row.best)), { marked: best }),
      line(t("col.best_step"), members.map((m) => count(m.row.best_step))),
      line(t("col.last"), members.map((m) => short(m.row.last))),
      line(t("col.step"), members.map((m) => count(m.row.step))),
      line(t("col.train_s"), members.map((m) => duration(m.row.train_s))),
      h("tr", { class: "part" }, h("th", { colSpan: span, scope: "rowgroup" }, t("compare.params"))),
      params.length ? params : h("tr", {}, h("td", { class: "quiet", colSpan: span }, t("compare.same")))));
}

function winner(members) {
  const up = members[0].info.goal === "maximize";
  let best = -1;
  members.forEach((m, k) => {
    const mine = m.row.best;
    if (!Number.isFinite(mine)) return;
    if (best < 0 || (up ? mine > members[best].row.best : mine < members[best].row.best)) best = k;
  });
  return members.length > 1 ? best : -1;
}
