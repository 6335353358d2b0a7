// Many curves on one chart. uPlot gives axes, scales, cursor and zoom; the curves are drawn here,
// because each has its own steps and uPlot would want all of them on one common grid.
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { extent, nearest } from "./chart/measure.js";
import { dot, draw } from "./chart/pen.js";
import { css, onTheme } from "./colors.js";
import { h } from "./dom.js";
import { duration, short } from "./format.js";
import { splits } from "./ticks.js";

export { search, spansDecades, typical } from "./chart/measure.js";

const FONT = '11px system-ui, "Noto Sans", "Noto Sans SC", sans-serif';

/**
 * A chart in `root`. Options:
 * `height` px · `label` what a screen reader says · `xLog`, `yLog` · `xTime` x is seconds · `xFormat`,
 * `yFormat` of the axes' numbers · `sync` charts with the same key share the cursor · `tip(hit) → Node | null` ·
 * `onHover(hit | null)` · `onClick(hit)` · `onZoom(range | null)` · `none` words for a chart without curves ·
 * `under(chart)`, `over(chart)` draw on `chart.ctx` in canvas pixels before and after the curves ·
 * `xRange`, `yRange` [min, max] that must be within view · `yOf(curves, log)` the curves that must. A hit is {curve, index, x, y}.
 *
 * Returns: `set(curves)`, `grown()` when points were added to them, `change(options)`, `redraw()`,
 * `highlight(key | null)`, `setZoom({x, y} | null)`, `reset()`, `toX(v)`, `toY(v)` (canvas px), `box` (plot area
 * in canvas px), `ctx`, `ratio` (canvas px per CSS px), `destroy()`.
 *
 * A curve: {key, x, y, color, width, alpha, dash, stepped, low, high, raw, plain}: `low`/`high` paint a band; `raw`
 * is a second y drawn faintly beneath; `plain` curves are not hovered. Later curves lie on top. x rises. y may
 * hold NaN and ±inf: the line breaks there and a cross marks the place.
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
    const { xLog, yLog, xRange, yRange, yOf } = chart.options;
    bounds.x = extent(chart.curves, ["x"], xLog, xRange, 0);
    bounds.y = extent(yOf?.(chart.curves, yLog) ?? chart.curves, ["y", "raw", "low", "high"], yLog, yRange, 0.06);
  };

  function paint(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    const room = chart.zoom ? 0 : 4 * chart.ratio; // a run of one point may stand on the edge
    ctx.rect(bbox.left - room, bbox.top, bbox.width + 2 * room, bbox.height);
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

  function moved(u) {
    const { left, top } = u.cursor;
    // A cursor that another chart moved has no height here.
    if (left < 0 || top < 0 || !u.over.matches(":hover")) return hover(null);
    hover(nearest(chart, left, top));
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
  let touched = null;
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
    if (!chart.hit) return;
    // Where nothing can hover, the first touch shows the words and the second one opens.
    const first = matchMedia("(hover: none)").matches && touched !== chart.hit.curve.key;
    touched = chart.hit.curve.key;
    if (!first) chart.options.onClick?.(chart.hit);
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
