// What is told of a run that the pointer is over.
import { h } from "../dom.js";
import { count, short, value } from "../format.js";
import { because, t } from "../i18n.js";

/** The run, a point of its curve, and its parameters. `point`: [[name, text], …]. */
export function runTip(row, point, color = null) {
  return h("div", {},
    h("div", { class: "row" }, color ? h("i", { class: "dot", style: { color } }) : null,
      h("b", {}, t("nav.run", { run: row.id })), h("span", { class: `state ${row.state}` }, t(`state.${row.state}`))),
    h("table", {}, h("tbody", {},
      point.map(([name, text]) => h("tr", {}, h("td", { class: "quiet" }, name), h("td", {}, h("b", {}, text)))),
      Object.entries(row.params).map(([name, param]) =>
        h("tr", {}, h("td", { class: "quiet" }, name), h("td", {}, value(param)))))),
    row.reason ? h("div", { class: "quiet" }, because(row.reason)) : null);
}

/** The lines for a point of a curve. */
export const atPoint = (metric, x, y, xName) => [[metric, short(y)], [t(`axis.${xName}`), count(x)]];
