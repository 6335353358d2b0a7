// One run, raised by hand: its curves with all that was done to it, and everything that may be done.
import { get, listen, me, studyPath } from "../api.js";
import { onTheme } from "../colors.js";
import { h, put, throttle } from "../dom.js";
import { number } from "../format.js";
import { t } from "../i18n.js";
import { createAsked } from "../run/asked.js";
import { createButtons } from "../run/buttons.js";
import { card } from "../run/cards.js";
import { createDiary } from "../run/diary.js";
import { createFindings } from "../run/findings.js";
import * as float from "../run/float.js";
import { createHead } from "../run/head.js";
import { listenKeys, showKeys } from "../run/keys.js";
import { openMenu } from "../run/menu.js";
import { createObjective } from "../run/objective.js";
import { createPanel } from "../run/panel.js";
import { changes, family } from "../run/series.js";
import { createSide } from "../run/side.js";
import { createStack } from "../run/stack.js";
import { toast } from "../toast.js";

const ENDED = ["completed", "stopped", "failed", "lost"];
const FETCH_MS = 1500;
const DIAGNOSE_MS = 5000;
const POINTS = 1000;
const TURN = 1.5; // what one press of + or − does to the learning rate
const ROOM = 6; // a young run is shown in at least a sixth of its axis

/** Fill `root` with the run; returns what ends it. */
export default async function show(root, { study: studyName, run: runId }) {
  const path = studyPath(studyName, "runs", runId);
  const [who, study, run] = await Promise.all([me(), get(studyPath(studyName)), get(path)]);
  const now = { study, run, curves: { metrics: {}, branches: [], forecast: null }, findings: [] };
  const objective = study.metric;

  const mayAct = () => who.role === "owner" && !who.read_only;
  const blocked = () => {
    if (who.role !== "owner") return t("blocked.viewer");
    if (who.read_only) return t("blocked.readonly");
    return ENDED.includes(now.run.state) ? t("blocked.ended", { state: t(`state.${now.run.state}`) }) : "";
  };
  const asked = createAsked(studyName, runId, {
    mayAct,
    isTuning: () => now.study.tuning,
    onAnswer: () => refresh(),
  });
  const undo = (entry) => {
    float.hide();
    asked.ask(
      { kind: "roll_back", to: `before:${entry.number}`, because: t("ask.undo.because", { number: entry.number }) },
      t("ask.undo", { number: entry.number }),
    );
  };
  const cards = (entries) =>
    h(
      "div",
      { class: "entry-cards" },
      entries.map((entry) => card(entry, objective, blocked() ? null : undo)),
    );
  const onCheckpoint = (anchor, checkpoint) => {
    openMenu(anchor, checkpoint, {
      run: now.run,
      space: now.study.space,
      metric: objective,
      asked,
      blocked: { rollback: blocked(), fork: mayAct() ? "" : blocked() },
    });
  };

  const buttons = createButtons(asked.ask);
  const head = createHead(studyName, buttons.root);
  const stack = createStack({
    onStep: (step) => (chart.readAt(step), side.readAt(step)),
    onZoom: (zoomed) => chart.onZoom(zoomed),
  });
  const panel = createPanel(asked);
  const findings = createFindings(asked.ask);
  const diary = createDiary(objective, undo);
  // The charts measure the room they have, so they come into a page that stands.
  const main = h("div", { class: "run-chart-area" });
  const beneath = h("div", { class: "run-side-area" });
  put(
    root,
    h(
      "div",
      { class: "run-view" },
      head.root,
      main,
      h("aside", { class: "run-aside stack" }, asked.root, panel.root, findings.root),
      beneath,
      diary.root,
    ),
  );
  const chart = createObjective(stack, { objective, onCheckpoint, cards });
  const side = createSide(stack, { objective, onChoose: () => load() });
  put(main, chart.root);
  put(beneath, side.root);

  function draw() {
    const last = number(now.run.step) ?? 0;
    const most = now.study.max_steps ?? last;
    const ended = ENDED.includes(now.run.state);
    stack.span(0, ended ? last : Math.min(Math.max(most, last), Math.max(last * ROOM, 1)));
    head.update(now.run, now.study);
    buttons.update(now.run, blocked());
    chart.update(now.run, now.curves);
    side.update(now.run, now.curves);
    panel.update(now.run, blocked());
    findings.update(now.findings, now.run, blocked());
    diary.update(now.run.entries, !blocked());
  }

  // One at a time: when the server is slower than the news, an answer would be outdated by the next
  // question each time.
  let loading = null;
  let again = false;
  let left = false;
  async function load() {
    again = loading !== null;
    loading ??= fetchAll().finally(() => {
      loading = null;
      if (again && !left) refresh();
    });
    return loading;
  }

  async function fetchAll() {
    try {
      const found = await get(path);
      const shared = family(found.metrics, objective).filter((n) => found.metrics.includes(n));
      side.know(found.metrics);
      const metrics = [...shared, ...side.wanted()].join(",");
      const curves = await get(`${path}/curves`, { points: POINTS, metrics });
      if (left) return;
      Object.assign(now, { run: found, curves });
      draw();
    } catch (error) {
      if (error.status !== 0 && !left) toast(error.message, "bad"); // 0: the line is down, which is shown already
    }
  }
  const refresh = throttle(load, FETCH_MS);
  const diagnose = throttle(async () => {
    try {
      now.findings = await get(`${path}/diagnoses`);
      if (left) return;
      findings.update(now.findings, now.run, blocked());
    } catch (error) {
      if (error.status !== 0) toast(error.message, "bad");
    }
  }, DIAGNOSE_MS);

  function hear(change) {
    if (change.study) Object.assign(now.study, change.study);
    const row = change.rows?.find((r) => r.id === runId);
    const grown = change.curves?.[runId];
    const acted = change.entries?.some((e) => e.run === runId || e.parent === runId);
    if (row) Object.assign(now.run, row, { error: now.run.error || row.error });
    if (grown) append(grown);
    if (row || grown || acted) {
      draw();
      refresh();
      diagnose();
    } else head.update(now.run, now.study);
  }

  // New points are drawn at once; what is fetched a moment later replaces them.
  function append({ from, x, y }) {
    const curve = (now.curves.metrics[objective] ??= { x: [], y: [] });
    if (typeof from === "number") {
      const n = curve.x.findIndex((step) => step > from); // a rollback: what came later is no more
      if (n >= 0) curve.x.length = curve.y.length = n;
    }
    x.forEach((step, i) => {
      if (curve.x.length && step <= curve.x.at(-1)) return;
      curve.x.push(step);
      curve.y.push(y[i]);
    });
  }

  const turn = (factor) => {
    const wish = panel.turn(factor);
    if (wish)
      asked.ask(
        { kind: "change", params: { [wish.name]: wish.value }, because: t("ask.key") },
        `${wish.name}=${wish.value}`,
      );
    else toast(blocked() || t("keys.no.rate"));
  };
  const stopKeys = listenKeys({
    p: buttons.turn,
    m: buttons.mark,
    b: buttons.best,
    s: buttons.stop,
    u: () => {
      const last = changes(now.run.entries)
        .filter((e) => e.kind === "change")
        .at(-1);
      if (last && !blocked()) undo(last);
    },
    "+": () => turn(TURN),
    "-": () => turn(1 / TURN),
    ":": panel.focus,
    1: () => findings.remedy(0),
    2: () => findings.remedy(1),
    3: () => findings.remedy(2),
    "?": () => showKeys(head.help),
  });
  head.help.addEventListener("click", () => showKeys(head.help));

  await load();
  diagnose();
  const stopListening = listen(studyName, {
    onChange: hear,
    onReset: () => (
      load(),
      diagnose(),
      get(studyPath(studyName))
        .then((s) => Object.assign(now.study, s))
        .catch(() => {})
    ),
    onState: (how) => {
      head.live(how);
      if (how === "live") refresh(); // what happened since the first look
    },
  });
  const stopTheme = onTheme(draw);
  return () => {
    left = true;
    stopListening();
    stopTheme();
    stopKeys();
    refresh.cancel();
    diagnose.cancel();
    asked.close();
    float.hide();
    stack.close();
  };
}
