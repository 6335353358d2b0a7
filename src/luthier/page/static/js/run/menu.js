// What can be done at a checkpoint: go back to it, or fork from it, with other values if wanted.
import { fill, h } from "../dom.js";
import { bytes, count, short } from "../format.js";
import { t } from "../i18n.js";
import { parsed, written } from "./fields.js";
import * as float from "./float.js";
import { icon } from "./icons.js";

/** Open the menu beside `anchor`. `blocked` has words for "rollback" and "fork", empty if allowed. */
export function openMenu(anchor, checkpoint, { run, space, metric, asked, blocked }) {
  const step = checkpoint.step;
  const live = new Map(run.live.map((one) => [one.name, one.value]));
  const all = new Map(Object.entries(run.params));
  const settings = h("div", { class: "settings" });
  const reason = h("input", {
    type: "text",
    maxLength: 500,
    autocomplete: "off",
    placeholder: t("live.reason.hint"),
    "aria-label": t("live.reason"),
  });

  const names = [...new Set([...live.keys(), ...all.keys(), ...space.map((s) => s.name)])];
  const chooser = h("select", { "aria-label": t("menu.add"), onChange: () => add(chooser.value) });
  const choices = () =>
    fill(
      chooser,
      h("option", { value: "" }, t("menu.add")),
      names
        .filter((n) => !settings.querySelector(`[data-name="${CSS.escape(n)}"]`))
        .map((n) => h("option", { value: n }, n + (live.has(n) ? "" : ` (${t("menu.fork.only")})`))),
    );
  function add(name) {
    if (!name) return;
    const was = live.get(name) ?? all.get(name);
    const domain = space.find((s) => s.name === name);
    const input = domain?.choices
      ? h(
          "select",
          {},
          domain.choices.map((c) =>
            h("option", { value: written(c), selected: written(c) === written(was) }, written(c)),
          ),
        )
      : h("input", { type: "text", value: written(was), autocomplete: "off", spellcheck: false });
    input.setAttribute("aria-label", name);
    settings.append(
      h(
        "div",
        { class: "setting", dataset: { name } },
        h("span", {}, name),
        input,
        h(
          "button",
          {
            class: "ghost small",
            "aria-label": t("menu.remove", { name }),
            onClick: (e) => {
              e.target.closest(".setting").remove();
              choices();
              settle();
            },
          },
          "×",
        ),
      ),
    );
    choices();
    settle();
    input.focus();
    input.select?.();
  }
  const params = () =>
    Object.fromEntries(
      [...settings.children].map((row) => {
        const { name } = row.dataset;
        const text = row.querySelector("input, select").value;
        const domain = space.find((s) => s.name === name);
        const choice = domain?.choices?.find((c) => written(c) === text);
        return [name, choice ?? parsed(text, live.get(name) ?? all.get(name))];
      }),
    );

  const back = h("button", { onClick: () => go("roll_back") }, icon("rollback"), t("menu.rollback"));
  const fork = h("button", { onClick: () => go("fork") }, icon("fork"), t("menu.fork"));
  function settle() {
    const fixed = [...settings.children].some((row) => !live.has(row.dataset.name));
    back.disabled = Boolean(blocked.rollback) || fixed;
    back.title = blocked.rollback || (fixed ? t("menu.fixed") : "");
    fork.disabled = Boolean(blocked.fork);
    fork.title = blocked.fork;
  }
  function go(kind) {
    const values = params();
    const body = { kind, [kind === "fork" ? "at" : "to"]: step, because: reason.value.trim() };
    if (Object.keys(values).length) body.params = values;
    const told = Object.entries(values)
      .map(([n, v]) => ` ${n}=${written(v)}`)
      .join("");
    float.hide();
    asked.ask(body, t(kind === "fork" ? "ask.fork" : "ask.rollback", { step: count(step) }) + told);
  }
  choices();
  settle();
  const facts = [
    checkpoint.loss !== null && checkpoint.loss !== undefined && `${metric} ${short(checkpoint.loss)}`,
    checkpoint.kept,
    checkpoint.n_bytes ? bytes(checkpoint.n_bytes) : "",
    checkpoint.run !== run.id && t("menu.of", { run: checkpoint.run }),
  ]
    .filter(Boolean)
    .join(" · ");
  const words = [...new Set([blocked.rollback, blocked.fork].filter(Boolean))];
  float.show(
    anchor,
    h(
      "div",
      { class: "act-menu" },
      h("h3", {}, t("run.checkpoint", { step: count(step) })),
      facts && h("p", { class: "quiet small" }, facts),
      words.map((w) => h("p", { class: "blocked" }, w)),
      (!blocked.rollback || !blocked.fork) && [settings, chooser, reason],
      h("div", { class: "menu-buttons" }, back, fork),
    ),
    { pinned: true, label: t("run.checkpoint", { step: count(step) }) },
  );
}
