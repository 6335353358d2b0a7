// Curves as they come from the server, made ready to be drawn.
import { numbers } from "../format.js";

/** Metrics that share an axis with the objective: train_loss and val_loss do. The objective first. */
export function family(names, objective) {
  const last = (name) => name.slice(name.lastIndexOf("_") + 1);
  const beside = names.filter((n) => n !== objective && !n.includes("/") && last(n) === last(objective));
  return [objective, ...beside];
}

/** A curve of the wire with plain numbers; what is missing becomes NaN. */
export const curve = ({ x, y }) => ({ x: numbers(x), y: numbers(y) });

/** Whether an entry is a rollback; the store and the wire write it in two ways. */
export const isRollback = (entry) => entry.kind.replace("_", "") === "rollback";

/** Obeyed changes of live parameters, as they happened. */
export const changes = (entries) =>
  entries.filter((e) => e.state === "obeyed" && e.step !== null && (e.kind === "change" || isRollback(e)));

/**
 * The values of one live parameter along the branch that stands: {x, y}, to be drawn as steps.
 * Going back keeps values, so a rollback to step k carries the value of that moment to k.
 */
export function stepsOf(name, value, entries, last) {
  const done = changes(entries);
  const first = done.find((e) => name in (e.before ?? {}));
  let now = first ? first.before[name] : value;
  let places = [[0, now]];
  for (const entry of done) {
    if (name in (entry.after ?? {})) now = entry.after[name];
    if (isRollback(entry)) places = places.filter(([step]) => step < entry.step);
    if (places.at(-1)?.[1] !== now) places.push([entry.step, now]);
  }
  places.push([Math.max(last, places.at(-1)[0]), places.at(-1)[1]]);
  const line = { x: places.map(([step]) => step), y: numbers(places.map(([, at]) => at)) };
  const courses = done.filter((e) => `${name}/course` in (e.after ?? {}));
  const points = courses.at(-1)?.after[`${name}/course`];
  return points ? onCourse(line, points, courses.at(-1).step) : line;
}

/** A line times the factor of a course: pairs of step and factor, straight between them. */
function onCourse(line, points, from) {
  const last = line.x.at(-1);
  const base = (at) => line.y[line.x.findLastIndex((x) => x <= at)];
  const steps = [...line.x, from, ...points.map(([step]) => step), last].filter((x) => x <= last);
  const x = [...new Set(steps)].sort((a, b) => a - b);
  const y = x.map((at) => (at < from ? base(at) : base(at) * factorAt(points, at)));
  return { x, y, stepped: false };
}

function factorAt(points, at) {
  const next = points.findIndex(([step]) => step > at);
  if (next === 0) return points[0][1];
  if (next < 0) return points.at(-1)[1];
  const [[a, low], [b, high]] = points.slice(next - 1, next + 1);
  return low + ((high - low) * (at - a)) / (b - a);
}

/** Smallest and largest finite number of several lists; null where there is none. */
export function extent(lists) {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : null;
}

/** A log axis tells more when all values are above zero and the largest dwarfs the usual ones. */
export function wantsLog(values) {
  const finite = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (finite.length < 2 || finite[0] <= 0) return false;
  return finite.at(-1) / finite[Math.floor(finite.length / 2)] > 8;
}
