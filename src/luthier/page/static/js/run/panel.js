// The live parameters of a run: what they are, what they were found to be, and new values for them.
import { fill, h } from "../dom.js";
import { params as inline } from "../format.js";
import { t } from "../i18n.js";
import { createField } from "./fields.js";

/** `update(run, blocked)`: `blocked` says in words why nothing may be asked, or is empty. */
export function createPanel(asked) {
  const rows = h("div", { class: "live-rows" });
  const reason = h("input", {
    type: "text",
    id: "live-reason",
    maxLength: 500,
    autocomplete: "off",
    placeholder: t("live.reason.hint"),
  });
  const send = h("button", { type: "submit", class: "primary", disabled: true }, t("live.ask"));
  const blockedWords = h("p", { class: "blocked", hidden: true });
  const form = h(
    "form",
    { class: "live-form body" },
    rows,
    h("div", { class: "live-send" }, h("label", { for: "live-reason" }, t("live.reason")), reason, send),
  );
  const root = h(
    "section",
    { class: "panel live-panel", "aria-label": t("live.title") },
    h("header", {}, h("h2", {}, t("live.title"))),
    blockedWords,
    form,
  );
  let fields = [];
  let names = null; // of the fields that stand
  let blocked = "";

  const wanted = () => fields.filter((field) => field.changed());
  function settle() {
    const n = wanted().length;
    send.disabled = n === 0 || blocked !== "";
    send.textContent = n > 1 ? t("live.ask.n", { n }) : t("live.ask");
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const changes = Object.fromEntries(wanted().map((field) => [field.name, field.wanted()]));
    if (!Object.keys(changes).length || blocked) return;
    const because = reason.value.trim();
    const answer = await asked.ask({ kind: "change", params: changes, because }, inline(changes));
    if (answer?.state !== "obeyed") return;
    reason.value = "";
  });

  function update(run, why) {
    blocked = why;
    blockedWords.hidden = !why;
    blockedWords.textContent = why;
    const wanted = run.live.map((live) => live.name).join();
    if (names !== wanted) {
      names = wanted;
      fields = run.live.map((live) => createField(live, () => settle()));
      fill(rows, fields.length ? fields.map((f) => f.root) : h("p", { class: "quiet small" }, t("live.none")));
      form.querySelector(".live-send").hidden = !fields.length;
    } else run.live.forEach((live, i) => fields[i].update(live));
    for (const field of fields) field.enable(!why);
    reason.disabled = Boolean(why);
    settle();
  }
  return {
    root,
    update,
    focus: () => fields[0]?.focus(),
    /** Multiply the rate's field: what + and − do. Returns whether there is a rate. */
    turn(factor) {
      const rate = fields.find((f) => f.name === "lr" || f.name === "learning_rate");
      if (!rate || blocked) return null;
      return { name: rate.name, value: Number((rate.wanted() * factor).toPrecision(4)) };
    },
  };
}
