// The top of the run view: what it is, how far it is, how good it is.
import { fill, h } from "../dom.js";
import { count, duration, number, short, value } from "../format.js";
import { because, t } from "../i18n.js";
import { runHref } from "../route.js";
import { whenChanged } from "./changed.js";

/** `update(run, study)`, `live("live" | "lost")`. */
export function createHead(studyName, buttons) {
  const title = h("div", { class: "run-title" });
  const facts = h("dl", { class: "facts" });
  const params = h("div", { class: "run-params mono small" });
  const notes = h("div", { class: "run-notes" });
  const state = h("span", { class: "live", role: "status" }, h("span", { class: "dot" }), h("span", {}, ""));
  const help = h("button", { class: "icon", title: t("keys.title"), "aria-label": t("keys.title") }, "?");
  const root = h(
    "header",
    { class: "run-head" },
    h(
      "div",
      { class: "run-line" },
      title,
      h("span", { class: "grow" }),
      state,
      h("div", { class: "run-actions" }, buttons, help),
    ),
    facts,
    params,
    notes,
  );

  const entitle = whenChanged(
    (run) => [run.id, run.state, run.held, run.parent],
    (run) => {
      fill(
        title,
        h("h1", {}, t("run.title", { run: run.id })),
        h("span", { class: `state ${run.state}` }, t(`state.${run.state}`)),
        run.held && h("span", { class: "pill" }, t("run.held")),
        run.parent &&
          h(
            "a",
            { class: "small", href: runHref(studyName, run.parent.run) },
            t("run.parent", { run: run.parent.run, step: count(run.parent.step) }),
          ),
        h("a", { class: "small", href: `#/s/${encodeURIComponent(studyName)}/lineage` }, t("run.lineage")),
      );
    },
  );
  const list = whenChanged(
    (run) => run.params,
    (run, study) => {
      const terms = new Map(study.space.map((one) => [one.name, one.term]));
      fill(
        params,
        Object.entries(run.params).map(([name, v]) => {
          const term = terms.get(name);
          return h(
            "span",
            { class: "param" },
            term ? h("a", { href: `#/k/${encodeURIComponent(term)}` }, name) : name,
            "=",
            h("b", {}, v === "" ? t("live.empty") : value(v)),
          );
        }),
      );
    },
  );
  const isIdle = (run, study) => !study.tuning && !["completed", "stopped", "failed", "lost"].includes(run.state);
  const remark = whenChanged(
    (run, study) => [run.state, run.reason, run.error, isIdle(run, study)],
    (run, study) => {
      fill(
        notes,
        run.reason &&
          run.state !== "running" &&
          h("p", { class: "quiet small" }, t("run.reason", { reason: because(run.reason) })),
        isIdle(run, study) && h("p", { class: "idle-note small" }, t("run.idle"), " ", h("code", {}, "luthier resume")),
        run.error &&
          h(
            "details",
            { class: "run-error" },
            h("summary", { class: "bad" }, run.error.trim().split("\n").at(-1)),
            h("pre", {}, run.error),
          ),
      );
    },
  );

  function update(run, study) {
    entitle(run);
    list(run, study);
    remark(run, study);
    const most = study.max_steps ? ` / ${count(study.max_steps)}` : "";
    const best = number(run.best);
    fill(
      facts,
      fact(t("run.step"), count(run.step) + most),
      fact(study.metric, short(run.last), t("run.last")),
      fact(t("run.best"), short(run.best), best === null ? "" : t("run.at", { step: count(run.best_step) })),
      fact(t("run.train"), duration(run.train_s)),
      run.seed !== null && run.seed !== undefined && fact(t("run.seed"), String(run.seed)),
    );
  }
  return {
    root,
    help,
    update,
    live(how) {
      state.className = how === "live" ? "live small" : "live lost small";
      state.lastChild.textContent = t(how === "live" ? "run.live" : "run.lost");
    },
  };
}

function fact(name, words, more = "") {
  return h("div", {}, h("dt", {}, name), h("dd", {}, words, more && h("span", { class: "quiet small" }, ` ${more}`)));
}
