// The objective and what shares its axis, with all that was done to the run.
import { css } from "../colors.js";
import { search } from "../chart.js";
import { fill, h } from "../dom.js";
import { count, number, numbers, short } from "../format.js";
import { t } from "../i18n.js";
import { lineColor } from "./ink.js";
import { createLane } from "./lane.js";
import { createRail } from "./rail.js";
import { curve, family, wantsLog } from "./series.js";
import { rangeOf } from "./stack.js";

const HEIGHT_PX = 320;
const MOST_LINES = 4;

/**
 * The panel. `update(run, curves)` draws, `readAt(step | null)` tells the values there;
 * `onCheckpoint(anchor, checkpoint)` is a click on the rail, `cards(entries)` what a glyph shows.
 */
export function createObjective(stack, { objective, onCheckpoint, cards }) {
  const readout = h("div", { class: "readout" });
  const logBox = h("button", { class: "small-button", onClick: () => setLog(!useLog()) }, t("run.log"));
  const unzoom = h("button", { class: "small-button", hidden: true, onClick: () => stack.zoom(null) }, t("run.unzoom"));
  const none = h("p", { class: "no-reports quiet" }, t("run.no.reports", { metric: objective }));
  const host = h("div", { class: "chart-host" }, none);
  const lane = createLane(cards);
  const rail = createRail(onCheckpoint);
  const root = h(
    "section",
    { class: "panel run-chart" },
    h("header", {}, h("h2", {}, objective), readout, h("span", { class: "grow" }), unzoom, logBox),
    lane.root,
    host,
    rail.root,
  );

  let now = empty();
  let log = null; // null: as the values ask for
  let built = null;
  let step = null;
  const useLog = () => (log ?? now.wantsLog) && now.mayLog;
  const { chart } = stack.add(host, {
    height: HEIGHT_PX,
    label: t("run.chart.label", { metric: objective }),
    under: (on) => paintUnder(on, now, useLog()),
    over: (on) => {
      paintMarks(on, now);
      lane.place(on.plot, now.entries);
      rail.place(on.plot, now.checkpoints, now.step);
    },
  });

  function setLog(wanted) {
    log = wanted;
    draw();
  }

  function draw() {
    const logs = useLog();
    logBox.disabled = !now.mayLog;
    logBox.ariaPressed = String(logs);
    chart.options.yRange = rangeOf(
      now.lines.map((l) => l.y),
      now.beside,
      logs,
    );
    chart.options.xRange = stack.range;
    if (built !== logs) {
      built = logs;
      chart.change({ yLog: logs });
    }
    chart.set(now.lines.map((line, i) => ({ ...line, key: line.name, color: lineColor(i), width: 2, plain: true })));
    readAt(step);
  }

  function readAt(at) {
    step = at;
    const parts = now.lines.map((line, i) => {
      const index = nearest(line.x, at);
      const swatch = h("i", { class: "swatch", style: { background: lineColor(i) } });
      return h("span", { class: "key" }, swatch, line.name, h("b", {}, short(line.y[index] ?? null)));
    });
    const first = now.lines[0];
    none.hidden = Boolean(first?.x.length);
    const shown = first?.x.length ? first.x[nearest(first.x, at)] : null;
    fill(
      readout,
      shown !== null && h("span", { class: "key" }, t("run.at", { step: count(shown) })),
      parts,
      now.forecast && h("span", { class: "key" }, h("i", { class: "swatch dashed" }), t("run.forecast")),
      now.branches.length > 0 && h("span", { class: "key" }, h("i", { class: "swatch dotted" }), t("run.branches")),
    );
  }

  return {
    root,
    readAt,
    onZoom: (zoomed) => (unzoom.hidden = !zoomed),
    update(run, curves) {
      now = prepared(run, curves, objective);
      draw();
    },
  };
}

const empty = () => ({
  lines: [],
  branches: [],
  forecast: null,
  beside: [],
  wantsLog: false,
  mayLog: false,
  entries: [],
  checkpoints: [],
  step: 0,
});

function prepared(run, curves, objective) {
  const names = family(Object.keys(curves.metrics), objective)
    .filter((n) => n in curves.metrics)
    .slice(0, MOST_LINES);
  const lines = names.map((name) => ({ ...curve(curves.metrics[name]), name }));
  const branches = (curves.branches ?? [])
    .filter((b) => names.includes(b.metric))
    .map((b) => ({ ...curve(b), line: names.indexOf(b.metric) }));
  const told = curves.forecast;
  const forecast = told && {
    x: numbers(told.x),
    mean: numbers(told.mean),
    low: numbers(told.low),
    high: numbers(told.high),
  };
  const values = lines.flatMap((line) => line.y);
  return {
    lines,
    branches,
    forecast,
    beside: [...branches.map((b) => b.y), ...(forecast ? [forecast.mean] : [])],
    wantsLog: wantsLog(values),
    mayLog: values.some((v) => v > 0) && !values.some((v) => v <= 0),
    entries: run.entries,
    checkpoints: run.checkpoints,
    step: number(run.step) ?? 0,
  };
}

/** The index of the x next to `at`; the last one if nothing is pointed at. */
export function nearest(x, at) {
  if (at === null || !x.length) return x.length - 1;
  const right = search(x, at);
  return right > 0 && at - x[right - 1] < x[right] - at ? right - 1 : right;
}

function paintUnder(chart, now, log) {
  const { ctx, box, ratio } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.left, box.top, box.width, box.height);
  ctx.clip();
  const floor = box.top + box.height;
  const toY = (v) => (log && v <= 0 ? floor : chart.toY(v));
  const trace = (x, y) => {
    let open = false;
    ctx.beginPath();
    for (let k = 0; k < x.length; k += 1) {
      if (!Number.isFinite(y[k])) open = false;
      else (ctx[open ? "lineTo" : "moveTo"](chart.toX(x[k]), toY(y[k])), (open = true));
    }
    ctx.stroke();
  };
  if (now.forecast) {
    const { x, mean, low, high } = now.forecast;
    ctx.fillStyle = ctx.strokeStyle = lineColor(0);
    ctx.globalAlpha = 0.14;
    ctx.beginPath();
    for (let k = 0; k < x.length; k += 1) ctx.lineTo(chart.toX(x[k]), toY(high[k]));
    for (let k = x.length - 1; k >= 0; k -= 1) ctx.lineTo(chart.toX(x[k]), toY(low[k]));
    ctx.closePath();
    ctx.fill();
    ctx.globalAlpha = 0.75;
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash([6 * ratio, 4 * ratio]);
    trace(x, mean);
  }
  ctx.globalAlpha = 0.55;
  ctx.lineWidth = 1.5 * ratio;
  ctx.setLineDash([3 * ratio, 2 * ratio]);
  for (const { x, y, line } of now.branches) {
    ctx.strokeStyle = lineColor(line);
    trace(x, y);
  }
  ctx.restore();
}

function paintMarks(chart, { entries }) {
  const { ctx, box, ratio } = chart;
  ctx.save();
  ctx.lineWidth = ratio;
  for (const { step, state, author } of entries) {
    if (step === null || state !== "obeyed") continue;
    const x = Math.round(chart.toX(step)) + 0.5;
    if (x < box.left || x > box.left + box.width) continue;
    const human = author === "human";
    ctx.strokeStyle = css(human ? "accent" : "faint");
    ctx.globalAlpha = human ? 0.7 : 0.5;
    ctx.setLineDash(human ? [] : [3 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, box.top - 4 * ratio);
    ctx.lineTo(x, box.top + box.height);
    ctx.stroke();
  }
  ctx.restore();
}
