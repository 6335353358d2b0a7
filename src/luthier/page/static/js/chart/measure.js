// Sizes and distances of curves.

const NEAR_PX = 28; // a pointer further away from every curve hovers over none
const FENCE = 3; // interquartile ranges beyond the quartiles: who ends there ends far out (Tukey)
const MOST_FAR = 0.1; // of the curves
const LEAST = 10; // curves, below which none is far out

/** The hit {curve, index, x, y} nearest to a place of the plot area (CSS px); null when none is near. */
export function nearest(chart, px, py) {
  const u = chart.plot;
  let best = null;
  let distance = NEAR_PX * NEAR_PX;
  const at = u.posToVal(px, "x");
  const right = u.posToVal(px + NEAR_PX, "x");
  const left = u.posToVal(px - NEAR_PX, "x");
  for (const curve of chart.curves) {
    if (curve.plain || curve.x.length === 0) continue;
    const n = curve.x.length;
    if (curve.x[0] > right || curve.x[n - 1] < left) continue;
    const middle = search(curve.x, at);
    for (let k = Math.max(0, middle - 2); k <= Math.min(n - 1, middle + 2); k += 1) {
      if (!Number.isFinite(curve.y[k])) continue;
      const ax = u.valToPos(curve.x[k], "x");
      const ay = u.valToPos(curve.y[k], "y");
      const point = (ax - px) ** 2 + (ay - py) ** 2;
      if (point < distance) {
        distance = point;
        best = { curve, index: k, x: curve.x[k], y: curve.y[k] };
      }
      if (k + 1 >= n || !Number.isFinite(curve.y[k + 1])) continue;
      const bx = u.valToPos(curve.x[k + 1], "x");
      const by = u.valToPos(curve.y[k + 1], "y");
      const line = toSegment(px, py, ax, ay, bx, by);
      if (line < distance) {
        distance = line;
        const near = Math.abs(ax - px) <= Math.abs(bx - px) ? k : k + 1;
        best = { curve, index: near, x: curve.x[near], y: curve.y[near] };
      }
    }
  }
  return best;
}

/** Whether values (arrays of numbers) are positive and spread so far that a log axis shows more of them. */
export function spansDecades(all) {
  let low = Infinity;
  let high = -Infinity;
  for (const values of all) {
    for (const v of values) {
      if (!Number.isFinite(v)) continue;
      if (v < low) low = v;
      if (v > high) high = v;
    }
  }
  return low > 0 && high / low > 10;
}

/**
 * The curves without those, a tenth at most, that end so far from all others that nobody could tell the others apart;
 * where `worse(a, b)` is known, on the bad side only. `plain` curves stay.
 */
export function typical(curves, log, worse = null) {
  const ends = [];
  for (const curve of curves) {
    const end = curve.plain ? undefined : curve.y.findLast((v) => Number.isFinite(v) && (!log || v > 0));
    if (end !== undefined) ends.push({ curve, end, at: log ? Math.log(end) : end });
  }
  if (ends.length < LEAST) return curves;
  const sorted = [...ends].sort((a, b) => a.at - b.at);
  const quantile = (u) => sorted[Math.round(u * (sorted.length - 1))];
  const [low, middle, high] = [0.25, 0.5, 0.75].map(quantile);
  const beyond = ({ at }) => Math.max(low.at - at, at - high.at);
  const far = ends.filter((one) => beyond(one) > FENCE * (high.at - low.at) && !(worse && worse(middle.end, one.end)));
  far.sort((a, b) => beyond(b) - beyond(a));
  const out = new Set(far.slice(0, Math.floor(MOST_FAR * ends.length)).map(({ curve }) => curve));
  return out.size ? curves.filter((curve) => !out.has(curve)) : curves;
}

/** The index of the first x not below `at`. */
export function search(x, at) {
  let low = 0;
  let high = x.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function toSegment(px, py, ax, ay, bx, by) {
  const dx = bx - ax;
  const dy = by - ay;
  const size = dx * dx + dy * dy;
  const part = size ? Math.max(0, Math.min(1, ((px - ax) * dx + (py - ay) * dy) / size)) : 0;
  return (ax + part * dx - px) ** 2 + (ay + part * dy - py) ** 2;
}

/** The least and the most of some arrays of curves, with room around; `least` must be within. */
export function extent(curves, names, log, least, pad) {
  let low = Infinity;
  let high = -Infinity;
  for (const v of least ?? []) {
    if (log && v <= 0) continue;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  for (const curve of curves) {
    for (const name of names) {
      const all = curve[name];
      if (!all) continue;
      for (let k = 0; k < all.length; k += 1) {
        const v = all[k];
        if (!Number.isFinite(v) || (log && v <= 0)) continue;
        if (v < low) low = v;
        if (v > high) high = v;
      }
    }
  }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  if (log) {
    if (low === high) return [low / 2, high * 2];
    const more = (high / low) ** pad;
    return [low / more, high * more];
  }
  if (low === high) return pad ? [low - 0.5, high + 0.5] : [low, low + 1];
  return [low - (high - low) * pad, high + (high - low) * pad];
}
