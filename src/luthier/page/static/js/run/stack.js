// Charts over the same steps, one under the other: one cursor, one zoom, axes of the same width.
import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { count, short } from "../format.js";

/** What the axis takes at the left and what is left free at the right, in CSS pixels. */
export const LEFT_PX = 58;
export const RIGHT_PX = 14;
const LEAST_DRAG_PX = 6;

let made = 0;

/** The colour of a CSS variable as it is now, in light or dark. */
export const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A stack: `chart` adds one, `span` says which steps there are, `close` ends it. */
export function createStack() {
  const key = `stack-${(made += 1)}`;
  const charts = new Set();
  let full = [0, 1];
  let zoomed = null;

  const show = () => {
    const [min, max] = zoomed ?? full;
    for (const one of charts) one.u.setScale("x", { min, max });
  };
  const stack = {
    window: () => zoomed ?? full,
    get isZoomed() {
      return zoomed !== null;
    },
    onZoom: () => {},
    zoom(window) {
      zoomed = window;
      stack.onZoom();
      show();
    },
    span(low, high) {
      full = [low, high > low ? high : low + 1];
      if (!zoomed) show();
    },
    redraw() {
      for (const one of charts) one.u.redraw(false, true);
    },
    chart: (host, options) => addChart(stack, charts, key, host, options),
    close() {
      for (const one of [...charts]) one.remove();
      dark.removeEventListener("change", stack.redraw);
      themed.disconnect();
    },
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", stack.redraw);
  const themed = new MutationObserver(() => stack.redraw());
  themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return stack;
}

/**
 * One chart. `series`: uPlot's, without the x series; `data`: aligned. `range(low, high)` may widen
 * the y axis; `draw(u)` paints over it; `onCursor(u, index)`; `onDrawn(u)`.
 */
function addChart(stack, charts, key, host, options) {
  const { height_px, series, bands = [], data, log = false, range, draw, onCursor, onDrawn, steps = true } = options;
  const axis = { stroke: () => ink("--ink-2"), font: `11px ${ink("--font") || "system-ui"}` };
  const lines = { grid: { stroke: () => ink("--grid"), width: 1 }, ticks: { show: false } };
  const u = new uPlot(
    {
      width: Math.max(host.clientWidth, 80),
      height: height_px,
      legend: { show: false },
      padding: [8, RIGHT_PX, steps ? null : 6, 0],
      series: [{}, ...series],
      bands,
      scales: {
        x: { time: false, auto: false, range: () => stack.window() },
        y: { distr: log ? 3 : 1, range: (_, low, high) => padded(range ? range(low, high) : [low, high], log) },
      },
      axes: [
        { ...axis, ...lines, size: steps ? 28 : 0, space: 60, values: (_, xs) => (steps ? xs.map((x) => count(x)) : []) },
        { ...axis, ...lines, size: LEFT_PX, space: 28, values: (_, ys) => ys.map((y) => (y === null ? "" : short(y, 3))) },
      ],
      cursor: {
        sync: { key, scales: ["x", null] },
        drag: { x: true, y: false, setScale: false },
        points: { size: 7 },
        y: false,
      },
      hooks: {
        setSelect: [(self) => select(self, stack)],
        setCursor: onCursor ? [(self) => onCursor(self, self.cursor.idx)] : [],
        draw: [(self) => draw?.(self), (self) => onDrawn?.(self)],
      },
    },
    data,
    host,
  );
  u.over.addEventListener("dblclick", () => stack.zoom(null));
  const sized = new ResizeObserver(() => {
    const width = host.clientWidth;
    if (width > 0 && width !== u.width) u.setSize({ width, height: height_px });
  });
  sized.observe(host);
  const chart = {
    u,
    set(now) {
      const [min, max] = stack.window();
      u.batch(() => {
        u.setData(now, false);
        u.setScale("x", { min, max });
      });
    },
    remove() {
      sized.disconnect();
      charts.delete(chart);
      u.destroy();
    },
  };
  charts.add(chart);
  return chart;
}

function select(u, stack) {
  const { left, width } = u.select;
  if (width < LEAST_DRAG_PX) return;
  const window = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
  u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  stack.zoom(window);
}

function padded([low, high], log) {
  if (low === null || low === undefined) return log ? [0.1, 1] : [0, 1];
  if (log) {
    if (low <= 0) low = high > 0 ? high / 1e6 : 0.1;
    const factor = Math.max((high / low) ** 0.06, 1.02);
    return [low / factor, high * factor];
  }
  const room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 0.5;
  return [low - room, high + room];
}

/** Tables [x, y, y…] on one x. What one lacks where another has a point is bridged; null is a gap. */
export const join = (tables) => (tables.length ? uPlot.join(tables) : [[]]);

/** Lines that keep their value until the next point. */
export const stepped = () => uPlot.paths.stepped({ align: 1 });
