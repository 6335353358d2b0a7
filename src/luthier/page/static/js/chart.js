// Many curves on one chart. uPlot gives axes, scales, cursor and zoom; the curves are drawn here,
// because each has its own steps and uPlot would want all of them on one common grid.
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { css, onTheme } from "./colors.js";
import { h } from "./dom.js";
import { duration, short } from "./format.js";
import { splits } from "./ticks.js";

const NEAR_PX = 28; // a pointer further away from every curve hovers over none
const FONT = '11px system-ui, "Noto Sans", "Noto Sans SC", sans-serif';

/**
 * A chart in `root`. Options:
 * `height` px · `label` what a screen reader says · `xLog`, `yLog` · `xTime` x is seconds · `xFormat`, `yFormat` of the
 * axes' numbers · `sync` charts with the
 * same key share cursor and x range · `tip(hit) → Node | null` · `onHover(hit | null)` ·
 * `onClick(hit)` · `onZoom(range | null)` · `none` words for a chart without curves · `under(chart)`, `over(chart)` draw on `chart.ctx` in
 * canvas pixels before and after the curves · `xRange`, `yRange` [min, max] that must be within view.
 * A hit is {curve, index, x, y}.
 *
 * Returns: `set(curves)`, `change(options)`, `redraw()`, `highlight(key | null)`, `toX(v)`, `toY(v)`
 * (canvas px), `box` (plot area in canvas px), `ctx`, `ratio` (canvas px per CSS px), `reset()`, `destroy()`.
 *
 * A curve: {key, x, y, color, width, alpha, dash, stepped, low, high, faint, raw, plain}: `low`/`high` paint a
 * band; `raw` is a second y drawn faintly beneath; `plain` curves are not hovered. Later curves lie on top.
 * x rises. y may hold NaN and ±inf: the line breaks there and a cross marks the place.
 */
