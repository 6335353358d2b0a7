// The objective and what shares its axis, with all that was done to the run.
import { fill, h } from "../dom.js";
import { count, short } from "../format.js";
import { t } from "../i18n.js";
import { createLane } from "./lane.js";
import { createRail } from "./rail.js";
import { curve, extent, family, wantsLog } from "./series.js";
import { ink, join } from "./stack.js";

const HEIGHT_PX = 320;
const LINES = ["--line-1", "--line-2", "--line-3", "--line-4"];
const BRANCH_SHARE = 0.6; // a branch that was given up may widen the axis by this share, no more

/** The chart. `update(run, curves)` draws; `onCheckpoint(anchor, checkpoint)`, `cards(entries)`. */
export function createObjective(stack, { objective, onCheckpoint, cards }) {
  const readout = h("div", { class: "readout" });
  const logBox = h("button", { type: "button", class: "quiet toggle", onclick: () => setLog(!log) }, t("run.log"));
  const unzoom = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => stack.zoom(null) }, t("run.unzoom"));
  const host = h("div", { class: "plot", role: "img", "aria-label": t("run.chart.label", { metric: objective }) });
  const lane = createLane(cards);
  const rail = createRail(onCheckpoint);
  const root = h("section", { class: "card chart-card", "aria-label": objective },
    h("div", { class: "chart-head" }, h("h2", {}, objective), readout, h("span", { class: "grow" }), unzoom, logBox),
    lane.root, host, rail.root);

  let chart = null;
  let shape = "";
  let log = null; // null: as the values ask for
  let drawn = null;
  stack.onZoom = () => (unzoom.hidden = !stack.isZoomed);

  function setLog(wanted) {
    log = wanted;
    if (drawn) draw(drawn);
  }

  function draw(now) {
    drawn = now;
    const useLog = (log ?? now.wantsLog) && now.mayLog;
    logBox.disabled = !now.mayLog;
    logBox.setAttribute("aria-pressed", String(useLog));
    const next = [useLog, now.names.join(), now.branches.length, Boolean(now.forecast)].join("|");
    const data = join(now.tables);
    if (chart && next === shape) chart.set(data);
    else {
      chart?.remove();
      shape = next;
      chart = stack.chart(host, {
        height_px: HEIGHT_PX,
        log: useLog,
        data,
        series: seriesOf(now),
        bands: now.forecast ? [bandOf(now)] : [],
        range: (low, high) => widened(low, high, drawn, useLog),
        draw: (u) => paint(u, drawn),
        onCursor: (u, index) => read(u, index),
        onDrawn: (u) => {
          lane.place(u, drawn.entries);
          rail.place(u, drawn.checkpoints, drawn.step);
        },
      });
    }
    read(chart.u, null);
  }

  function read(u, index) {
    const names = drawn.names;
    const at = index ?? lastIndex(u.data, names.length);
    const parts = names.map((name, i) => {
      const column = u.data[i + 1];
      let j = at;
      while (j > 0 && (column?.[j] === undefined || column?.[j] === null)) j -= 1;
      return h("span", { class: "key" },
        h("i", { class: `swatch line-${i + 1}` }), `${name} `, h("b", {}, short(column?.[j] ?? null)));
    });
    const step = u.data[0]?.[at];
    fill(readout, h("span", { class: "key at" }, step === undefined ? "" : t("run.at", { step: count(step) })), parts,
      drawn.forecast && h("span", { class: "key dim" }, h("i", { class: "swatch forecast" }), t("run.forecast")),
      drawn.branches.length > 0 && h("span", { class: "key dim" }, h("i", { class: "swatch branch" }), t("run.branches")));
  }

  return {
    root,
    setLog,
    update: (run, curves, maxSteps) => draw(prepared(run, curves, objective, maxSteps)),
    close: () => chart?.remove(),
  };
}

