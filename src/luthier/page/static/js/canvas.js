// A canvas that fits its place and the screen's pixels.
import { onTheme } from "./colors.js";
import { h } from "./dom.js";

/**
 * A canvas of `height` px in `root`, as wide as `root` but at least `least` px. `paint(ctx, width, height)` draws
 * in CSS pixels, at most once per frame; `over` draws on top of it what changes with the pointer, and is drawn again
 * alone by `hover()`. Returns {canvas, redraw(), hover(), width(), leave()}.
 */
export function createCanvas(root, { height, least = 0, label = "" }, paint, over = () => {}) {
  const base = document.createElement("canvas");
  const canvas = h("canvas", { role: "img", "aria-label": label });
  root.append(canvas);
  const ctx = canvas.getContext("2d");
  let width = 0;
  let asked = 0;
  let stale = true;
  const start = (pen) => {
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  };
  let seen = false; // what is out of sight waits with its drawing
  const hover = () => {
    if (!asked && seen) asked = requestAnimationFrame(() => {
      asked = 0;
      if (!width) return;
      if (stale) paint(start(base.getContext("2d")), width, height);
      stale = false;
      start(ctx).drawImage(base, 0, 0, width, height);
      over(ctx, width, height);
    });
  };
  const redraw = () => {
    stale = true;
    hover();
  };
  const fit = () => {
    const next = Math.max(least, root.clientWidth);
    if (next === width && canvas.width === Math.round(next * devicePixelRatio)) return;
    width = next;
    canvas.width = base.width = Math.round(width * devicePixelRatio);
    canvas.height = base.height = Math.round(height * devicePixelRatio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    redraw();
  };
  const size = new ResizeObserver(fit);
  size.observe(root);
  const sight = new IntersectionObserver((changes) => {
    seen = changes.at(-1).isIntersecting;
    hover();
  }, { rootMargin: "150px" });
  sight.observe(canvas);
  fit();
  const stopTheme = onTheme(redraw);
  return {
    canvas, redraw, hover, width: () => width,
    leave() {
      cancelAnimationFrame(asked);
      size.disconnect();
      sight.disconnect();
      stopTheme();
    },
  };
}

/** The font of words on a canvas, as the page's. */
export const font = (px, weight = 400) => `${weight} ${px}px system-ui, "Noto Sans", "Noto Sans SC", sans-serif`;

/** `text` cut to `width` px with an ellipsis. */
export function cut(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 1 && ctx.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
  return `${text.slice(0, end)}…`;
}
