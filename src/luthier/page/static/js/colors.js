// Colours that mean something: states, categories (Okabe–Ito) and numbers (viridis, cut to stay visible).
import { t } from "./i18n.js";

const root = () => getComputedStyle(document.documentElement);
const cache = new Map();

/** A colour of the style sheet, e.g. `css("ink")`; read again after a change of theme. */
export function css(name) {
  if (!cache.has(name)) cache.set(name, root().getPropertyValue(`--${name}`).trim());
  return cache.get(name);
}

/** Whether the page is dark now. */
export function dark() {
  const forced = document.documentElement.dataset.theme;
  return forced ? forced === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Call `work` when light turns dark or back. Returns `stop()`. */
export function onTheme(work) {
  const heard = () => {
    cache.clear();
    work();
  };
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", heard);
  document.addEventListener("luthier:theme", heard);
  return () => {
    media.removeEventListener("change", heard);
    document.removeEventListener("luthier:theme", heard);
  };
}

const VIRIDIS = [
  [68, 1, 84], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142], [33, 145, 140],
  [34, 168, 132], [68, 191, 112], [122, 209, 81], [189, 223, 38], [253, 231, 37],
];

const N_SHADES = 256;

function shades() {
  const [from, to] = dark() ? [0.24, 1] : [0, 0.86];
  return Array.from({ length: N_SHADES }, (_, shade) => {
    const at = (from + ((to - from) * shade) / (N_SHADES - 1)) * (VIRIDIS.length - 1);
    const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
    const [r, g, b] = VIRIDIS[low].map((c, k) => Math.round(c + (VIRIDIS[low + 1][k] - c) * (at - low)));
    return `rgb(${r} ${g} ${b})`;
  });
}

/** The ramp at `u` in [0, 1]: viridis without the end that the background swallows. */
export function ramp(u) {
  if (!cache.has("ramp")) cache.set("ramp", shades());
  return cache.get("ramp")[Math.round(Math.min(1, Math.max(0, u)) * (N_SHADES - 1))];
}

const CATEGORIES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7f00", "#8c6bb1"];

/** The colour of the `k`-th category. */
export const category = (k) => CATEGORIES[k % CATEGORIES.length];

/** The colour of a run's state. */
export const stateColor = (state) => css(`state-${state}`) || css("faint");

const asText = (value) => (Array.isArray(value) ? JSON.stringify(value) : String(value));

/**
 * Colours for values of one parameter or field. `spec`: {name, kind, log, low, high, choices}; `values`:
 * those shown, from which missing bounds are taken. Returns {of(value) → colour, legend: {kind:
 * "ramp", low, high, log} | {kind: "words", items: [{label, color}]}}.
 */
export function scale(spec, values) {
  if (spec.kind === "choice") {
    const choices = (spec.choices ?? [...new Set(values.map(asText))].sort()).map(asText);
    const place = new Map(choices.map((choice, k) => [choice, k]));
    const of = (value) => (place.has(asText(value)) ? category(place.get(asText(value))) : css("faint"));
    return { of, legend: { kind: "words", items: choices.map((label, k) => ({ label, color: category(k) })) } };
  }
  const seen = values.filter((x) => Number.isFinite(x) && (!spec.log || x > 0));
  let low = spec.low ?? (seen.length ? seen.reduce((a, b) => Math.min(a, b)) : 0);
  let high = spec.high ?? (seen.length ? seen.reduce((a, b) => Math.max(a, b)) : 1);
  if (low === high) [low, high] = spec.log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  const f = spec.log ? Math.log : (x) => x;
  const of = (value) =>
    Number.isFinite(value) ? ramp((f(value) - f(low)) / (f(high) - f(low))) : css("faint");
  return { of, legend: { kind: "ramp", low, high, log: Boolean(spec.log) } };
}

/** Colours by state, in the same form as `scale`. */
export function stateScale(states) {
  const items = states.map((state) => ({ label: t(`state.${state}`), color: stateColor(state) }));
  return { of: stateColor, legend: { kind: "words", items } };
}
