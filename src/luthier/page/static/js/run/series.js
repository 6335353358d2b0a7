// Curves as they come from the server, made ready to be drawn.
import { number } from "../format.js";


/** {x, y, bad}: what is no finite number is a gap in y, and its place is in `bad`. */
export function curve({ x, y }) {
  const values = y.map(number);
  const bad = [];
  const clean = values.map((value, i) => {
    if (value === null) return null;
    if (Number.isFinite(value)) return value;
    bad.push(x[i]);
    return null;
  });
  return { x: x.map(Number), y: clean, bad };
}

/** Metrics that share an axis with the objective: train_loss and val_loss do. The objective first. */
export function family(names, objective) {
  const last = (name) => name.slice(name.lastIndexOf("_") + 1);
  const beside = names.filter(
    (n) => n !== objective && !n.includes("/") && last(n) === last(objective),
  );
  return [objective, ...beside];
}

/** Whether an entry is a rollback; the store and the wire write it in two ways. */
export const isRollback = (entry) => entry.kind.replace("_", "") === "rollback";

/** Obeyed changes of live parameters, as they happened. */
export const changes = (entries) =>
  entries.filter((e) => e.state === "obeyed" && (e.kind === "change" || isRollback(e)));

/**
 * The values of one live parameter along the branch that stands: {x, y}, a step at each change.
 * Going back keeps values, so a rollback to step k carries the value of that moment to k.
 */
export function stepsOf(name, value, entries, lastStep) {
  const done = changes(entries).filter((e) => e.step !== null);
  const first = done.find((e) => name in (e.before ?? {}));
  let now = first ? first.before[name] : value;
  let places = [[0, now]];
  for (const entry of done) {
    if (name in (entry.after ?? {})) now = entry.after[name];
    if (isRollback(entry)) places = places.filter(([step]) => step < entry.step);
    if (!places.length || places.at(-1)[1] !== now) places.push([entry.step, now]);
  }
  if (places[0][0] > 0) places.unshift([0, places[0][1]]);
  const end = Math.max(lastStep, places.at(-1)[0]);
  places.push([end, places.at(-1)[1]]);
  const x = [];
  const y = [];
  for (const [step, at] of places) {
    if (x.length && x.at(-1) === step) y[y.length - 1] = at;
    else x.push(step), y.push(at);
  }
  return { x, y };
}

/** Smallest and largest of several lists; null where there is none. */
export function extent(lists) {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (value === null || value === undefined || !Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : null;
}

/** A log axis tells more when all values are above zero and the largest dwarfs the usual ones. */
export function wantsLog(values) {
  const finite = values.filter((v) => v !== null && Number.isFinite(v));
  if (finite.length < 2 || finite.some((v) => v <= 0)) return false;
  const sorted = [...finite].sort((a, b) => a - b);
  return sorted.at(-1) / sorted[Math.floor(sorted.length / 2)] > 20;
}
