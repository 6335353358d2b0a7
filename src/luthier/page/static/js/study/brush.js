// A stretch of an axis as a condition.

const CLICK = 0.012; // shorter than this it was no brush

/**
 * The brush {name, low, high | without, span} for a stretch from `low` to `high`, in [0, 1] as drawn; null when it
 * leaves nothing out or nothing in. `flip`: the axis is drawn upside down.
 */
export function brushOf(axis, name, low, high, flip) {
  if (high - low < CLICK) return null;
  const span = { from: low, to: high };
  if (axis.choices) {
    const without = axis.choices.filter((_, k) => axis.marks[k].u < low || axis.marks[k].u > high);
    return without.length === 0 || without.length === axis.choices.length ? null : { name, without, span };
  }
  const [a, b] = flip ? [1 - high, 1 - low] : [low, high];
  // What is beyond the objective's axis stands at its end, and belongs to a brush that reaches it.
  const open = (u, end) => axis.objective && u === end;
  const [least, most] = [open(a, 0) ? null : axis.from(a), open(b, 1) ? null : axis.from(b)];
  return least === null && most === null ? null : { name, low: least, high: most, span };
}
