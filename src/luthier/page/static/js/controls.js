// Small controls that several views use.
import { h } from "./dom.js";

/** A button that is on or off. `use(on)` is called when it turns. */
export function toggle(words, on, use, title = null) {
  const button = h("button", { "aria-pressed": String(on), title, onClick: () => {
    const next = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(next));
    use(next);
  } }, words);
  return button;
}

/** Buttons of which one is on. `items`: [[value, words], …]; `use(value)`. */
export function segments(label, items, now, use) {
  const buttons = items.map(([value, words]) => h("button", { "aria-pressed": String(value === now), onClick: () => {
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(items[k][0] === value)));
    use(value);
  } }, words));
  return h("span", { class: "segments", role: "group", "aria-label": label }, buttons);
}
