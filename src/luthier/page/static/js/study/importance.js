// How much each parameter matters to the objective, with the uncertainty of that, and what of the
// space looks wrong by now.
import { get } from "../api.js";
import { fill, h, throttle } from "../dom.js";
import { count, number, value } from "../format.js";
import { t } from "../i18n.js";

const EVERY_MS = 20000;

/** The panel. Returns {el, leave}. */
export function importancePanel(data) {
  const note = h("span", { class: "quiet small" });
  const body = h("div", { class: "body importance" });
  const el = h("section", { class: "panel", "aria-label": t("importance.title") },
    h("header", {}, h("h2", {}, t("importance.title")), note), body);
  let gone = false;
  async function load() {
    try {
      const answer = await get(data.path("importance"));
      if (gone) return;
      draw(answer);
    } catch (error) {
      if (!gone) fill(body, h("p", { class: "quiet" }, error.message));
    }
  }
  function draw({ n, least, rows, misjudged }) {
    note.textContent = rows.length ? t("importance.of", { n: count(n) }) : "";
    if (!rows.length) {
      fill(body, h("p", { class: "quiet" }, t("importance.none", { n: count(n), least: count(least) })), misjudged.map(wrong));
      return;
    }
    const read = rows.map((row) => ({ name: row.name, value: number(row.importance) ?? 0, error: number(row.error) ?? 0 }))
      .sort((a, b) => b.value - a.value);
    const most = Math.max(...read.map((row) => row.value + row.error), 1e-9);
    const share = (v) => `${Math.max(0, Math.min(1, v / most)) * 100}%`;
    const percent = (v) => `${(v * 100).toFixed(v < 0.1 ? 1 : 0)}\u202f%`;
    fill(body, h("table", {}, h("tbody", {}, read.map((row) => {
      const { term } = data.info.space.find((p) => p.name === row.name) ?? {};
      return h("tr", {},
        h("th", { scope: "row", class: "cut" }, term ? h("a", { href: `#/k/${encodeURIComponent(term)}` }, row.name) : row.name),
        h("td", { class: "track" }, h("div", { class: "importance-bar" },
          h("i", { class: "value", style: { width: share(row.value) } }),
          h("i", { class: "whisker", style: { left: share(row.value - row.error), right: `calc(100% - ${share(row.value + row.error)})` } }))),
        h("td", { class: "num" }, percent(row.value), h("span", { class: "faint" }, ` ± ${percent(row.error)}`)));
    }))), misjudged.map(wrong), h("p", { class: "quiet small" }, t("importance.how")));
  }
  function wrong({ name, what, stated, lowest, highest, n_there, n_best }) {
    const there = lowest === highest ? value(lowest) : t("misjudged.there", { low: value(lowest), high: value(highest) });
    const key = what === "prior" ? "misjudged.prior" : "misjudged.range";
    return h("p", { class: "small" }, t(key, { name, stated: value(stated), there, n: count(n_there), of: count(n_best) }));
  }
  const later = throttle(load, EVERY_MS);
  data.on("rows", (rows) => {
    if (rows.some((row) => !["running", "pending"].includes(row.state))) later();
  });
  data.on("reset", load);
  load();
  return {
    el,
    leave() {
      gone = true;
      later.cancel();
    },
  };
}
