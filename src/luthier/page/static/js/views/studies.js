// All studies of the store.
import { get } from "../api.js";
import { fill, h, renew } from "../dom.js";
import { ago, count, duration, short } from "../format.js";
import { has, t } from "../i18n.js";
import { runHref, studyHref } from "../route.js";
import { statesBar } from "../study/states.js";

const EVERY_MS = 4000;

export default async function studies(root) {
  let stopped = false;
  let timer = 0;
  const body = h("tbody");
  const panel = h("section", { class: "panel" },
    h("header", {}, h("h1", {}, t("studies.title"))),
    h("div", { class: "scroll" }, h("table", { class: "studies" },
      h("thead", {}, h("tr", {},
        ["name", "state"].map((key) => h("th", { scope: "col" }, t(`studies.${key}`))),
        h("th", { scope: "col", class: "num" }, t("studies.best")),
        h("th", { scope: "col", class: "extra" }, t("studies.metric")),
        h("th", { scope: "col", class: "num" }, t("studies.trials")),
        h("th", { scope: "col", class: "runs extra" }, t("studies.runs")),
        h("th", { scope: "col", class: "num extra" }, t("studies.elapsed")),
        h("th", { scope: "col", class: "extra" }, t("studies.created")))),
      body)));

  const draw = (rows) => {
    if (rows.length === 0) {
      fill(root, h("section", { class: "empty" }, h("h1", {}, t("studies.none")), h("p", {}, t("studies.none.hint")),
        h("p", {}, h("code", {}, "luthier tune train.py"))));
      return;
    }
    if (!panel.isConnected) fill(root, panel);
    renew(body, rows.map((study) => h("tr", {},
      h("td", { class: "name" }, h("a", { href: studyHref(study.name) }, study.name)),
      h("td", {}, tuning(study)),
      h("td", { class: "num" }, study.best
        ? h("a", { href: runHref(study.name, study.best.run) }, short(study.best.value)) : "–"),
      h("td", { class: "quiet extra" }, `${study.goal === "maximize" ? "↑" : "↓"} ${study.metric}`),
      h("td", { class: "num" }, count(study.n_trials)),
      h("td", { class: "runs extra" }, statesBar(study.states)),
      h("td", { class: "num extra" }, duration(study.elapsed_s)),
      h("td", { class: "quiet extra" }, ago(study.created_s)))));
  };
  const ask = async () => {
    try {
      if (!document.hidden) {
        const rows = await get("/studies");
        if (!stopped) draw(rows);
      }
    } catch {
      // Shown as it was; the next question may be answered.
    }
    if (!stopped) timer = setTimeout(ask, EVERY_MS);
  };
  draw(await get("/studies"));
  timer = setTimeout(ask, EVERY_MS);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** Whether a study is being tuned, or why not. */
export function tuning(study) {
  if (study.tuning) return h("span", { class: "live row" }, h("i", { class: "dot" }), t("study.tuning"));
  return h("span", { class: "quiet", title: study.closed ? has(`closed.${study.closed}`, study.closed) : null }, t(study.closed ? "study.closed" : "study.resting"));
}
