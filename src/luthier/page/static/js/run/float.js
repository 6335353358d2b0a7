// One small window beside a thing: shown on hover, focus or click, gone with Escape.
import { h } from "../dom.js";

const GAP_PX = 8;

let shown = null; // {box, anchor, pinned}

/** Show `content` beside `anchor`. `pinned`: it stays until Escape, a click elsewhere, or `hide()`. */
export function show(anchor, content, { pinned = false, label = null, onHide = () => {} } = {}) {
  if (shown?.pinned && !pinned) return;
  hide();
  const box = h("div", { class: "float", role: pinned ? "dialog" : "tooltip", "aria-label": label }, content);
  document.body.append(box);
  shown = { box, anchor, pinned, onHide };
  place();
  box.addEventListener("pointerleave", () => leave(anchor));
  if (pinned) box.querySelector("input, select, button")?.focus({ preventScroll: true });
}

/** Take it away, unless it is pinned and `force` is not given. */
export function hide({ back = false } = {}) {
  if (!shown) return;
  const { box, anchor, onHide } = shown;
  shown = null;
  box.remove();
  onHide();
  if (back && anchor.isConnected) anchor.focus({ preventScroll: true });
}

/** The pointer has left `anchor`; a moment is left to reach the window. */
export function leave(anchor) {
  setTimeout(() => {
    if (!shown || shown.pinned || shown.anchor !== anchor) return;
    if (!shown.box.matches(":hover") && !anchor.matches(":hover, :focus-visible")) hide();
  }, 120);
}

/** Whether a window that stays is open. */
export const pinned = () => Boolean(shown?.pinned);

function place() {
  const { box, anchor } = shown;
  const at = anchor.getBoundingClientRect();
  const size = box.getBoundingClientRect();
  const room_px = document.documentElement.clientWidth;
  const left = Math.min(Math.max(GAP_PX, at.left + at.width / 2 - size.width / 2), room_px - size.width - GAP_PX);
  const below = at.bottom + GAP_PX;
  const above = at.top - size.height - GAP_PX;
  const top = below + size.height < innerHeight || above < 0 ? below : above;
  box.style.left = `${Math.max(GAP_PX, left) + scrollX}px`;
  box.style.top = `${top + scrollY}px`;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && shown) {
    hide({ back: true });
    event.stopPropagation();
  }
});
document.addEventListener("pointerdown", (event) => {
  if (shown?.pinned && !shown.box.contains(event.target) && !shown.anchor.contains(event.target)) hide();
});
addEventListener("hashchange", () => hide());
