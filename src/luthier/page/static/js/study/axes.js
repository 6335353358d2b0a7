// Axes of parameters for the panels that draw many runs by their parameters.
import { short, value } from "../format.js";

const text = (v) => (Array.isArray(v) ? JSON.stringify(v) : String(v));

/**
 * An axis: `at(value)` in [0, 1] or null when the value has no place on it, `from(u)` back to a value (numbers),
 * `marks` [{u, label}], `log`, `choices` (null for numbers).
 */
export function paramAxis(spec, values) {
  if (spec.kind === "choice") {
    const choices = spec.choices ?? [...new Set(values.filter((v) => v !== null).map(text))].sort();
    const known = new Map(choices.map((v, k) => [text(v), k]));
    // Values that the space no longer has still get their place.
    for (const v of values) if (v !== null && v !== undefined && !known.has(text(v))) known.set(text(v), choices.push(v) - 1);
    const u = (k) => (choices.length === 1 ? 0.5 : 0.06 + (0.88 * k) / (choices.length - 1));
    return {
      name: spec.name, choices, log: false,
      at: (v) => (v !== null && v !== undefined && known.has(text(v)) ? u(known.get(text(v))) : null),
      marks: choices.map((v, k) => ({ u: u(k), label: value(v) })),
    };
  }
  const seen = values.filter((v) => Number.isFinite(v) && (!spec.log || v > 0));
  return numberAxis(spec.name, spec.low ?? Math.min(...seen), spec.high ?? Math.max(...seen), spec.log, spec.kind === "int");
}

/** An axis of numbers between two bounds. */
export function numberAxis(name, low, high, log = false, whole = false) {
  let [a, b] = Number.isFinite(low) && Number.isFinite(high) ? [low, high] : [0, 1];
  if (a === b) [a, b] = log ? [a / 2, b * 2] : [a - 0.5, b + 0.5];
  const f = log ? Math.log : (v) => v;
  const back = log ? Math.exp : (v) => v;
  const span = f(b) - f(a);
  return {
    name, choices: null, log, low: a, high: b, whole,
    at: (v) => (Number.isFinite(v) && (!log || v > 0) ? Math.max(0, Math.min(1, (f(v) - f(a)) / span)) : null),
    from: (u) => back(f(a) + u * span),
    marks: [{ u: 0, label: short(a, 3) }, { u: 1, label: short(b, 3) }],
  };
}

/** An axis for the objective, without the worst tenth: what lies beyond stands at its end. */
export function objectiveAxis(name, values, better) {
  const seen = values.filter(Number.isFinite).sort((a, b) => (better(a, b) ? -1 : 1));
  if (!seen.length) return numberAxis(name, 0, 1);
  const best = seen[0];
  const worst = seen[Math.floor((seen.length - 1) * 0.9)];
  const [low, high] = best < worst ? [best, worst] : [worst, best];
  return numberAxis(name, low, high, low > 0 && high / low > 20);
}
