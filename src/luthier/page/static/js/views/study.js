// One study: many runs side by side.
import { h } from "../dom.js";
import { tray } from "../picked.js";
import { coloring } from "../study/coloring.js";
import { curvesPanel } from "../study/curves.js";
import { openStudy } from "../study/data.js";
import { feedPanel } from "../study/feed.js";
import { filterBar } from "../study/filter.js";
import { head } from "../study/head.js";
import { importancePanel } from "../study/importance.js";
import { parallelPanel } from "../study/parallel.js";
import { pointsOf } from "../study/points.js";
import { progressPanel } from "../study/progress.js";
import { scatterPanel } from "../study/scatter.js";
import { tablePanel } from "../study/table.js";

export default async function study(root, { study: name, ...params }) {
  const data = await openStudy(name, params);
  const colors = coloring(data);
  const points = pointsOf(data);
  const filter = filterBar(data);
  const parts = {
    head: head(data),
    curves: curvesPanel(data, colors),
    feed: feedPanel(data),
    table: tablePanel(data, filter.el),
    parallel: parallelPanel(data, colors, points),
    importance: importancePanel(data),
    scatter: scatterPanel(data, colors, points),
    progress: progressPanel(data),
    tray: tray(),
  };
  root.append(h("div", { class: "study-grid" }, Object.entries(parts).map(([key, part]) => {
    part.el.classList.add(`at-${key}`);
    return part.el;
  })));

  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, summary, [contenteditable]")) return;
    const { table } = parts;
    if (event.key === "j") table.move(1);
    else if (event.key === "k") table.move(-1);
    else if (event.key === "x") table.pick();
    else if (event.key === "/") filter.focus();
    else if (event.key === "Enter" && !event.target.closest("a, button")) table.open();
    else if (event.target.closest(".runs-scroll") && event.key === "ArrowDown") table.move(1);
    else if (event.target.closest(".runs-scroll") && event.key === "ArrowUp") table.move(-1);
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", keys);
  return () => {
    document.removeEventListener("keydown", keys);
    data.close();
    points.leave();
    colors.leave();
    Object.values(parts).forEach((part) => part.leave());
  };
}