export function createChart(root, options = {}) {
  const chart = {
    options: { height: 280, ...options }, curves: [], zoom: null, lit: null, kept: null, hit: null, plot: null,
    get box() {
      return chart.plot.bbox;
    },
    get ctx() {
      return pen ?? chart.plot.ctx;
    },
    get ratio() {
      return devicePixelRatio;
    },
  };
  // What is hovered is drawn on a veil over the curves, so that a moving pointer does not draw them all again.
  const veil = h("canvas", { class: "veil", hidden: true });
  let pen = null;
  const tip = h("div", { class: "tip", hidden: true });
  const holder = h("div", { class: "chart", role: "img", "aria-label": chart.options.label ?? "" });
  holder.append(tip);
  root.append(holder);
  const bounds = { x: [0, 1], y: [0, 1] };

  const build = () => {
    chart.plot?.destroy();
    const { height, xLog, yLog, sync, xTime } = chart.options;
    const xFormat = chart.options.xFormat ?? (xTime ? duration : undefined);
    const axis = (log, format) => ({
      stroke: () => css("quiet"),
      grid: { stroke: () => css("grid"), width: 1 },
      ticks: { show: false },
      font: FONT,
      gap: 6,
      splits: (u, index, min, max) => splits(min, max, log, index ? (height - 40) / 44 : u.width / 84, !index && xTime),
      values: (u, at) => (chart.options.none && !any() ? [] : at.map(format ?? ((v) => short(v, 6)))),
      filter: (u, at) => at,
    });
    const setup = {
      width: Math.max(80, holder.clientWidth),
      height,
      legend: { show: false },
      padding: [10, 14, 0, 0],
      cursor: {
        points: { show: false },
        drag: { x: true, y: true, uni: 24, dist: 6, setScale: false },
        y: !sync,
        ...(sync ? { sync: { key: sync, scales: ["x", null] } } : {}),
      },
      scales: {
        x: { time: false, distr: xLog ? 3 : 1, range: () => chart.zoom?.x ?? bounds.x },
        y: { distr: yLog ? 3 : 1, range: () => chart.zoom?.y ?? bounds.y },
      },
      axes: [
        { ...axis(xLog, xFormat), size: 30, space: 70 },
        { ...axis(yLog, chart.options.yFormat), size: 50, space: 36 },
      ],
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      hooks: {
        drawClear: [() => guest(chart.options.under)],
        draw: [paint],
        setCursor: [moved],
        setSelect: [selected],
        ready: [(u) => {
          u.over.append(veil);
          u.over.addEventListener("click", clicked);
          u.over.addEventListener("dblclick", () => chart.reset());
          u.over.addEventListener("mouseleave", () => hover(null));
        }],
      },
    };
    chart.plot = new uPlot(setup, [[0, 1], [0, 1]], holder);
  };

  const measure = () => {
    const { xLog, yLog, xRange, yRange } = chart.options;
    bounds.x = extent(chart.curves, ["x"], xLog, xRange, 0);
    bounds.y = extent(chart.curves, ["y", "raw", "low", "high"], yLog, yRange, 0.06);
  };

  function paint(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.lineJoin = "round";
    for (const curve of chart.curves) draw(chart, curve);
    ctx.restore();
    if (chart.options.none && !any()) guest(sayNone);
    guest(chart.options.over);
    paintVeil();
  }

  const any = () => chart.curves.some((curve) => curve.y.some((v) => !Number.isNaN(v)));

  function sayNone({ ctx, box, ratio }) {
    ctx.fillStyle = css("quiet");
    ctx.font = `${14 * ratio}px system-ui, "Noto Sans", "Noto Sans SC", sans-serif`;
    ctx.textAlign = "center";
    ctx.fillText(chart.options.none, box.left + box.width / 2, box.top + box.height / 2);
  }

  function paintVeil() {
    const lit = chart.lit === null ? [] : chart.curves.filter((c) => c.key === chart.lit);
    veil.hidden = lit.length === 0;
    if (veil.hidden) return;
    const { left, top, width, height } = chart.box;
    veil.width = width;
    veil.height = height;
    pen = veil.getContext("2d");
    if (chart.curves.length > lit.length) {
      pen.globalAlpha = 0.6;
      pen.fillStyle = css("paper");
      pen.fillRect(0, 0, width, height);
    }
    pen.translate(-left, -top);
    pen.lineJoin = "round";
    for (const curve of lit) draw(chart, { ...curve, alpha: 1, width: (curve.width ?? 1.2) + 1.4 });
    if (chart.hit) dot(chart, chart.hit);
    pen = null;
  }

  // uPlot remembers the font and colours that it set last, so a guest must leave none of its own.
  function guest(work) {
    chart.ctx.save();
    work?.(chart);
    chart.ctx.restore();
  }

  function nearest(px, py) {
    const u = chart.plot;
    let best = null;
    let distance = NEAR_PX * NEAR_PX;
    const at = u.posToVal(px, "x");
    const right = u.posToVal(px + NEAR_PX, "x");
    const left = u.posToVal(px - NEAR_PX, "x");
    for (const curve of chart.curves) {
      if (curve.plain || curve.x.length === 0) continue;
      const n = curve.x.length;
      if (curve.x[0] > right || curve.x[n - 1] < left) continue;
      const middle = search(curve.x, at);
      for (let k = Math.max(0, middle - 2); k <= Math.min(n - 1, middle + 2); k += 1) {
        if (!Number.isFinite(curve.y[k])) continue;
        const ax = u.valToPos(curve.x[k], "x");
        const ay = u.valToPos(curve.y[k], "y");
        const point = (ax - px) ** 2 + (ay - py) ** 2;
        if (point < distance) {
          distance = point;
          best = { curve, index: k, x: curve.x[k], y: curve.y[k] };
        }
        if (k + 1 >= n || !Number.isFinite(curve.y[k + 1])) continue;
        const bx = u.valToPos(curve.x[k + 1], "x");
        const by = u.valToPos(curve.y[k + 1], "y");
        const line = toSegment(px, py, ax, ay, bx, by);
        if (line < distance) {
          distance = line;
          const near = Math.abs(ax - px) <= Math.abs(bx - px) ? k : k + 1;
          best = { curve, index: near, x: curve.x[near], y: curve.y[near] };
        }
      }
    }
    return best;
  }

  function moved(u) {
    const { left, top } = u.cursor;
    // A cursor that another chart moved has no height here.
    if (left < 0 || top < 0 || !u.over.matches(":hover")) return hover(null);
    hover(nearest(left, top));
  }

  function hover(hit) {
    const same = hit?.curve === chart.hit?.curve && hit?.index === chart.hit?.index;
    if (same) return;
    chart.hit = hit;
    chart.lit = hit?.curve.key ?? chart.kept ?? null;
    chart.plot.over.classList.toggle("points", Boolean(hit && chart.options.onClick));
    chart.options.onHover?.(hit);
    const words = hit && chart.options.tip?.(hit);
    tip.hidden = !words;
    if (words) {
      tip.replaceChildren(words);
      place();
    }
    rehover();
  }

  function place() {
    const u = chart.plot;
    const x = u.over.offsetLeft + u.valToPos(chart.hit.x, "x");
    const y = u.over.offsetTop + u.valToPos(chart.hit.y, "y");
    const { offsetWidth: w, offsetHeight: tall } = tip;
    const right = x + 14 + w < holder.clientWidth;
    tip.style.left = `${Math.max(2, right ? x + 14 : x - 14 - w)}px`;
    tip.style.top = `${Math.max(2, Math.min(y + 12, chart.options.height - tall - 4))}px`;
  }

  let dragged = false;
  function selected(u) {
    const { left, top, width, height } = u.select;
    if (width < 6 && height < 6) return;
    dragged = true;
    const x = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
    const y = [u.posToVal(top + height, "y"), u.posToVal(top, "y")];
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    const whole = (size, all) => size < 6 || size >= all - 1;
    chart.zoom = {
      x: whole(width, u.over.clientWidth) ? chart.zoom?.x ?? null : x,
      y: whole(height, u.over.clientHeight) ? chart.zoom?.y ?? null : y,
    };
    chart.options.onZoom?.(chart.zoom);
    rescale();
  }

  function clicked() {
    if (dragged) {
      dragged = false;
      return;
    }
    if (chart.hit) chart.options.onClick?.(chart.hit);
  }

  let asked = 0;
  const rescale = () => {
    if (!asked) asked = requestAnimationFrame(() => {
      asked = 0;
      chart.plot.setData([[0, 1], [0, 1]], true);
    });
  };

  let wanted = 0;
  let hovered = 0;
  const rehover = () => {
    if (!hovered) hovered = requestAnimationFrame(() => {
      hovered = 0;
      paintVeil();
    });
  };
  Object.assign(chart, {
    root: holder,
    set(curves) {
      chart.curves = curves;
      const old = chart.hit;
      const curve = old && curves.find((c) => c.key === old.curve.key);
      chart.hit = curve && old.index < curve.x.length ? { ...old, curve, x: curve.x[old.index], y: curve.y[old.index] } : null;
      if (!chart.hit) {
        tip.hidden = true;
        chart.lit = chart.kept;
      }
      measure();
      rescale();
    },
    /** New points have come into the arrays of the curves. */
    grown() {
      measure();
      rescale();
    },
    change(more) {
      Object.assign(chart.options, more);
      if ("xLog" in more || "yLog" in more) chart.zoom = null;
      measure();
      build();
    },
    redraw() {
      if (!wanted) wanted = requestAnimationFrame(() => {
        wanted = 0;
        chart.plot.redraw(false, false);
      });
    },
    highlight(key) {
      chart.kept = key;
      chart.lit = key;
      rehover();
    },
    setZoom(zoom) {
      chart.zoom = zoom;
      rescale();
    },
    reset() {
      chart.zoom = null;
      chart.options.onZoom?.(null);
      rescale();
    },
    toX: (v) => chart.plot.valToPos(v, "x", true),
    toY: (v) => chart.plot.valToPos(v, "y", true),
    destroy() {
      cancelAnimationFrame(asked);
      cancelAnimationFrame(wanted);
      cancelAnimationFrame(hovered);
      size.disconnect();
      stopTheme();
      chart.plot.destroy();
      holder.remove();
    },
  });

  const stopTheme = onTheme(() => chart.plot.redraw(false, true));
  const size = new ResizeObserver(() => {
    const width = Math.max(80, holder.clientWidth);
    if (chart.plot && width !== chart.plot.width) chart.plot.setSize({ width, height: chart.options.height });
  });
  measure();
  build();
  size.observe(holder);
  return chart;
}

