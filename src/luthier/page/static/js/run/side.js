// Beneath the objective, over the same steps: live parameters, gradients, any other metric.
import { fill, h } from "../dom.js";
import { number, short } from "../format.js";
import { t } from "../i18n.js";
import { recall, remember } from "../memory.js";
import { whenChanged } from "./changed.js";
import { lineColor } from "./ink.js";
import { nearest } from "./objective.js";
import { curve, family, stepsOf, wantsLog } from "./series.js";

const HEIGHT_PX = 112;
const SOUGHT = [
  /^probe\/grad_norm$|^probe\/grad_norm_max$|^grad_norm$/,
  /^probe\/update_ratio$|^probe\/update_ratio_max$|^update_ratio$/,
];
const MEMORY = "run.metrics";

/** The panels. `update(run, curves)` draws; after `know(metrics)`, `wanted()` names those to be fetched. */
export function createSide(stack, { objective, onChoose }) {
  const charts = h("div", { class: "side-charts" });
  const chooser = h("select", { "aria-label": t("run.add"), onChange: () => toggle(chooser.value) });
  const root = h(
    "section",
    { class: "panel side" },
    h("header", {}, h("h2", {}, t("run.beneath")), h("span", { class: "grow" }), chooser),
    charts,
  );
  let chosen = recall(MEMORY); // null: the usual ones
  let rows = new Map();
  let known = [];
  let step = null;

  const usual = () => SOUGHT.map((sought) => known.find((name) => sought.test(name))).filter(Boolean);
  const wanted = () => (chosen ?? usual()).filter((name) => known.includes(name));

  const offer = whenChanged(
    (...given) => given,
    (all, shown) => {
      fill(
        chooser,
        h("option", { value: "" }, t("run.add")),
        all.map((name) => h("option", { value: name }, (shown.includes(name) ? "✓ " : "") + name)),
      );
      chooser.value = "";
    },
  );

  function toggle(name) {
    if (!name) return;
    const now = wanted();
    chosen = now.includes(name) ? now.filter((n) => n !== name) : [...now, name];
    remember(MEMORY, chosen);
    chooser.value = "";
    onChoose();
  }

  function row(key, title, closable) {
    const value = h("b", {});
    const host = h("div");
    const close =
      closable &&
      h(
        "button",
        { class: "ghost small", "aria-label": t("run.remove", { name: title }), onClick: () => toggle(key) },
        "×",
      );
    const swatch = h("i", { class: "swatch" });
    const box = h(
      "div",
      { class: "side-chart" },
      h(
        "div",
        { class: "side-head" },
        h("span", { class: "key" }, swatch, title, value),
        h("span", { class: "grow" }),
        close,
      ),
      host,
    );
    charts.append(box);
    const made = stack.add(host, { height: HEIGHT_PX, label: title });
    return { box, value, swatch, line: null, log: false, ...made };
  }

  function draw(key, title, line, color, log, closable) {
    const one = rows.get(key) ?? row(key, title, closable);
    rows.set(key, one);
    Object.assign(one, { line });
    one.swatch.style.background = color;
    one.chart.options.xRange = stack.range;
    if (one.log !== log) {
      one.log = log;
      one.chart.change({ yLog: log });
    }
    one.chart.set([{ ...line, key, color, width: 1.6, plain: true }]);
  }

  function know(metrics) {
    const shared = family(metrics, objective);
    known = metrics.filter((name) => !shared.includes(name)).sort();
  }

  function update(run, curves) {
    know(run.metrics);
    const names = wanted().filter((name) => name in curves.metrics);
    const numeric = run.live.filter((live) => typeof live.value === "number");
    const keys = new Set([...numeric.map((live) => `p ${live.name}`), ...names]);
    for (const [key, one] of rows) {
      if (keys.has(key)) continue;
      one.remove();
      one.box.remove();
      rows.delete(key);
    }
    numeric.forEach((live, i) => {
      const line = { stepped: true, ...stepsOf(live.name, live.value, run.entries, number(run.step) ?? 0) };
      draw(`p ${live.name}`, live.name, line, lineColor(i + 2), Boolean(live.log) && line.y.every((v) => v > 0), false);
    });
    for (const name of names) {
      const line = curve(curves.metrics[name]);
      draw(name, name, line, lineColor(5), wantsLog(line.y), true);
    }
    offer(known, wanted());
    root.hidden = !rows.size && !known.length;
    readAt(step);
  }

  function readAt(at) {
    step = at;
    for (const { line, value } of rows.values()) {
      const index = line.stepped && at !== null ? line.x.findLastIndex((x) => x <= at) : nearest(line.x, at);
      value.textContent = short(line.y[index] ?? null);
    }
  }

  return { root, update, readAt, wanted, know };
}
