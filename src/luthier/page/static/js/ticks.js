// Where an axis has its lines.

const CLOCK_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

/** Round numbers within [min, max], about `n` of them. On a log axis: decades, then 1-2-5. `time`: of seconds. */
export function splits(min, max, log, n, time = false) {
  const wanted = Math.max(2, n);
  const tick = time && !log ? CLOCK_S.find((s) => s >= (max - min) / wanted) : null;
  if (tick && max - min > 10) return multiples(min, max, tick, 0);
  if (!log || max / min < 8) return round(min, max, wanted).filter((v) => !log || v > 0);
  const first = Math.floor(Math.log10(min));
  const last = Math.ceil(Math.log10(max));
  const decades = last - first;
  const every = Math.max(1, Math.ceil(decades / wanted));
  const steps = decades * 3 <= wanted * 1.5 ? [1, 2, 5] : decades * 2 <= wanted * 1.3 ? [1, 3] : [1];
  const at = [];
  for (let power = first; power <= last; power += every) {
    for (const step of steps) {
      const v = step * 10 ** power;
      if (v >= min * (1 - 1e-9) && v <= max * (1 + 1e-9)) at.push(Number(v.toPrecision(12)));
    }
  }
  return at.length >= 2 ? at : round(min, max, wanted).filter((v) => v > 0);
}

function round(min, max, n) {
  const span = max - min;
  if (!(span > 0)) return [min];
  const rough = span / n;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((s) => s * power >= rough) * power;
  return multiples(min, max, step, Math.max(0, 2 - Math.floor(Math.log10(step))));
}

function multiples(min, max, step, digits) {
  const at = [];
  for (let k = Math.ceil(min / step - 1e-9); k * step <= max + step * 1e-9; k += 1) {
    at.push(Number((k * step).toFixed(Math.min(digits, 100))));
  }
  return at;
}
