// The lane above the curves: one glyph per action, or one for several that stand too close.
import { h } from "../dom.js";
import { t } from "../i18n.js";
import * as float from "./float.js";
import { icon } from "./icons.js";
import { align } from "./stack.js";
import { authorWords, changed, kindWords } from "./words.js";

const APART_PX = 24;

/** `place(u, entries)` puts the glyphs where their steps are; `cards(entries)` makes what hover shows. */
export function createLane(cards) {
  const root = h("div", { class: "lane", role: "list", "aria-label": t("run.lane") });
  root.append(h("span", { class: "rail-name", "aria-hidden": "true" }, t("run.lane.short")));
  let glyphs = new Map();

  function place(u, entries) {
    align(root, u);
    const next = new Map();
    for (const group of grouped(u, entries)) {
      const key = group.entries.map((e) => `${e.number}${e.state}`).join();
      const glyph = glyphs.get(key) ?? create(group.entries);
      glyph.group = group.entries;
      glyph.style.left = `${group.at_px}px`;
      next.set(key, glyph);
    }
    for (const [key, glyph] of glyphs) if (!next.has(key)) glyph.parentNode.remove();
    for (const glyph of next.values()) {
      if (!glyph.isConnected) root.append(h("div", { role: "listitem" }, glyph));
    }
    glyphs = next;
  }

  function create(entries) {
    const last = entries.at(-1);
    const one = entries.length === 1;
    const glyph = h(
      "button",
      {
        class: `glyph by-${last.author} is-${last.state}${one ? "" : " many"}`,
        "aria-label": entries.map(spoken).join("; "),
      },
      one ? icon(last.kind) : String(entries.length),
    );
    glyph.group = entries;
    const open = (pinned) => float.show(glyph, cards(glyph.group), { pinned, label: t("run.action") });
    glyph.addEventListener("pointerenter", () => open(false));
    glyph.addEventListener("focus", () => glyph.matches(":focus-visible") && open(false));
    glyph.addEventListener("pointerleave", () => float.leave(glyph));
    glyph.addEventListener("blur", () => float.leave(glyph));
    glyph.addEventListener("click", () => open(true));
    return glyph;
  }
  return { root, place };
}

function grouped(u, entries) {
  const [min, max] = [u.scales.x.min, u.scales.x.max];
  const placed = entries
    .filter((e) => e.step !== null && e.step >= min && e.step <= max)
    .map((entry) => ({ entry, at_px: u.valToPos(entry.step, "x") }))
    .sort((a, b) => a.at_px - b.at_px || a.entry.number - b.entry.number);
  const groups = [];
  for (const { entry, at_px } of placed) {
    const last = groups.at(-1);
    if (last && at_px - last.at_px < APART_PX) last.entries.push(entry);
    else groups.push({ at_px, entries: [entry] });
  }
  for (const group of groups) group.entries.sort((a, b) => a.number - b.number);
  return groups;
}

function spoken(entry) {
  const values = changed(entry).map(([name, before, after]) => `${name} ${before} → ${after}`);
  return [kindWords(entry.kind), authorWords(entry.author), ...values].join(", ");
}
