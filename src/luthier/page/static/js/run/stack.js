// Charts over the same steps, one under the other: one cursor, one zoom, one span of steps.
import { createChart } from "../chart.js";
import { extent } from "./series.js";

/** Give `strip`, a neighbour of a chart, the chart's own left and right edge. */
export function align(strip, plot) {
  const over = plot.over.getBoundingClientRect();
  const whole = strip.parentElement.getBoundingClientRect();
  strip.style.marginLeft = `${over.left - whole.left - strip.parentElement.clientLeft}px`;
  strip.style.marginRight = `${whole.right - over.right - strip.parentElement.clientLeft}px`;
}

let made = 0;

/**
 * A stack. `add(root, options)` makes a chart; `span(low, high)` says which steps there are;
 * `onStep(step | null)` hears where the pointer is; `zoom(null)` shows all again; `close()`.
 */
export function createStack({ onStep, onZoom }) {
  const key = `stack-${(made += 1)}`;
  const charts = new Set();
  const stack = {
    range: [0, 1],
    zoomed: null,
    add(root, options) {
      const chart = createChart(root, {
        ...options,
        sync: key,
        xRange: stack.range,
        onZoom: (zoom) => spread(chart, zoom),
      });
      if (stack.zoomed) chart.setZoom({ x: stack.zoomed, y: null });
      const over = () => chart.plot.over;
      chart.root.addEventListener("pointermove", (event) => {
        const at_px = event.clientX - over().getBoundingClientRect().left;
        onStep(at_px < 0 || at_px > over().clientWidth ? null : chart.plot.posToVal(at_px, "x"));
      });
      chart.root.addEventListener("pointerleave", () => onStep(null));
      charts.add(chart);
      return { chart, remove: () => (charts.delete(chart), chart.destroy()) };
    },
    span(low, high) {
      stack.range = [low, high > low ? high : low + 1];
      for (const chart of charts) chart.options.xRange = stack.range;
    },
    zoom: (x) => spread(null, x && { x, y: null }),
    close() {
      for (const chart of charts) chart.destroy();
      charts.clear();
    },
  };
  function spread(from, zoom) {
    stack.zoomed = zoom?.x ?? null;
    for (const chart of charts) if (chart !== from) chart.setZoom(zoom && { x: stack.zoomed, y: null });
    onZoom(Boolean(zoom));
  }
  return stack;
}

/**
 * A range of y that holds `lines` whole, and of `others` as much as widens it by `share` at most:
 * a branch that blew up must not press everything else flat.
 */
export function rangeOf(lines, others, log, share = 0.6) {
  const base = extent(lines);
  const more = others.map((y) => extent([y])).filter(Boolean);
  if (!base) return more[0] ?? null;
  let [low, high] = base;
  const mayGrow = log ? low > 0 : true;
  if (!mayGrow) return base;
  const most = log ? high * Math.max(high / low, 1.5) ** share : high + (high - low || 1) * share;
  const least = log ? low / Math.max(high / low, 1.5) ** share : low - (high - low || 1) * share;
  for (const [bottom, top] of more) {
    high = Math.max(high, Math.min(top, most));
    low = Math.min(low, Math.max(bottom, least));
  }
  return [low, high];
}
