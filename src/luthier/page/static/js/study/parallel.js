// Parallel coordinates: one line per trial through all its parameters to its best value. A brush on an axis
// filters the whole view.
import { createCanvas, cut, font } from "../canvas.js";
import { css } from "../colors.js";
import { h } from "../dom.js";
import { short } from "../format.js";
import { t } from "../i18n.js";
import { runHref } from "../route.js";
import { splits } from "../ticks.js";
import { objectiveAxis, paramAxis } from "./axes.js";
import { brushOf } from "./brush.js";
import { runTip } from "./tip.js";

const TALL = 300;
const TOP = 44;
const FOOT = 26;
const SIDE = 48;
const APART = 104; // px between axes at least; beyond that the panel scrolls
const GRIP = 18; // px beside an axis that belong to it
const NEAR = 6;
const FEW = 400; // lines up to which each is drawn with care
const MOST = 1600; // lines drawn at most

/** The panel. Returns {el, leave}. */
export function parallelPanel(data, colors, points) {
  const { space, metric, goal } = data.info;
  const holder = h("div", { class: "parallel" });
  const el = h("section", { class: "panel", hidden: space.length === 0, "aria-label": t("parallel.title") },
    h("header", {}, h("h2", {}, t("parallel.title")), h("span", { class: "quiet small" }, t("parallel.hint"))),
    h("div", { class: "body scroll" }, holder));
  const tip = h("div", { class: "tip", hidden: true });
  holder.append(tip);
  let axes = [];
  let lines = []; // {row, ys: [y px | null per axis]}
  let drag = null; // {k, from, to} in u while the pointer is down
  const height = TALL;

  const label = t("parallel.aria", { n: space.length });
  const board = createCanvas(holder, { height, least: SIDE * 2 + APART * space.length, label }, paint, over);
  const { canvas } = board;

  const x = (k) => SIDE + (k * (board.width() - 2 * SIDE)) / Math.max(1, axes.length - 1);
  const y = (u) => height - FOOT - u * (height - TOP - FOOT);
  const fromY = (py) => Math.max(0, Math.min(1, (height - FOOT - py) / (height - TOP - FOOT)));
  // Better is up on the last axis.
  const flipped = (axis) => Boolean(axis.objective) && goal !== "maximize";
  const nameOf = (axis) => (axis.objective ? "best" : axis.name);
  const place = (axis, v) => {
    const u = axis.at(v);
    return u !== null && flipped(axis) ? 1 - u : u;
  };
  const read = (axis, row) => (axis.objective ? row.best : row.params[axis.name] ?? null);

  function measure() {
    axes = space.map((spec) => paramAxis(spec, points.all.map((row) => row.params[spec.name] ?? null)));
    axes.push({ ...objectiveAxis(metric, points.all.map((row) => row.best), data.better), objective: true });
    for (const axis of axes) axis.gaps = !axis.objective && points.all.some((row) => read(axis, row) === null);
    const order = points.all.filter((row) => row.best !== null).sort((a, b) => (data.better(a.best, b.best) ? 1 : -1));
    lines = order.map((row) => ({ row, us: axes.map((axis) => place(axis, read(axis, row))) }));
    board.redraw();
  }

  function path(ctx, line) {
    ctx.beginPath();
    line.us.forEach((u, k) => {
      const px = x(k);
      const py = u === null ? height - 8 : y(u);
      if (k === 0) ctx.moveTo(px, py);
      else if (lines.length > FEW) ctx.lineTo(px, py);
      else {
        const before = x(k - 1);
        const last = line.us[k - 1] === null ? height - 8 : y(line.us[k - 1]);
        const bend = (px - before) * 0.3;
        ctx.bezierCurveTo(before + bend, last, px - bend, py, px, py);
      }
    });
    ctx.stroke();
  }

  function paint(ctx) {
    const inside = lines.filter((line) => points.shown.has(line.row.id));
    ctx.lineWidth = 1;
    if (inside.length < lines.length) {
      ctx.strokeStyle = css("faint");
      ctx.globalAlpha = Math.min(0.16, 30 / lines.length);
      for (const line of thin(lines)) if (!points.shown.has(line.row.id)) path(ctx, line);
    }
    ctx.lineWidth = inside.length > FEW ? 1 : 1.2;
    ctx.globalAlpha = Math.max(0.1, Math.min(0.85, 60 / Math.max(1, inside.length)));
    for (const line of thin(inside)) {
      ctx.strokeStyle = colors.of(line.row);
      path(ctx, line);
    }
    ctx.globalAlpha = 1;
    if (inside.length) thick(ctx, inside.at(-1));
  }

  // The best ones, and of the others evenly so many that drawing stays quick: more are one grey field anyway.
  const thin = (list) => (list.length <= MOST ? list : list.filter((_, k) =>
    k >= list.length - MOST / 4 || Math.floor((k * MOST * 0.75) / list.length) !== Math.floor(((k - 1) * MOST * 0.75) / list.length)));

  function thick(ctx, line) {
    ctx.strokeStyle = css("paper");
    ctx.lineWidth = 6;
    path(ctx, line);
    ctx.strokeStyle = colors.of(line.row);
    ctx.lineWidth = 3;
    path(ctx, line);
  }

  function over(ctx, width) {
    const hovered = data.hovered === null ? null : lines.find((line) => line.row.id === data.hovered);
    if (hovered) {
      ctx.globalAlpha = 0.5;
      ctx.fillStyle = css("paper");
      ctx.fillRect(0, 0, width, height);
      ctx.globalAlpha = 1;
      thick(ctx, hovered);
    }
    axes.forEach((axis, k) => paintAxis(ctx, axis, x(k), k === 0 ? "left" : k === axes.length - 1 ? "right" : "center", width));
    axes.forEach((axis, k) => {
      const range = drag?.k === k ? drag : span(axis);
      if (!range) return;
      const [a, b] = [y(Math.max(range.from, range.to)), y(Math.min(range.from, range.to))];
      ctx.fillStyle = css("accent");
      ctx.globalAlpha = 0.22;
      ctx.fillRect(x(k) - 8, a, 16, Math.max(2, b - a));
      ctx.globalAlpha = 1;
      ctx.fillRect(x(k) - 8, a - 1, 16, 2);
      ctx.fillRect(x(k) - 8, b - 1, 16, 2);
    });
  }

  function paintAxis(ctx, axis, px, side, width) {
    if (axis.gaps) {
      ctx.fillStyle = css("paper");
      ctx.fillRect(px - 22, height - 16, 44, 16);
      ctx.fillStyle = css("faint");
      ctx.font = font(11);
      ctx.textAlign = "center";
      ctx.fillText(t("parallel.unset"), px, height - 4);
    }
    ctx.strokeStyle = css("faint");
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(px, y(0));
    ctx.lineTo(px, y(1));
    ctx.stroke();
    const align = side === "left" ? Math.max(4, px - SIDE + 6) : px;
    ctx.textAlign = side === "left" ? "left" : side === "right" ? "right" : "center";
    const at = side === "right" ? Math.min(width - 4, px + SIDE - 6) : align;
    ctx.font = font(12, 600);
    ctx.fillStyle = css("ink");
    ctx.fillText(cut(ctx, axis.name, APART + 10), at, 14);
    ctx.font = font(11);
    ctx.fillStyle = css("faint");
    const note = axis.objective ? t("parallel.better") : axis.log ? "log" : "";
    ctx.fillText(note, at, 28);
    ctx.textAlign = "left";
    ctx.fillStyle = css("quiet");
    for (const mark of marks(axis)) {
      const py = y(flipped(axis) ? 1 - mark.u : mark.u);
      const words = cut(ctx, mark.label, 84);
      const wide = ctx.measureText(words).width;
      const left = px + 6 + wide > width ? px - 6 - wide : px + 6;
      ctx.strokeStyle = css("paper");
      ctx.lineWidth = 3;
      ctx.strokeText(words, left, py + 4);
      ctx.fillText(words, left, py + 4);
      ctx.fillRect(px - 3, py - 0.5, 6, 1);
    }
  }

  function marks(axis) {
    if (axis.choices) return axis.marks;
    const round = splits(axis.low, axis.high, axis.log, 5).map((v) => ({ u: axis.at(v), label: short(v, 3) }));
    const ends = [axis.low, axis.high].map((v, u) => ({ u, label: short(v, 3) }));
    return [...ends, ...round.filter(({ u }) => u > 0.09 && u < 0.91)];
  }

  // The stretch of a standing brush on its axis, in u as drawn.
  function span(axis) {
    return data.filter.brushes[nameOf(axis)]?.span ?? null;
  }

  function brushed({ k, from, to }) {
    const axis = axes[k];
    const name = nameOf(axis);
    const { [name]: old, ...brushes } = data.filter.brushes;
    const brush = brushOf(axis, name, Math.min(from, to), Math.max(from, to), flipped(axis));
    if (brush) brushes[name] = brush;
    if (brush || old) data.change({ brushes });
    else board.hover();
  }

  const spot = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const axisAt = (px) => axes.findIndex((_, k) => Math.abs(px - x(k)) <= GRIP);

  function lineAt(px, py) {
    const k = axes.findIndex((_, i) => i + 1 < axes.length && px >= x(i) && px <= x(i + 1));
    if (k < 0) return null;
    let best = null;
    let distance = NEAR;
    const part = (px - x(k)) / (x(k + 1) - x(k));
    const s = part * part * (3 - 2 * part);
    for (const line of lines) {
      if (!points.shown.has(line.row.id)) continue;
      const a = line.us[k] === null ? height - 8 : y(line.us[k]);
      const b = line.us[k + 1] === null ? height - 8 : y(line.us[k + 1]);
      const away = Math.abs(a + (b - a) * s - py);
      if (away <= distance) {
        distance = away;
        best = line;
      }
    }
    return best;
  }

  canvas.addEventListener("pointerdown", (event) => {
    const [px, py] = spot(event);
    const k = axisAt(px);
    if (k < 0 || event.button !== 0) return;
    drag = { k, from: fromY(py), to: fromY(py) };
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    const [px, py] = spot(event);
    if (drag) {
      drag.to = fromY(py);
      board.hover();
      return;
    }
    const over = axisAt(px) >= 0;
    canvas.style.cursor = over ? "ns-resize" : "default";
    const line = over ? null : lineAt(px, py);
    data.hover(line?.row.id ?? null);
    tip.hidden = !line;
    if (!line) return;
    canvas.style.cursor = "pointer";
    tip.replaceChildren(runTip(line.row, [[metric, short(line.row.best)]], colors.of(line.row)));
    tip.style.left = `${px + 16 + tip.offsetWidth > board.width() ? px - 12 - tip.offsetWidth : px + 16}px`;
    tip.style.top = `${Math.max(0, Math.min(py, height - tip.offsetHeight))}px`;
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag) {
      const done = drag;
      drag = null;
      brushed(done);
      return;
    }
    const line = lineAt(...spot(event));
    if (line) location.hash = runHref(data.name, line.row.id);
  });
  canvas.addEventListener("pointercancel", () => {
    drag = null;
    board.redraw();
  });
  canvas.addEventListener("pointerleave", () => {
    tip.hidden = true;
    if (!drag) data.hover(null);
  });

  points.onChange(measure);
  colors.onChange(board.redraw);
  data.on("hover", board.hover);
  measure();
  return { el, leave: board.leave };
}
