// Small pictures of actions, drawn in the colour of the text around them.

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with its attributes and children. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== false));
  return node;
}

// Strokes in a box of 16 by 16.
const STROKES = {
  start: "M5 3l8 5-8 5z",
  continue: "M3 3l6 5-6 5zM11 3v10",
  resume: "M5 3l8 5-8 5z",
  change: "M8 2l6 6-6 6-6-6z",
  rollback: "M7 3L3 7l4 4M3 7h6a4 4 0 010 8H6",
  fork: "M4 2v12M4 9c0-3 8-2 8-7M9.500 4.500L12 2l2.500 2.500",
  pause: "M5.500 3v10M10.500 3v10",
  stop: "M4 4h8v8H4z",
  mark: "M4 15V2h8l-2 3 2 3H4",
  hold: "M4.500 7V5.500a3.500 3.500 0 017 0V7M3 7h10v7H3z",
  release: "M4.500 7V5.500a3.500 3.500 0 016.800-1M3 7h10v7H3z",
};
const FILLED = new Set(["change", "stop", "start", "resume"]);

/** The picture of a kind of action; it is not read aloud. */
export function icon(kind) {
  const name = kind.replace("_", "");
  const path = svg("path", {
    d: STROKES[name] ?? "M8 4v8M4 8h8",
    fill: FILLED.has(name) ? "currentColor" : "none",
    stroke: "currentColor",
    "stroke-width": 1.6,
    "stroke-linejoin": "round",
    "stroke-linecap": "round",
  });
  return svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" }, path);
}
