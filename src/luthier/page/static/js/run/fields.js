// A field per live parameter: text, and a slider where the domain is an interval.
import { h } from "../dom.js";
import { number, short, value as shown } from "../format.js";
import { t } from "../i18n.js";

const TICKS = 1000;

/** What is written in a field for a value. */
export function written(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  return Array.isArray(value) ? value.map(written).join(", ") : String(value);
}

/** A value from what was written, of the kind that `like` has; text if it is no number. */
export function parsed(text, like) {
  const trimmed = text.trim();
  if (typeof like === "boolean") return trimmed === "true";
  if (Array.isArray(like))
    return trimmed
      .split(/[,\s]+/)
      .filter(Boolean)
      .map(Number);
  if (trimmed !== "" && Number.isFinite(Number(trimmed))) return Number(trimmed);
  return trimmed;
}

const same = (a, b) => written(a) === written(b);

/**
 * One parameter of the run. `update(live)` takes what the run has now; `changed()` tells whether
 * the field holds something else; `wanted()` is that value; `reset()`, `put(value)`, `enable(bool)`.
 */
export function createField(live, onInput) {
  let now = live;
  let touched = false;
  const id = `live-${live.name}`;
  const choices = live.choices ?? (typeof live.value === "boolean" ? [false, true] : null);
  const field = choices
    ? h(
        "select",
        { id, class: "live-field" },
        choices.map((c) => h("option", { value: written(c) }, c === "" ? t("live.empty") : shown(c))),
      )
    : h("input", {
        id,
        class: "live-field",
        type: "text",
        inputMode: typeof live.value === "number" ? "decimal" : "text",
        autocomplete: "off",
        spellcheck: false,
      });
  const [low, high] = [number(live.low), number(live.high)];
  const ranged =
    !choices &&
    Number.isFinite(low ?? NaN) &&
    Number.isFinite(high ?? NaN) &&
    high > low &&
    typeof live.value !== "object";
  const scale = ranged ? scaleOf(low, high, live.log) : null;
  const slider = ranged
    ? h("input", { type: "range", min: 0, max: TICKS, step: 1, "aria-label": t("live.slider", { name: live.name }) })
    : null;
  const advised = h("div", { class: "advised", hidden: true });
  const standing = h("div", { class: "standing" });
  const rail = slider && h("div", { class: "slider" }, h("div", { class: "groove" }, advised, standing), slider);
  const back = h("span", { class: "read-back" });
  const note = h("span", { class: "unsent" });
  const undo = h(
    "button",
    {
      type: "button",
      class: "ghost small",
      hidden: true,
      title: t("live.reset"),
      "aria-label": t("live.reset.of", { name: live.name }),
      onClick: () => reset(),
    },
    "↺",
  );
  const name = live.term
    ? h("a", { href: `#/k/${encodeURIComponent(live.term)}`, title: t("live.term") }, live.name)
    : live.name;
  const root = h(
    "div",
    { class: "live-row" },
    h("label", { for: id, class: "live-name" }, name),
    field,
    undo,
    rail,
    h(
      "div",
      { class: "live-notes" },
      back,
      note,
      ranged &&
        h("span", { class: "bounds" }, `${short(low, 3)} – ${short(high, 3)}${live.log ? ` ${t("live.log")}` : ""}`),
    ),
  );

  function wanted() {
    return choices ? choices.find((c) => written(c) === field.value) : parsed(field.value, now.value);
  }
  const changed = () => touched && !same(wanted(), now.value) && field.value.trim() !== written(now.value);

  function settle() {
    const differs = changed();
    root.classList.toggle("changed", differs);
    note.textContent = differs ? t("live.unsent") : "";
    undo.hidden = !differs;
    const x = scale?.place(number(wanted()));
    if (slider && x !== null && x !== undefined) slider.value = String(Math.round(x * TICKS));
    slider?.setAttribute("aria-valuetext", field.value);
    onInput();
  }
  function put(value) {
    touched = true;
    field.value = written(value);
    settle();
  }
  function reset() {
    touched = false;
    field.value = written(now.value);
    settle();
  }
  field.addEventListener("input", () => ((touched = true), settle()));
  slider?.addEventListener("input", () => put(scale.value(slider.value / TICKS, live.kind === "int")));

  function update(next) {
    now = next;
    const read = next.read_back;
    back.textContent =
      read === null || read === undefined ? t("live.not.read") : t("live.read", { value: shown(read) });
    if (scale) {
      const at = scale.place(number(read ?? next.value));
      standing.hidden = at === null;
      standing.style.left = `${100 * at}%`;
      const [from, to] = (next.recommended ?? []).map((x) => scale.place(number(x)));
      advised.hidden = from === undefined || from === null || to === null;
      advised.style.left = `${100 * from}%`;
      advised.style.width = `${100 * (to - from)}%`;
      advised.title = next.recommended
        ? t("live.recommended", { low: short(next.recommended[0], 3), high: short(next.recommended[1], 3) })
        : "";
    }
    if (touched && !changed()) touched = false;
    if (!touched) reset();
  }
  function enable(able) {
    field.disabled = !able;
    if (slider) slider.disabled = !able;
  }
  update(live);
  return { root, name: live.name, update, changed, wanted, reset, put, enable, focus: () => field.focus() };
}

function scaleOf(low, high, log) {
  const useLog = log && low > 0;
  const [a, b] = useLog ? [Math.log(low), Math.log(high)] : [low, high];
  return {
    place(value) {
      if (value === null || !Number.isFinite(value) || (useLog && value <= 0)) return null;
      return Math.min(Math.max(((useLog ? Math.log(value) : value) - a) / (b - a), 0), 1);
    },
    value(share, whole) {
      const raw = a + share * (b - a);
      const found = useLog ? Math.exp(raw) : raw;
      return whole ? Math.round(found) : Number(found.toPrecision(3));
    },
  };
}
