// The head of a study: what is sought, the best so far, budgets, how many runs stand where.
import { h, renew } from "../dom.js";
import { count, duration, short } from "../format.js";
import { has, t } from "../i18n.js";
import { runHref, studyHref } from "../route.js";
import { tuning } from "../views/studies.js";
import { STATES, statesBar } from "./states.js";

/** The head; the counts of states filter when clicked. Returns {el, leave}. */
export function head(data) {
  const el = h("section", { class: "panel head" });
  const title = h("div", { class: "title" });
  const facts = h("dl", { class: "facts" });
  const states = h("div", { class: "states-row" });
  const chips = Object.fromEntries(STATES.map((state) => [state, h("button", {
    class: "chip", hidden: true, title: t("filter.state"), onClick: () => {
      const { states: picked } = data.filter;
      data.change({ states: picked.includes(state) ? picked.filter((s) => s !== state) : [...picked, state] });
    },
  }, h("span", { class: `state ${state}` }, t(`state.${state}`)), h("b"))]));
  el.append(title, h("div", { class: "facts-row" }, facts, h("div", { class: "row" }, Object.values(chips))), states);
  let connection = "live";
  let clock = performance.now();

  const fact = (name, value, part = null) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value), part === null ? null : budgetBar(part));

  const draw = () => {
    const { info } = data;
    renew(title, h("h1", {}, info.name),
      h("span", { class: "pill" }, tuning(info)),
      info.closed && info.closed !== "finished" ? h("span", { class: "quiet small cut" }, has(`closed.${info.closed}`, info.closed)) : null,
      connection === "lost" ? h("span", { class: "pill live lost", role: "status" }, h("i", { class: "dot" }), t("study.lost")) : null,
      h("span", { class: "grow" }),
      h("span", { class: "quiet small policy" }, [info.policy, info.seed === null || info.seed === undefined ? null : t("study.seed", { seed: info.seed })].filter(Boolean).join(" · ")),
      h("a", { class: "button", href: `${studyHref(info.name)}/lineage` }, t("nav.lineage")));
    const { budget } = info;
    const elapsed = info.elapsed_s + (info.tuning ? (performance.now() - clock) / 1000 : 0);
    renew(facts,
      h("div", { class: "first" }, h("dt", {}, t(info.goal === "maximize" ? "study.best.max" : "study.best.min", { metric: info.metric })),
        h("dd", {}, info.best ? h("a", { href: runHref(info.name, info.best.run) }, short(info.best.value)) : "–",
          info.best ? h("small", {}, t("study.best.at", { run: info.best.run, step: count(info.best.step) })) : null)),
      fact(t("study.trials"), of(count(info.n_trials), budget?.trials && count(budget.trials)), part(info.n_trials, budget?.trials)),
      fact(t("study.elapsed"), of(duration(elapsed), budget?.time_s && duration(budget.time_s)), part(elapsed, budget?.time_s)),
      budget?.steps ? fact(t("study.steps"), of(count(data.steps_spent), count(budget.steps)), part(data.steps_spent, budget.steps)) : null,
      fact(t("study.max_steps"), count(info.max_steps)));
    const { states: picked } = data.filter;
    renew(states, statesBar(info.states));
    for (const [state, chip] of Object.entries(chips)) {
      chip.hidden = !info.states[state];
      chip.setAttribute("aria-pressed", String(picked.includes(state)));
      chip.lastChild.textContent = count(info.states[state] ?? 0);
    }
  };
  data.on("study", () => {
    clock = performance.now();
    draw();
  });
  data.on("filter", draw);
  data.on("connection", (state) => {
    if (state === connection) return;
    connection = state;
    draw();
  });
  draw();
  return { el, leave() {} };
}

const of = (have, all) => (all ? [have, h("small", {}, ` / ${all}`)] : have);
const part = (have, all) => (all && Number.isFinite(have) ? Math.min(1, have / all) : null);
const budgetBar = (share) => h("div", { class: "bar" }, h("i", { style: { width: `${share * 100}%` } }));
