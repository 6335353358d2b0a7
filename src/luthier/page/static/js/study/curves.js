// The caviar picture: curves of many runs at once, coloured by what made them different.
import { get } from "../api.js";
import { createChart, spansDecades, typical } from "../chart.js";
import { css } from "../colors.js";
import { segments, toggle } from "../controls.js";
import { h, throttle } from "../dom.js";
import { count, numbers } from "../format.js";
import { t } from "../i18n.js";
import { recall, remember } from "../memory.js";
import { runHref } from "../route.js";
import { smooth } from "../smooth.js";
import { colorChooser, colorLegend } from "./coloring.js";
import { readRow } from "./data.js";
import { heads } from "./heads.js";
import { atPoint, runTip } from "./tip.js";

const MANY = [25, 50, 100, 200, 500];
const ALPHA = { running: 1, completed: 0.9, pending: 0.6, paused: 0.5, stopped: 0.38, failed: 0.6, lost: 0.4 };
const ORDER = ["pending", "lost", "stopped", "failed", "paused", "completed", "running"];
const CHUNK = 250; // runs named in one question, so that the address stays short
const DOTS = 3; // live points are appended; after this many thousand a curve is fetched again, thinned

/** The panel of curves. Returns {el, leave}. */
export function curvesPanel(data, colors) {
  const { info } = data;
  const key = `curves.${data.name}`;
  const view = { metric: info.metric, x: "step", xLog: false, yLog: null, smooth: 0, top: 100, far: false, ...recall(key) };
  if (!info.metrics.includes(view.metric)) view.metric = info.metric;
  const rows = new Map(); // run → row
  const curves = new Map(); // run → {x, y, even}: points as they came and smoothed
  let best = null;
  let all = 0; // runs that fit the filter
  let turn = 0;
  let gone = false;
  const stopAsking = new AbortController();

  const keep = () => remember(key, { ...view, metric: view.metric === info.metric ? undefined : view.metric });
  const logarithmic = (name) => toggle(t(`curves.${name === "xLog" ? "logX" : "logY"}`), Boolean(view[name]), (on) => {
    view[name] = on;
    keep();
    chart.change({ [name]: on });
  }, t(`curves.${name === "xLog" ? "logX" : "logY"}.title`));
  const logY = logarithmic("yLog");
  const byX = segments(t("curves.x"), [["step", t("axis.step")], ["time", t("axis.time")]], view.x, (x) => {
    view.x = x;
    keep();
    chart.setZoom(null);
    chart.change({ xTime: x === "time" });
    load();
  });
  const far = toggle("", view.far, (on) => {
    view.far = on;
    keep();
    chart.grown();
  }, t("curves.far.title"));
  far.hidden = true;
  const back = h("button", { hidden: true, onClick: () => chart.reset() }, t("curves.unzoom"));
  const note = h("span", { class: "quiet small", role: "status" });
  const whole = h("button", { hidden: !data.filtered(), onClick: () => data.change({ where: "", text: "", states: [], brushes: {} }) }, t("filter.clear"));
  const holder = h("div", { class: "body" });
  const el = h("section", { class: "panel curves", "aria-label": t("curves.title") },
    h("header", {},
      h("h2", {}, info.metrics.length > 1 ? metricChooser() : info.metric), note, whole, h("span", { class: "grow" }), far, back,
      h("label", {}, t("curves.smooth"), h("input", {
        type: "range", min: 0, max: 0.98, step: 0.02, value: view.smooth, onInput: (event) => {
          view.smooth = Number(event.target.value);
          keep();
          curves.forEach(even);
          paint();
        },
      })),
      byX, h("span", { class: "segments", role: "group", "aria-label": t("curves.log") }, logarithmic("xLog"), logY),
      h("label", {}, h("span", { class: "sr" }, t("curves.top")), h("select", {
        title: t("curves.top"), onChange: (event) => {
          view.top = Number(event.target.value);
          keep();
          load();
        },
      }, MANY.map((n) => h("option", { value: n, selected: n === view.top }, t("curves.best_n", { n })))))),
    h("div", { class: "legend-row" }, colorChooser(data, colors), colorLegend(colors)), holder);

  const chart = createChart(holder, {
    height: innerWidth < 720 ? 280 : 420,
    label: t("curves.aria", { metric: info.metric }),
    xLog: view.xLog,
    yLog: Boolean(view.yLog),
    none: t("curves.loading"),
    xTime: view.x === "time",
    tip: (hit) => runTip(rows.get(hit.curve.key), atPoint(view.metric, hit.x, hit.curve.shown?.[hit.index] ?? hit.y, view.x), hit.curve.color),
    onHover: (hit) => data.hover(hit?.curve.key ?? null),
    onClick: (hit) => {
      location.hash = runHref(data.name, hit.curve.key);
    },
    onZoom: (zoom) => {
      back.hidden = !zoom;
    },
    yOf: (list, log) => {
      const near = typical(list, log, worse());
      const n = list.length - near.length;
      far.hidden = n === 0;
      far.textContent = t("curves.far", { n });
      return view.far ? list : near;
    },
    over: (drawn) => heads(drawn, { rows, curves, best, colors }),
  });

  function metricChooser() {
    return h("select", { "aria-label": t("curves.metric"), onChange: (event) => {
      view.metric = event.target.value;
      keep();
      chart.setZoom(null);
      load();
    } }, info.metrics.map((name) => h("option", { value: name, selected: name === view.metric }, name)));
  }

  // Which way is bad, where that is known.
  function worse() {
    return view.metric === info.metric ? (a, b) => data.better(b, a) : null;
  }

  const even = (curve) => {
    curve.even = smooth(curve.y, view.smooth);
  };

  // The runs to show: the best of the filter, and those that train now.
  async function load() {
    turn += 1;
    const mine = turn;
    el.setAttribute("aria-busy", "true");
    try {
      const ask = (more) => get(data.path("runs"), { ...data.query(), sort: "best", ...more }, stopAsking.signal);
      const { states } = data.filter;
      const [top, training] = await Promise.all([
        ask({ limit: view.top }),
        states.length && !states.includes("running") ? { rows: [] } : ask({ state: "running", limit: 100 }),
      ]);
      if (mine !== turn) return;
      const wanted = new Map([...top.rows, ...training.rows].map((row) => [row.id, readRow(row)]));
      const found = await fetchCurves([...wanted.keys()]);
      if (mine !== turn || gone) return;
      rows.clear();
      curves.clear();
      for (const [run, row] of wanted) rows.set(run, row);
      for (const curve of found) curves.set(curve.run, curve);
      all = top.total;
      tell();
      colors.scaleTo([...rows.values()]);
      chooseLog();
      chart.options.none = t(data.filtered() ? "table.none" : "curves.none");
      paint();
    } catch (error) {
      if (error.name !== "AbortError" && mine === turn) note.textContent = error.message;
    } finally {
      if (mine === turn) el.removeAttribute("aria-busy");
    }
  }

  const tell = () => {
    note.textContent = all > rows.size ? t("curves.of", { n: count(rows.size), all: count(all) }) : t("curves.n", { n: count(rows.size) });
  };

  async function fetchCurves(runs) {
    const parts = [];
    for (let k = 0; k < runs.length; k += CHUNK) parts.push(runs.slice(k, k + CHUNK));
    const points = runs.length > 200 ? 200 : 300;
    const answers = await Promise.all(parts.map((part) => get(data.path("curves"),
      { runs: part.join(","), metric: view.metric, x: view.x, points }, stopAsking.signal)));
    return answers.flatMap((answer) => answer.curves).map((curve) => {
      const read = { run: curve.run, x: numbers(curve.x), y: numbers(curve.y) };
      even(read);
      return read;
    });
  }

  function paint() {
    best = null;
    for (const row of rows.values()) {
      if (row.best !== null && !Number.isNaN(row.best) && (best === null || data.better(row.best, best.best))) best = row;
    }
    const order = (row) => (row === best ? 99 : ORDER.indexOf(row.state));
    const shown = [...rows.values()].filter((row) => curves.get(row.id)?.x.length).sort((a, b) => order(a) - order(b));
    const list = [];
    for (const row of shown) {
      const { x, y, even: line } = curves.get(row.id);
      const color = colors.of(row);
      if (row === best) list.push({ key: "", x, y: line, color: css("paper"), width: 6, plain: true });
      list.push({ key: row.id, x, y: line, shown: y, raw: view.smooth > 0 ? y : null, color,
        width: row === best ? 3.2 : row.state === "running" ? 1.8 : 1.3,
        alpha: row === best ? 1 : ALPHA[row.state] ?? 1, dash: row.state === "failed" ? [4, 3] : null });
    }
    chart.set(list);
  }

  // Until somebody says otherwise.
  function chooseLog() {
    if (view.yLog !== null) return;
    const near = typical([...curves.values()], false, worse());
    const log = spansDecades(near.map((curve) => curve.y));
    if (log === chart.options.yLog) return;
    logY.setAttribute("aria-pressed", String(log));
    chart.change({ yLog: log });
  }

  // Changes as they come.
  const soon = throttle(load, 4000);
  const missing = new Set();
  const fetchMissing = throttle(async () => {
    const runs = [...missing];
    missing.clear();
    try {
      for (const curve of await fetchCurves(runs)) curves.set(curve.run, curve);
      if (!gone) paint();
    } catch {
      // Asked again with the next change.
    }
  }, 1000);
  const repaint = throttle(paint, 250);
  data.on("rows", (changed) => {
    const fits = data.test();
    for (const row of changed) {
      if (!fits(row)) {
        rows.delete(row.id);
        curves.delete(row.id);
      } else if (rows.has(row.id)) rows.set(row.id, row);
      else if (row.state === "running" || rows.size < view.top) {
        rows.set(row.id, row);
        if (row.step > 0) missing.add(row.id);
      } else soon(); // it may have come among the best
    }
    all = Math.max(all, rows.size);
    tell();
    colors.scaleTo([...rows.values()]);
    if (missing.size) fetchMissing();
    repaint();
  });
  data.on("curves", (news) => {
    if (view.x !== "step" || view.metric !== info.metric) {
      soon();
      return;
    }
    for (const [run, { x, y, from }] of Object.entries(news)) {
      if (!rows.has(run)) continue;
      const curve = curves.get(run);
      if (curve && from !== undefined) {
        // Rolled back: what came after `from` is no more.
        const left = from === null ? 0 : curve.x.findLastIndex((step) => step <= from) + 1;
        curve.x.length = curve.y.length = left;
      }
      if (!curve || curve.x.length > DOTS * 1000 || x[0] <= curve.x.at(-1)) {
        missing.add(run);
        continue;
      }
      curve.x.push(...x);
      curve.y.push(...numbers(y));
      even(curve);
    }
    if (missing.size) fetchMissing();
    repaint();
  });
  data.on("filter", () => {
    whole.hidden = !data.filtered();
    load();
  });
  data.on("reset", load);
  data.on("hover", (run) => {
    if (!chart.hit) chart.highlight(run);
  });
  colors.onChange(() => paint());
  load();
  return {
    el,
    leave() {
      gone = true;
      stopAsking.abort();
      [soon, fetchMissing, repaint].forEach((work) => work.cancel());
      chart.destroy();
    },
  };
}
