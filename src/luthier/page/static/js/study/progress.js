// What was spent against the best value so far.
import { get } from "../api.js";
import { createChart, spansDecades } from "../chart.js";
import { css, onTheme } from "../colors.js";
import { segments } from "../controls.js";
import { h, throttle } from "../dom.js";
import { count, duration, numbers, short } from "../format.js";
import { t } from "../i18n.js";
import { runHref } from "../route.js";

/** The panel. Returns {el, leave}. */
export function progressPanel(data) {
  const holder = h("div", { class: "body" });
  let by = "steps";
  let last = null;
  let gone = false;
  const choice = segments(t("progress.title"), [["steps", t("progress.steps")], ["time_s", t("progress.time_s")]], by, (key) => {
    by = key;
    chart.change({ xTime: by === "time_s", xFormat: by === "time_s" ? undefined : count });
    draw();
  });
  const el = h("section", { class: "panel", "aria-label": t("progress.title") },
    h("header", {}, h("h2", {}, t("progress.title")), h("span", { class: "grow" }), choice), holder);
  const chart = createChart(holder, {
    height: 220, label: t("progress.title"), none: t("curves.none"), xFormat: count,
    tip: (hit) => h("div", {}, h("b", {}, short(hit.y)), h("div", { class: "quiet" },
      `${by === "steps" ? `${count(hit.x)} ${t("progress.steps")}` : duration(hit.x)}`), runs()[hit.index] ? h("div", {}, t("nav.run", { run: runs()[hit.index] })) : null),
    onClick: (hit) => {
      const run = runs()[hit.index];
      if (run) location.hash = runHref(data.name, run);
    },
  });
  const runs = () => last?.run ?? [];
  function draw() {
    if (!last) return;
    const x = numbers(last[by]);
    const y = numbers(last.best);
    const yLog = spansDecades([y]);
    if (yLog !== Boolean(chart.options.yLog)) chart.change({ yLog });
    chart.set([{ key: "best", x, y, color: css("accent"), width: 2, stepped: true }]);
  }
  async function load() {
    try {
      last = await get(data.path("progress"));
      if (gone) return;
      data.steps_spent = last.steps.at(-1) ?? 0;
      if (data.info.budget?.steps) data.tell("study");
      draw();
    } catch {
      // Drawn with what there was; asked again with the next change.
    }
  }
  const later = throttle(load, 6000);
  data.on("curves", later);
  data.on("reset", load);
  const stopTheme = onTheme(draw);
  load();
  return {
    el,
    leave() {
      gone = true;
      later.cancel();
      stopTheme();
      chart.destroy();
    },
  };
}
