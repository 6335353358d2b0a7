// What is wrong with the run: the finding, its numbers, its likely causes, and remedies to ask for.
import { fill, h } from "../dom.js";
import { count, short, value } from "../format.js";
import { has, say, t } from "../i18n.js";
import { whenChanged } from "./changed.js";

const N_OPEN = 2; // the first explain most; the others are opened by who wants them

/** `update(findings, run, blocked)`; `ask(body, words)` posts. `remedy(n)` asks for the n-th finding's. */
export function createFindings(ask) {
  const list = h("div", { class: "findings" });
  const root = h("section", { class: "panel findings-panel" }, h("header", {}, h("h2", {}, t("find.title"))), list);
  let first = []; // what keys 1, 2, 3 ask for

  const update = whenChanged(
    (findings, run, blocked) => [findings, run.live, run.checkpoints, blocked],
    (findings, run, blocked) => {
      first = [];
      const able = new Map(run.live.map((live) => [live.name, live]));
      const steps = run.checkpoints.map((c) => c.step).sort((a, b) => a - b);
      fill(
        list,
        findings.length
          ? findings.map((finding, i) => one(finding, i, able, steps, blocked))
          : h("p", { class: "nothing quiet" }, t("find.none")),
      );
    },
  );

  function one(finding, index, able, checkpoints, blocked) {
    const because = `${finding.id} ${say(finding.name)}`;
    const grave = severity(finding.severity);
    // what trained after the onset is spoilt: the last checkpoint from before it is offered as well
    const saved = checkpoints.findLast((step) => step < finding.onset);
    const remedies = (finding.remedies ?? []).map((remedy) => {
      const target = remedy.value;
      const live = able.get(remedy.name);
      if (!live || target === null || target === undefined || isOutside(live, target)) return told(remedy);
      const words = `${remedy.name} ${value(live.value)} → ${value(target)}`;
      const go = () =>
        ask({ kind: "change", params: { [remedy.name]: target }, because }, `${remedy.name}=${value(target)}`);
      if (grave !== "note" && !blocked) first[index] ??= go;
      return h(
        "div",
        { class: "remedy" },
        h(
          "button",
          { disabled: Boolean(blocked), title: blocked || because, onClick: go },
          t("find.ask", { change: words }),
        ),
        grave === "critical" &&
          saved !== undefined &&
          h(
            "button",
            {
              disabled: Boolean(blocked),
              title: blocked || because,
              onClick: () =>
                ask(
                  { kind: "roll_back", to: saved, params: { [remedy.name]: target }, because },
                  `${t("ask.rollback", { step: count(saved) })} ${remedy.name}=${value(target)}`,
                ),
            },
            t("find.back", { step: count(saved), change: words }),
          ),
        remedy.words && h("span", { class: "quiet small" }, say(remedy.words)),
      );
    });
    const open = index < N_OPEN;
    const link = h("a", { class: "mono", href: `#/k/${encodeURIComponent(finding.id)}` }, finding.id);
    const title = [
      open ? link : h("span", { class: "mono quiet" }, finding.id),
      h("b", {}, say(finding.name)),
      h("span", { class: "grow" }),
      h("span", { class: "pill" }, t(`severity.${grave}`)),
    ];
    const body = [
      h(
        "p",
        { class: "quiet small" },
        !open && [link, " · "],
        t("find.sure", { share: Math.round(100 * finding.confidence), step: count(finding.onset) }),
      ),
      h("p", {}, say(finding.words)),
      evidence(finding.evidence),
      finding.causes?.length > 0 &&
        h(
          "details",
          {},
          h("summary", { class: "small" }, t("find.causes")),
          h(
            "ul",
            {},
            finding.causes.map((cause) => h("li", {}, say(cause.words ?? cause))),
          ),
        ),
      remedies.length > 0 && h("div", { class: "remedies" }, remedies),
    ];
    if (open) return h("article", { class: `finding ${grave}` }, h("header", {}, title), body);
    return h("details", { class: `finding ${grave}` }, h("summary", {}, title), h("div", {}, body));
  }

  return { root, update, remedy: (n) => (first[n] ? (first[n](), true) : false) };
}

function told(remedy) {
  return h(
    "div",
    { class: "remedy" },
    remedy.words && h("span", {}, say(remedy.words)),
    remedy.command && h("code", {}, remedy.command),
  );
}

const isOutside = ({ low, high }, target) =>
  (typeof low === "number" && target < low) || (typeof high === "number" && target > high);

function evidence(facts) {
  const rows = Array.isArray(facts)
    ? facts
    : Object.entries(facts ?? {}).map(([name, fact]) => ({ name, value: fact }));
  if (!rows.length) return null;
  return h(
    "ul",
    { class: "evidence small" },
    rows.map((fact) => h("li", {}, factWords(fact))),
  );
}

function factWords(fact) {
  if (typeof fact === "string") return fact;
  if (fact.words) return say(fact.words);
  if ("en" in fact) return say(fact);
  const limit =
    fact.limit === null || fact.limit === undefined ? "" : ` ${t("find.limit", { limit: short(fact.limit) })}`;
  return `${has(`fact.${fact.name}`, fact.name)} ${value(fact.value)}${limit}`;
}

function severity(given) {
  const words = ["note", "warning", "critical"];
  return typeof given === "number" ? words[given] : words.includes(given) ? given : "warning";
}
