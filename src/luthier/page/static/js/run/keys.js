// Single keys, as in `luthier watch`.
import { h } from "../dom.js";
import { t } from "../i18n.js";
import * as float from "./float.js";

const SHOWN = ["p", "m", "b", "u", "s", "+", "-", ":", "1 2 3", "?"];

/** Call `does[key]()` when a key is pressed outside of fields. Returns `stop()`. */
export function listenKeys(does) {
  const pressed = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]") || float.pinned()) return;
    const key = event.key === "=" ? "+" : event.key;
    if (!(key in does)) return;
    event.preventDefault();
    does[key]();
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}

/** The list of keys beside `anchor`. */
export function showKeys(anchor) {
  float.show(
    anchor,
    h(
      "div",
      { class: "keys" },
      h("h3", {}, t("keys.title")),
      h(
        "dl",
        {},
        SHOWN.map((key) => [
          h(
            "dt",
            {},
            key.split(" ").map((k) => h("kbd", {}, k)),
          ),
          h("dd", {}, t(`keys.${key}`)),
        ]),
      ),
    ),
    { pinned: true, label: t("keys.title") },
  );
}
