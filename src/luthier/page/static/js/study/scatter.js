// Each parameter against the best value: small multiples with one common height.
import { createCanvas, cut, font } from "../canvas.js";
import { css } from "../colors.js";
import { h } from "../dom.js";
import { short } from "../format.js";
import { t } from "../i18n.js";
import { runHref } from "../route.js";
import { objectiveAxis, paramAxis } from "./axes.js";
import { runTip } from "./tip.js";

const TALL = 168;
const PAD = { left: 46, right: 10, top: 8, bottom: 22 };
const NEAR_PX = 12;

/** The panel. Returns {el, leave}. */
export function scatterPanel(data, colors, points) {
  const { space, metric } = data.info;
  const grid = h("div", { class: "multiples" });
  const el = h("section", { class: "panel", hidden: space.length === 0, "aria-label": t("scatter.title", { metric }) },
    h("header", {}, h("h2", {}, t("scatter.title", { metric })), h("span", { class: "quiet small" }, t("scatter.hint"))),
    h("div", { class: "body" }, grid));
  const plots = space.map((spec) => plot(spec));
  let up = null;

  function plot(spec) {
    const tip = h("div", { class: "tip", hidden: true });
    const box = h("div", { class: "multiple" }, h("h3", {}, spec.term
      ? h("a", { href: `#/k/${encodeURIComponent(spec.term)}`, title: t("table.explain", { name: spec.name }) }, spec.name) : spec.name,
    spec.log ? h("span", { class: "faint" }, " log") : null), tip);
    const holder = h("div", { class: "holder" });
    box.append(holder);
    grid.append(box);
    const mine = { spec, axis: null, dots: [] };
    const board = createCanvas(holder, { height: TALL, label: t("scatter.aria", { name: spec.name, metric }) }, (ctx, width) => paint(ctx, width, mine), (ctx) => over(ctx, mine));
    const { canvas } = board;
    const find = (event) => {
      const area = canvas.getBoundingClientRect();
      const [px, py] = [event.clientX - area.left, event.clientY - area.top];
      let best = null;
      let distance = NEAR_PX ** 2;
      for (const dot of mine.dots) {
        const away = (dot.x - px) ** 2 + (dot.y - py) ** 2;
        if (away < distance && points.shown.has(dot.row.id)) {
          distance = away;
          best = dot;
        }
      }
      return best;
    };
    canvas.addEventListener("pointermove", (event) => {
      const dot = find(event);
      data.hover(dot?.row.id ?? null);
      tip.hidden = !dot;
      canvas.style.cursor = dot ? "pointer" : "default";
      if (!dot) return;
      tip.replaceChildren(runTip(dot.row, [[metric, short(dot.row.best)]], colors.of(dot.row)));
      const room = grid.getBoundingClientRect();
      const here = box.getBoundingClientRect();
      const left = here.left + dot.x + 12 + tip.offsetWidth > room.right ? dot.x - tip.offsetWidth - 8 : dot.x + 12;
      tip.style.left = `${Math.max(room.left - here.left, left)}px`;
      tip.style.top = `${dot.y + 16}px`;
    });
    canvas.addEventListener("pointerleave", () => {
      tip.hidden = true;
      data.hover(null);
    });
    canvas.addEventListener("click", (event) => {
      const dot = find(event);
      if (dot) location.hash = runHref(data.name, dot.row.id);
    });
    return Object.assign(mine, { board });
  }

  function measure() {
    up = objectiveAxis(metric, points.all.map((row) => row.best), data.better);
    for (const one of plots) {
      one.axis = paramAxis(one.spec, points.all.map((row) => row.params[one.spec.name] ?? null));
      one.board.redraw();
    }
  }

  function paint(ctx, width, one) {
    if (!up || !one.axis) return;
    const high = (u) => TALL - PAD.bottom - u * (TALL - PAD.top - PAD.bottom);
    const wide = (u) => PAD.left + u * (width - PAD.left - PAD.right);
    ctx.font = font(11);
    ctx.lineWidth = 1;
    ctx.textAlign = "right";
    for (const u of [0, 0.5, 1]) {
      ctx.fillStyle = css("grid");
      ctx.fillRect(PAD.left, Math.round(high(u)), width - PAD.left - PAD.right, 1);
      ctx.fillStyle = css("quiet");
      ctx.fillText(short(up.from(u), 3), PAD.left - 6, high(u) + 4);
    }
    const marks = one.axis.choices ? one.axis.marks : [0, 0.5, 1].map((u) => ({ u, label: short(one.axis.whole ? Math.round(one.axis.from(u)) : one.axis.from(u), u === 0.5 ? 2 : 3) }));
    marks.forEach((mark, k) => {
      ctx.textAlign = !one.axis.choices && k === 0 ? "left" : !one.axis.choices && k === marks.length - 1 ? "right" : "center";
      ctx.fillText(cut(ctx, mark.label, (width - PAD.left) / Math.max(2, marks.length) - 4), wide(mark.u), TALL - 6);
    });
    one.dots = [];
    const radius = points.all.length > 1500 ? 1.6 : points.all.length > 300 ? 2.2 : 3;
    const shake = one.axis.choices ? Math.min(0.06, 0.3 / one.axis.choices.length) : 0;
    for (const row of points.all) {
      const u = one.axis.at(row.params[one.spec.name] ?? null);
      const v = row.best === null ? null : up.at(row.best);
      if (u === null || v === null) continue;
      // Choices are spread a little, always the same way for the same trial.
      const side = shake * (((row.trial * 0.618034) % 1) * 2 - 1);
      one.dots.push({ row, x: wide(Math.max(0, Math.min(1, u + side))), y: high(v) });
    }
    ctx.fillStyle = css("faint");
    ctx.globalAlpha = 0.25;
    for (const dot of one.dots) if (!points.shown.has(dot.row.id)) disc(ctx, dot, radius);
    ctx.globalAlpha = Math.max(0.35, Math.min(0.85, 400 / points.all.length));
    for (const dot of one.dots) {
      if (!points.shown.has(dot.row.id)) continue;
      ctx.fillStyle = colors.of(dot.row);
      disc(ctx, dot, radius);
    }
    ctx.globalAlpha = 1;
  }

  function over(ctx, one) {
    const best = data.info.best?.run;
    for (const dot of one.dots) {
      if (dot.row.id !== best && dot.row.id !== data.hovered) continue;
      ctx.fillStyle = colors.of(dot.row);
      disc(ctx, dot, 5);
      ctx.strokeStyle = css("ink");
      ctx.lineWidth = 1.5;
      ctx.stroke();
    }
  }

  function disc(ctx, dot, radius) {
    // A dot this small is as good as a square, and a square is drawn much sooner.
    if (radius < 2) {
      ctx.fillRect(dot.x - radius, dot.y - radius, 2 * radius, 2 * radius);
      return;
    }
    ctx.beginPath();
    ctx.arc(dot.x, dot.y, radius, 0, 2 * Math.PI);
    ctx.fill();
  }

  const redraw = () => plots.forEach((one) => one.board.redraw());
  points.onChange(measure);
  colors.onChange(redraw);
  data.on("hover", () => plots.forEach((one) => one.board.hover()));
  measure();
  return { el, leave: () => plots.forEach((one) => one.board.leave()) };
}
