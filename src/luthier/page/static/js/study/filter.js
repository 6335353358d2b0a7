// The filter of a study: a condition in words, text, and what was brushed or clicked elsewhere.
import { get } from "../api.js";
import { h, settle } from "../dom.js";
import { t } from "../i18n.js";
import { clause } from "./data.js";

/** The bar. Returns {el, focus(), leave}. */
export function filterBar(data) {
  const error = h("span", { class: "field-error", id: "where-error", role: "alert" });
  const example = data.info.space.find((p) => p.kind !== "choice");
  const box = h("input", {
    type: "text", class: "where mono", spellcheck: false, autocomplete: "off", value: data.filter.where,
    placeholder: t("filter.where", { example: `${example ? `${example.name}>${Number((example.log ? Math.sqrt(example.low * example.high) : (example.low + example.high) / 2).toPrecision(1))}` : "step>9"} and step>=${Math.max(1, Math.round(data.info.max_steps / 3))}` }),
    "aria-label": t("filter.where.label"), "aria-describedby": "where-error",
  });
  const text = h("input", { type: "search", class: "text", placeholder: t("filter.text"), "aria-label": t("filter.text"), value: data.filter.text });
  const chips = h("span", { class: "chips" });
  const clear = h("button", { onClick: () => {
    box.value = "";
    text.value = "";
    valid("");
    data.change({ where: "", text: "", states: [], brushes: {} });
  } }, t("filter.clear"));
  const el = h("div", { class: "filter", role: "search" }, box, text, chips, clear, error);

  const valid = (words) => {
    error.textContent = words;
    error.hidden = !words;
    box.setAttribute("aria-invalid", String(Boolean(words)));
  };
  valid("");
  let turn = 0;
  // A condition that the server cannot read must not blank the panels: it is tried first.
  const check = async () => {
    turn += 1;
    const mine = turn;
    const where = box.value.trim();
    try {
      if (where) await get(data.path("runs"), { where, limit: 1 });
      if (mine !== turn) return;
      valid("");
      if (where !== data.filter.where.trim()) data.change({ where });
    } catch (refusal) {
      if (mine === turn) valid([refusal.message, refusal.hint].filter(Boolean).join(" — "));
    }
  };
  const tried = settle(check, 350);
  box.addEventListener("input", tried);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") box.blur();
  });
  text.addEventListener("input", settle(() => data.change({ text: text.value }), 350));

  const draw = () => {
    if (document.activeElement !== box) box.value = data.filter.where;
    if (document.activeElement !== text) text.value = data.filter.text;
    const { brushes, states } = data.filter;
    const without = (name) => Object.fromEntries(Object.entries(brushes).filter(([key]) => key !== name));
    const chip = (words, off) => h("button", { class: "chip on", title: t("filter.drop"), onClick: off }, words, h("span", { "aria-hidden": "true" }, "×"));
    chips.replaceChildren(
      ...states.map((state) => chip(t(`state.${state}`), () => data.change({ states: states.filter((s) => s !== state) }))),
      ...Object.values(brushes).map((brush) => chip(clause(brush), () => data.change({ brushes: without(brush.name) }))));
    clear.hidden = !data.filtered();
  };
  data.on("filter", draw);
  draw();
  if (data.filter.where) check();
  return { el, focus: () => box.focus(), leave() {} };
}
