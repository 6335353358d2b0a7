// Which run came from which: steps to the right, one lane per run, links where a run left its parent.
import { get, listen, studyPath } from "../api.js";
import { css, onTheme, stateColor } from "../colors.js";
import { fill, h, throttle } from "../dom.js";
import { count, number, short } from "../format.js";
import { t } from "../i18n.js";
import { runHref } from "../route.js";
import { svg } from "../run/icons.js";
import { splits } from "../ticks.js";

const LANE_PX = 26;
const LEFT_PX = 72;
const RIGHT_PX = 20;
const TOP_PX = 32;
const BEST_PX = 64; // what the best value beside a run's end takes
const MOST = 500; // lanes; more would be a wall
const FETCH_MS = 2000;

/** Fill `root` with the tree of a study; returns what ends it. */
export default async function show(root, { study }) {
  const path = studyPath(study, "lineage");
  let nodes = (await get(path)).nodes;
  let families = grown(nodes).length > 0;
  const picture = h("div", { class: "tree scroll" });
  const note = h("p", { class: "body quiet small", hidden: true });
  const choice = (words, on) =>
    h("button", { "aria-pressed": String(families === on), onClick: () => ((families = on), draw()) }, words);
  const header = h("header", {});
  fill(root, h("section", { class: "panel" }, header, picture, note));

  function draw() {
    fill(
      header,
      h("h1", {}, t("tree.title", { study })),
      h("span", { class: "grow" }),
      h("div", { class: "segments" }, choice(t("tree.families"), true), choice(t("tree.all"), false)),
    );
    const lanes = ordered(families ? grown(nodes) : nodes);
    const shown = lanes.slice(0, MOST);
    note.hidden = lanes.length > 0 && lanes.length === shown.length;
    note.textContent = lanes.length ? t("tree.cut", { shown: shown.length, total: lanes.length }) : t("tree.none");
    fill(picture, shown.length ? tree(shown, study, picture.clientWidth) : null);
  }
  const refresh = throttle(async () => {
    try {
      nodes = (await get(path)).nodes;
      draw();
    } catch {
      // The line is down; the listener says so and asks again.
    }
  }, FETCH_MS);
  draw();
  const stop = listen(study, { onChange: refresh, onReset: refresh });
  const stopTheme = onTheme(draw);
  const size = new ResizeObserver(refresh);
  size.observe(root);
  return () => {
    stop();
    stopTheme();
    refresh.cancel();
    size.disconnect();
  };
}

/** Runs that have a parent or a child. */
function grown(nodes) {
  const parents = new Set(nodes.filter((n) => n.parent).map((n) => n.parent.run));
  return nodes.filter((n) => n.parent || parents.has(n.run));
}

/** Every run below its parent; a later fork nearer to it, so that links do not cross. */
function ordered(nodes) {
  const here = new Set(nodes.map((n) => n.run));
  const children = new Map();
  const roots = [];
  for (const node of nodes) {
    if (node.parent && here.has(node.parent.run))
      children.set(node.parent.run, [...(children.get(node.parent.run) ?? []), node]);
    else roots.push(node);
  }
  const lanes = [];
  const rest = roots.reverse(); // a stack: a chain of a thousand retries must not overflow the calls
  while (rest.length) {
    const node = rest.pop();
    lanes.push(node);
    rest.push(...(children.get(node.run) ?? []).sort((a, b) => a.parent.step - b.parent.step));
  }
  return lanes;
}

function tree(nodes, study, room_px) {
  const width = Math.max(room_px - 8, 320);
  const height = TOP_PX + nodes.length * LANE_PX + 12;
  const last = Math.max(1, ...nodes.map((n) => number(n.step) ?? 0));
  const x = (step) => LEFT_PX + ((width - LEFT_PX - RIGHT_PX) * step) / last;
  const lane = new Map(nodes.map((n, i) => [n.run, TOP_PX + i * LANE_PX + LANE_PX / 2]));
  const ticks = splits(0, last, false, Math.floor(width / 110)).map((step) => [
    svg("line", { x1: x(step), x2: x(step), y1: TOP_PX - 6, y2: height, stroke: css("grid") }),
    svg("text", { x: x(step), y: 18, "text-anchor": "middle", class: "tree-tick" }, count(step)),
  ]);
  const runs = nodes.map((node) => branch(node, lane, x, width, study));
  return svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": t("nav.lineage") },
    ticks,
    runs,
  );
}

function branch(node, lane, x, width, study) {
  const y = lane.get(node.run);
  const step = number(node.step) ?? 0;
  const from = node.parent?.step ?? 0;
  const color = stateColor(node.state);
  const parentY = node.parent && lane.get(node.parent.run);
  const words = t(node.parent ? "tree.run.from" : "tree.run", {
    run: node.run,
    state: t(`state.${node.state}`),
    kind: t(`tree.${node.kind}`),
    step: count(step),
    best: short(node.best),
    parent: node.parent?.run,
    at: node.parent && count(node.parent.step),
  });
  const link =
    parentY !== undefined &&
    parentY !== null &&
    svg("path", {
      d: `M${x(from)} ${parentY} V${y - 6} Q${x(from)} ${y} ${x(from) + 6} ${y}`,
      fill: "none",
      stroke: css("faint"),
      "stroke-width": 1.5,
      "stroke-dasharray": node.kind === "retry" ? "3 3" : null,
    });
  const end = Math.max(x(step), x(from) + 8);
  const best = number(node.best);
  const fits = end + BEST_PX < width;
  const beside = fits ? { x: end + 10, y: y + 4 } : { x: end - 8, y: y - 5, "text-anchor": "end" };
  return [
    link,
    svg(
      "a",
      { href: runHref(study, node.run), class: "tree-run", "aria-label": words },
      svg("title", {}, words),
      svg("rect", { x: 0, y: y - LANE_PX / 2, width: "100%", height: LANE_PX, class: "tree-hit" }),
      svg("line", {
        x1: x(from) + (link ? 5 : 0),
        x2: end,
        y1: y,
        y2: y,
        stroke: color,
        "stroke-width": 3,
        "stroke-linecap": "round",
      }),
      svg("circle", { cx: end, cy: y, r: 4.5, fill: color }),
      svg("text", { x: 12, y: y + 4, class: "tree-name" }, node.run),
      best !== null && svg("text", { ...beside, class: "tree-best" }, short(best)),
    ),
  ];
}
