// Some runs beside each other, of one study or of several: their curves overlaid, and what made them different.
import { get, listen, studyPath } from "../api.js";
import { createChart, spansDecades } from "../chart.js";
import { category } from "../colors.js";
import { compareTable } from "../compare/table.js";
import { segments, toggle } from "../controls.js";
import { fill, h, throttle } from "../dom.js";
import { numbers } from "../format.js";
import { t } from "../i18n.js";
import { recall, remember } from "../memory.js";
import { pick } from "../picked.js";
import { compareHref, runHref } from "../route.js";
import { smooth } from "../smooth.js";
import { readRow } from "../study/data.js";
import { atPoint, runTip } from "../study/tip.js";

const DASHES = [null, [6, 4], [2, 3]]; // after eight colours the lines are told apart by dashes
const FOLLOWED = 3; // studies followed live; each takes one of the browser's few connections

export default async function compare(root, { runs = "" }) {
  const wanted = runs.split(",").map((pair) => pair.split(":").map(decode)).filter((pair) => pair.length === 2);
  if (!wanted.length) {
    fill(root, h("section", { class: "empty" }, h("h1", {}, t("compare.none")), h("p", {}, t("compare.none.hint")),
      h("p", {}, h("a", { class: "button", href: "#/" }, t("nav.studies")))));
    return () => {};
  }
  const view = { x: "step", xLog: false, yLog: null, smooth: 0, differing: false, metrics: null, ...recall("compare") };
  const { members, troubles } = await fetchAll(wanted);
  const studies = [...new Set(members.map((m) => m.study))];
  const all = [...new Set(members.flatMap((m) => m.info.metrics))];
  const first = [...new Set(members.map((m) => m.info.metric))];
  let shown = (view.metrics ?? []).filter((name) => all.includes(name));
  if (!shown.length) shown = first;
  const raw = new Map(); // metric → [{member, x, y}]
  const charts = new Map(); // metric → chart
  let gone = false;
  let turn = 0;

  const keep = () => remember("compare", { ...view, metrics: shown });
  const set = (name, then) => (value) => {
    view[name] = value;
    keep();
    then();
  };
  const change = (name) => set(name, () => charts.forEach((chart) => chart.change({ [name]: view[name] })));
  const holder = h("div", { class: "compare-charts" });
  const tableHolder = h("div", { class: "scroll" });
  const key = h("div", { class: "legend" }, members.map((m) => h("span", { class: "key" },
    h("i", { class: "dot", style: { background: m.color } }), h("a", { href: runHref(m.study, m.run) }, studies.length > 1 ? `${m.study} · ${m.run}` : t("nav.run", { run: m.run })))));
  const metrics = h("span", { class: "row", role: "group", "aria-label": t("compare.metric") }, all.map((name) =>
    toggle(name, shown.includes(name), (on) => {
      shown = on ? [...shown, name] : shown.filter((other) => other !== name);
      keep();
      build();
    })));
  fill(root, h("div", { class: "stack" },
    h("section", { class: "panel" },
      h("header", {}, h("h1", {}, t("compare.title")), h("span", { class: "grow" }),
        h("label", {}, t("curves.smooth"), h("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: view.smooth,
          onInput: (event) => set("smooth", paint)(Number(event.target.value)) })),
        segments(t("curves.x"), [["step", t("axis.step")], ["time", t("axis.time")]], view.x, set("x", build)),
        h("span", { class: "segments", role: "group", "aria-label": t("curves.log") },
          toggle(t("curves.logX"), view.xLog, change("xLog"), t("curves.logX.title")),
          toggle(t("curves.logY"), Boolean(view.yLog), change("yLog"), t("curves.logY.title")))),
      h("div", { class: "legend-row" }, all.length > 1 ? metrics : null, key),
      troubles.map(({ run, why }) => h("p", { class: "bad small pad", role: "alert" }, t("compare.missing", { run, why }))),
      h("div", { class: "body" }, holder)),
    h("section", { class: "panel" },
      h("header", {}, h("h2", {}, t("compare.params")), h("span", { class: "grow" }),
        toggle(t("compare.differ"), view.differing, set("differing", drawTable))),
      tableHolder)));

  function drawTable() {
    fill(tableHolder, members.length ? compareTable(members, { differing: view.differing, drop }) : null);
  }

  function drop(member) {
    pick(member.study, member.run, false);
    location.hash = compareHref(members.filter((m) => m !== member).map((m) => [m.study, m.run]));
  }

  function build() {
    charts.forEach((chart) => chart.destroy());
    charts.clear();
    holder.replaceChildren();
    holder.classList.toggle("several", shown.length > 1);
    for (const metric of shown) {
      const box = h("div", {}, h("h2", {}, metric));
      holder.append(box);
      charts.set(metric, createChart(box, {
        height: shown.length > 1 ? 280 : 380, label: t("curves.aria", { metric }), xLog: view.xLog, yLog: Boolean(view.yLog),
        none: t("curves.none"), sync: shown.length > 1 ? "compare" : null, xTime: view.x === "time",
        tip: (hit) => runTip(hit.curve.member.row, atPoint(metric, hit.x, hit.curve.shown[hit.index], view.x), hit.curve.color),
        onClick: (hit) => {
          location.hash = runHref(hit.curve.member.study, hit.curve.member.run);
        },
      }));
    }
    load();
  }

  async function load() {
    turn += 1;
    const mine = turn;
    const asked = shown.flatMap((metric) => studies.filter((study) => members.some((m) => m.study === study && m.info.metrics.includes(metric)))
      .map(async (study) => {
        const own = members.filter((m) => m.study === study);
        const answer = await get(`${studyPath(study)}/curves`, { runs: own.map((m) => m.run).join(","), metric, x: view.x, points: 600 });
        return answer.curves.map((curve) => ({ metric, member: own.find((m) => m.run === curve.run), x: numbers(curve.x), y: numbers(curve.y) }));
      }));
    try {
      const found = (await Promise.all(asked)).flat();
      if (mine !== turn || gone) return;
      raw.clear();
      for (const metric of shown) raw.set(metric, found.filter((curve) => curve.metric === metric && curve.member));
      paint();
    } catch {
      // Drawn with what there was; the next change asks again.
    }
  }

  function paint() {
    for (const [metric, chart] of charts) {
      const yLog = view.yLog ?? spansDecades((raw.get(metric) ?? []).map((curve) => curve.y));
      if (yLog !== chart.options.yLog) chart.change({ yLog });
      chart.set((raw.get(metric) ?? []).map(({ member, x, y }) => ({
        key: `${member.study}:${member.run}`, member, x, y: smooth(y, view.smooth), shown: y, raw: view.smooth > 0 ? y : null,
        color: member.color, dash: member.dash, width: 2,
      })));
    }
  }

  const soon = throttle(load, 2500);
  const stops = studies.slice(0, FOLLOWED).map((study) => listen(study, {
    onChange({ rows = [], curves = {} }) {
      let mine = false;
      for (const row of rows) {
        const member = members.find((m) => m.study === study && m.run === row.id);
        if (!member) continue;
        member.row = readRow(row);
        mine = true;
      }
      if (mine) drawTable();
      if (mine || members.some((m) => m.study === study && m.run in curves)) soon();
    },
    onReset: load,
  }));
  drawTable();
  build();
  return () => {
    gone = true;
    soon.cancel();
    stops.forEach((stop) => stop());
    charts.forEach((chart) => chart.destroy());
  };
}

async function fetchAll(wanted) {
  const infos = new Map();
  const info = (study) => {
    if (!infos.has(study)) infos.set(study, get(studyPath(study)));
    return infos.get(study);
  };
  const troubles = [];
  const found = await Promise.all(wanted.map(async ([study, run]) => {
    try {
      return { study, run, info: await info(study), row: readRow(await get(studyPath(study, "runs", run))) };
    } catch (error) {
      troubles.push({ run: `${study}:${run}`, why: error.message });
      return null;
    }
  }));
  const members = found.filter(Boolean);
  members.forEach((m, k) => Object.assign(m, { color: category(k), dash: DASHES[Math.floor(k / 8) % DASHES.length] }));
  return { members, troubles };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
