// How curves are put on a canvas.
import { css } from "../colors.js";

/** One curve, with its band, its raw line and its crosses. */
export function draw(chart, curve) {
  const { ctx, ratio } = chart;
  const { x, y } = curve;
  ctx.strokeStyle = curve.color;
  ctx.fillStyle = curve.color;
  if (curve.low) band(chart, curve);
  if (curve.raw) {
    ctx.globalAlpha = 0.22 * (curve.alpha ?? 1);
    ctx.lineWidth = ratio;
    trace(chart, x, curve.raw, false);
  }
  ctx.globalAlpha = curve.alpha ?? 1;
  ctx.lineWidth = (curve.width ?? 1.2) * ratio;
  ctx.setLineDash((curve.dash ?? []).map((d) => d * ratio));
  const lone = trace(chart, x, y, curve.stepped);
  ctx.setLineDash([]);
  for (const [px, py] of lone) {
    ctx.beginPath();
    ctx.arc(px, py, Math.max(1.6, curve.width ?? 1.2) * ratio, 0, 2 * Math.PI);
    ctx.fill();
  }
  broken(chart, curve);
  ctx.globalAlpha = 1;
}

// Strokes a line with gaps where y is not finite; returns points that stand alone.
function trace(chart, x, y, stepped) {
  const { ctx, plot } = chart;
  const log = chart.options.yLog;
  const logX = chart.options.xLog;
  const lone = [];
  let run = 0;
  let px = 0;
  let py = 0;
  ctx.beginPath();
  for (let k = 0; k < x.length; k += 1) {
    const v = y[k];
    const skip = !Number.isFinite(v) || (log && v <= 0) || (logX && x[k] <= 0);
    if (skip) {
      if (run === 1) lone.push([px, py]);
      run = 0;
      continue;
    }
    const nx = plot.valToPos(x[k], "x", true);
    const ny = plot.valToPos(v, "y", true);
    if (run === 0) ctx.moveTo(nx, ny);
    else {
      if (stepped) ctx.lineTo(nx, py);
      ctx.lineTo(nx, ny);
    }
    px = nx;
    py = ny;
    run += 1;
  }
  if (run === 1) lone.push([px, py]);
  ctx.stroke();
  return lone;
}

function band(chart, curve) {
  const { ctx } = chart;
  const { x, low, high } = curve;
  const log = chart.options.yLog;
  const floor = chart.box.top + chart.box.height;
  const toY = (v) => (log && v <= 0 ? floor : chart.toY(v));
  ctx.globalAlpha = 0.16;
  ctx.beginPath();
  for (let k = 0; k < x.length; k += 1) ctx[k ? "lineTo" : "moveTo"](chart.toX(x[k]), toY(high[k]));
  for (let k = x.length - 1; k >= 0; k -= 1) ctx.lineTo(chart.toX(x[k]), toY(low[k]));
  ctx.closePath();
  ctx.fill();
}

// A cross where a value is NaN or infinite: at the height of the last finite one, or at the top.
function broken(chart, curve) {
  const { ctx, ratio, box } = chart;
  const top = box.top + 6 * ratio;
  let height = top;
  let last = -Infinity;
  ctx.lineWidth = 1.5 * ratio;
  for (let k = 0; k < curve.x.length; k += 1) {
    const v = curve.y[k];
    if (Number.isFinite(v)) {
      height = chart.options.yLog && v <= 0 ? top : chart.toY(v);
      continue;
    }
    const px = chart.toX(curve.x[k]);
    if (px - last < 5 * ratio) continue;
    last = px;
    const size = 3 * ratio;
    ctx.beginPath();
    ctx.moveTo(px - size, height - size);
    ctx.lineTo(px + size, height + size);
    ctx.moveTo(px - size, height + size);
    ctx.lineTo(px + size, height - size);
    ctx.stroke();
  }
}

/** The point that is hovered. */
export function dot(chart, hit) {
  const { ctx, ratio } = chart;
  ctx.globalAlpha = 1;
  ctx.beginPath();
  ctx.arc(chart.toX(hit.x), chart.toY(hit.y), 4 * ratio, 0, 2 * Math.PI);
  ctx.fillStyle = hit.curve.color;
  ctx.fill();
  ctx.lineWidth = 1.5 * ratio;
  ctx.strokeStyle = css("paper");
  ctx.stroke();
}
