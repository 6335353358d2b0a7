// A short word at the edge of the page, read out by screen readers.
import { h } from "./dom.js";

/** Say `words` for a while. `kind`: "" or "bad". */
export function toast(words, kind = "") {
  const el = h("div", { class: `toast ${kind}` }, words);
  document.getElementById("toasts").append(el);
  setTimeout(() => el.remove(), 6000);
}