function prepared(run, curves, objective, maxSteps) {
  const known = family(Object.keys(curves.metrics), objective).slice(0, LINES.length);
  const names = known.filter((name) => name in curves.metrics);
  const lines = names.map((name) => curve(curves.metrics[name]));
  const branches = (curves.branches ?? []).filter((b) => names.includes(b.metric)).map((b) => ({ ...curve(b), metric: b.metric }));
  const forecast = curves.forecast && curve({ x: curves.forecast.x, y: curves.forecast.mean });
  const tables = [...lines, ...branches].map(({ x, y }) => [x, y]);
  if (forecast) {
    const { x, low, high } = curves.forecast;
    tables.push([forecast.x, forecast.y, curve({ x, y: low }).y, curve({ x, y: high }).y]);
  }
  const values = lines.flatMap((line) => line.y);
  return {
    names,
    lines,
    branches,
    forecast,
    tables: tables.length ? tables : [[[0], [null]]],
    branchExtent: extent(branches.map((b) => b.y)),
    forecastExtent: forecast && extent([forecast.y]),
    bad: lines.flatMap((line) => line.bad),
    wantsLog: wantsLog(values),
    mayLog: values.some((v) => v > 0) && !values.some((v) => v !== null && v <= 0),
    entries: run.entries,
    checkpoints: run.checkpoints,
    step: run.step,
    maxSteps,
  };
}

function seriesOf(now) {
  const colour = (name) => LINES[now.names.indexOf(name)];
  const lines = now.names.map((name) => ({ stroke: () => ink(colour(name)), width: 2, points: { size: 5 } }));
  if (!lines.length && !now.branches.length && !now.forecast) return [{}];
  const branches = now.branches.map((branch) => ({
    stroke: () => ink(colour(branch.metric)), alpha: 0.4, width: 1.5, dash: [3, 3], auto: false, points: { show: false },
  }));
  const faint = { width: 0, auto: false, points: { show: false } };
  const forecast = now.forecast
    ? [{ stroke: () => ink(LINES[0]), alpha: 0.8, width: 1.5, dash: [7, 5], auto: false, points: { show: false } }, faint, faint]
    : [];
  return [...lines, ...branches, ...forecast];
}

function bandOf(now) {
  const mean = 1 + now.names.length + now.branches.length;
  return { series: [mean + 2, mean + 1], fill: () => ink("--line-1-soft") };
}

function widened(low, high, now, log) {
  if (low === null) return now.branchExtent ?? now.forecastExtent ?? [null, null];
  const room = log ? 0 : (high - low) * BRANCH_SHARE;
  const most = log ? high * (high / low) ** BRANCH_SHARE : high + room;
  const least = log ? low / (high / low) ** BRANCH_SHARE : low - room;
  for (const [bottom, top] of [now.branchExtent, now.forecastExtent].filter(Boolean)) {
    high = Math.max(high, Math.min(top, most));
    low = Math.min(low, Math.max(bottom, least));
  }
  return [low, high];
}

function paint(u, now) {
  const { ctx, bbox } = u;
  const at = (step) => Math.round(u.valToPos(step, "x", true)) + 0.5;
  const inside = (x) => x >= bbox.left - 1 && x <= bbox.left + bbox.width + 1;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  for (const entry of now.entries) {
    if (entry.step === null || entry.state !== "obeyed") continue;
    const x = at(entry.step);
    if (!inside(x)) continue;
    ctx.strokeStyle = ink(entry.author === "human" ? "--mark-human" : "--mark-other");
    ctx.setLineDash(entry.author === "human" ? [] : [3 * devicePixelRatio, 3 * devicePixelRatio]);
    line(ctx, x, bbox.top, x, bbox.top + bbox.height);
  }
  ctx.setLineDash([]);
  ctx.strokeStyle = ink("--bad");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  const size = 3 * devicePixelRatio;
  for (const step of now.bad) {
    const x = at(step);
    if (!inside(x)) continue;
    const y = bbox.top + 2 * size;
    line(ctx, x - size, y - size, x + size, y + size);
    line(ctx, x - size, y + size, x + size, y - size);
  }
  ctx.restore();
}

function line(ctx, x0, y0, x1, y1) {
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

function lastIndex(data, n) {
  for (let i = data[0].length - 1; i >= 0; i -= 1) {
    if (data.slice(1, n + 1).some((column) => column[i] !== undefined && column[i] !== null)) return i;
  }
  return 0;
}