/** Whether values (arrays of numbers) are positive and spread so far that a log axis shows more of them. */
export function spansDecades(all) {
  let low = Infinity;
  let high = -Infinity;
  for (const values of all) {
    for (const v of values) {
      if (!Number.isFinite(v)) continue;
      if (v < low) low = v;
      if (v > high) high = v;
    }
  }
  return low > 0 && high / low > 10;
}

/** The index of the first x not below `at`. */
export function search(x, at) {
  let low = 0;
  let high = x.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function toSegment(px, py, ax, ay, bx, by) {
  const dx = bx - ax;
  const dy = by - ay;
  const size = dx * dx + dy * dy;
  const part = size ? Math.max(0, Math.min(1, ((px - ax) * dx + (py - ay) * dy) / size)) : 0;
  return (ax + part * dx - px) ** 2 + (ay + part * dy - py) ** 2;
}

function extent(curves, names, log, least, pad) {
  let low = Infinity;
  let high = -Infinity;
  for (const v of least ?? []) {
    if (log && v <= 0) continue;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  for (const curve of curves) {
    for (const name of names) {
      const all = curve[name];
      if (!all) continue;
      for (let k = 0; k < all.length; k += 1) {
        const v = all[k];
        if (!Number.isFinite(v) || (log && v <= 0)) continue;
        if (v < low) low = v;
        if (v > high) high = v;
      }
    }
  }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  if (log) {
    if (low === high) return [low / 2, high * 2];
    const more = (high / low) ** pad;
    return [low / more, high * more];
  }
  if (low === high) return pad ? [low - 0.5, high + 0.5] : [low, low + 1];
  return [low - (high - low) * pad, high + (high - low) * pad];
}

function draw(chart, curve) {
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

function dot(chart, hit) {
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
