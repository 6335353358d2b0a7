// The rail under the curves: every checkpoint that is kept, to go back to or to fork from.
import { h } from "../dom.js";
import { count } from "../format.js";
import { t } from "../i18n.js";
import { align } from "./stack.js";

/** `place(u, checkpoints, step)`; a click calls `onCheckpoint(anchor, checkpoint)`. */
export function createRail(onCheckpoint) {
  const track = h("div", { class: "rail-track" });
  const here = h("div", { class: "rail-now" });
  const dots = h("div", { class: "rail-dots", role: "list", "aria-label": t("run.rail") });
  const root = h(
    "div",
    { class: "rail" },
    track,
    here,
    dots,
    h("span", { class: "rail-name", "aria-hidden": "true" }, t("run.rail.short")),
  );
  let known = new Map();

  function place(u, checkpoints, step) {
    align(root, u);
    const next = new Map();
    const [min, max] = [u.scales.x.min, u.scales.x.max];
    for (const checkpoint of checkpoints) {
      if (checkpoint.step < min || checkpoint.step > max) continue;
      const key = `${checkpoint.run} ${checkpoint.step} ${checkpoint.kept}`;
      const dot = known.get(key) ?? create(checkpoint);
      dot.style.left = `${u.valToPos(checkpoint.step, "x")}px`;
      next.set(key, dot);
    }
    for (const [key, dot] of known) if (!next.has(key)) dot.parentNode.remove();
    for (const dot of next.values()) if (!dot.isConnected) dots.append(h("div", { role: "listitem" }, dot));
    known = next;
    const to_px = Math.min(Math.max(u.valToPos(step, "x"), 0), u.over.clientWidth);
    track.style.width = `${to_px}px`;
    here.style.left = `${to_px}px`;
  }

  function create(checkpoint) {
    const name = checkpoint.kept ? ` (${checkpoint.kept})` : "";
    const dot = h("button", {
      class: `checkpoint${checkpoint.kept ? " kept" : ""}`,
      dataset: { step: String(checkpoint.step) },
      "aria-label": t("run.checkpoint", { step: count(checkpoint.step) }) + name,
      title: t("run.checkpoint", { step: count(checkpoint.step) }) + name,
    });
    dot.addEventListener("click", () => onCheckpoint(dot, checkpoint));
    return dot;
  }
  return { root, place };
}
