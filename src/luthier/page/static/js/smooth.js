// An exponential moving average without the pull towards zero at its start.

/** y smoothed with weight `w` in [0, 1); values that are not finite stay as they are. */
export function smooth(y, w) {
  if (!(w > 0)) return y;
  const out = new Array(y.length);
  let sum = 0;
  let weight = 0;
  for (let k = 0; k < y.length; k += 1) {
    if (!Number.isFinite(y[k])) {
      out[k] = y[k];
      continue;
    }
    sum = w * sum + (1 - w) * y[k];
    weight = w * weight + (1 - w);
    out[k] = sum / weight;
  }
  return out;
}
