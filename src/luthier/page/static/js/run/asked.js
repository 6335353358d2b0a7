// Orders to a run: posted, followed by their ticket, told as they are answered.
import { get, post, studyPath } from "../api.js";
import { fill, h } from "../dom.js";
import { t } from "../i18n.js";
import { icon } from "./icons.js";
import { answerWords } from "./words.js";

const POLL_MS = 300;
const SLOW_MS = 2000; // once it has waited this long for a tuner, ask less often
const SLOW_AFTER = 60;
const PATIENCE = 8; // polls before it is said that nobody is there to obey
const N_SHOWN = 6;

/** `ask(body, words)` posts and shows what becomes of it; `onAnswer()` when something has. */
export function createAsked(study, run, { onAnswer, mayAct, isTuning }) {
  const list = h("ol", { class: "asked", role: "log", "aria-live": "polite", "aria-label": t("run.asked") });
  const root = h(
    "section",
    { class: "panel asked-panel", hidden: true, "aria-label": t("run.asked") },
    h("header", {}, h("h2", {}, t("run.asked"))),
    list,
  );
  let closed = false;

  async function ask(body, words) {
    if (!mayAct()) return null;
    root.hidden = false;
    const fate = h("span", { class: "fate" }, t("fate.sending"));
    const item = h("li", { class: "is-asked" }, icon(body.kind), h("span", { class: "wish" }, words), fate);
    list.prepend(item);
    while (list.children.length > N_SHOWN) list.lastChild.remove();
    const tell = (state, text) => {
      item.className = `is-${state}`;
      fill(fate, text);
    };
    try {
      const { ticket } = await post(studyPath(study, "runs", run, "actions"), body);
      tell("asked", t("fate.waiting"));
      const answer = await follow(ticket, tell, Object.keys(body.params ?? {}));
      if (body.kind === "fork" && answer?.state === "obeyed")
        fate.append(" ", h("a", { href: `#/s/${encodeURIComponent(study)}/lineage` }, t("run.lineage")));
      return answer;
    } catch (error) {
      const hint = error.hint ? ` ${error.hint}` : "";
      tell("refused", t("fate.refused.why", { why: error.message + hint }));
      return { state: "refused", why: error.message };
    }
  }

  async function follow(ticket, tell, names) {
    for (let n = 0; !closed; n += 1) {
      await new Promise((done) => setTimeout(done, n < SLOW_AFTER ? POLL_MS : SLOW_MS));
      let answer;
      try {
        answer = await get(studyPath(study, "tickets", ticket));
      } catch (error) {
        if (error.status === 0 || error.status >= 500) continue; // the server comes back
        throw error;
      }
      const alone = answer.state === "waiting" && n > PATIENCE && !isTuning();
      tell(answer.state, alone ? t("fate.alone") : answerWords(answer, names));
      if (answer.state === "obeyed" || answer.state === "refused") {
        onAnswer(answer);
        return answer;
      }
    }
    return null;
  }

  return { root, ask, close: () => (closed = true) };
}
