// What the panels of a study view share: the study, the filter, the changes as they come.
import { get, listen, studyPath } from "../api.js";
import { number } from "../format.js";
import { studyHref } from "../route.js";
import { matcher, quote } from "../where.js";

const NUMBERS = ["step", "to_step", "train_s", "best", "best_step", "last"];

/** A row of the server with its numbers as numbers. */
export function readRow(row) {
  const read = { ...row };
  for (const name of NUMBERS) read[name] = number(row[name]);
  return read;
}

/** A field of a row by its name in `where`: the parameters first, then the row's own. */
export const field = (row, name) => (name in row.params ? row.params[name] : row[name]);

/**
 * A study that is followed, with the filter of the address's `params`. Panels call `on(what, work)`; `what` is one of:
 * study (head line changed) · rows (array of changed rows) · curves ({run: {x, y}} new points) · entries
 * (diary entries) · filter · reset (fetch again) · hover (a run or null) · connection ("live" | "lost").
 */
export async function openStudy(name, params = {}) {
  const heard = new Map();
  const tell = (what, ...args) => (heard.get(what) ?? []).forEach((work) => work(...args));
  const info = await get(studyPath(name));
  const data = {
    name,
    info,
    path: (...rest) => studyPath(name, ...rest),
    better: info.goal === "maximize" ? (a, b) => a > b : (a, b) => a < b,
    filter: readFilter(params),
    hovered: null,
    steps_spent: null, // by all runs, once it is known
    on(what, work) {
      if (!heard.has(what)) heard.set(what, []);
      heard.get(what).push(work);
    },
    tell,
    /** The filter as a query of the server. */
    query() {
      const { text, states } = data.filter;
      return { where: data.where(), text, state: states.join(",") };
    },
    /** All conditions in one: the words of the box and the brushes. */
    where: () => [data.filter.where.trim(), ...Object.values(data.filter.brushes).map(clause)].filter(Boolean).join(" and "),
    filtered: () => Boolean(data.where() || data.filter.text || data.filter.states.length),
    /** A test of a row for the filter. */
    test() {
      const { text, states } = data.filter;
      const fits = matcher(data.where()) ?? (() => true);
      const words = text.toLowerCase().split(/\s+/).filter(Boolean);
      return (row) =>
        (!states.length || states.includes(row.state)) &&
        fits((key) => field(row, key)) &&
        (!words.length || words.every((word) => told(row).includes(word)));
    },
    change(part) {
      Object.assign(data.filter, part);
      // In the address, so that a link, the way back and another language keep the filter.
      history.replaceState(null, "", studyHref(name) + writeFilter(data.filter));
      tell("filter");
    },
    hover(run) {
      if (data.hovered === run) return;
      data.hovered = run;
      tell("hover", run);
    },
  };
  data.close = listen(name, {
    onChange(change) {
      if (change.study) {
        Object.assign(info, change.study);
        tell("study");
      }
      const rows = (change.rows ?? []).map(readRow);
      if (rows.length) tell("rows", rows);
      if (Object.keys(change.curves ?? {}).length) tell("curves", change.curves);
      if (change.entries?.length) tell("entries", change.entries);
    },
    async onReset() {
      try {
        Object.assign(info, await get(studyPath(name)));
        tell("study");
        tell("reset");
      } catch {
        // The connection is down again; its return resets once more.
      }
    },
    onState: (state) => tell("connection", state),
  });
  return data;
}

// What the server finds text in.
const told = (row) => [row.id, row.state, row.reason, ...Object.entries(row.params).map(([k, v]) => `${k}=${v}`), row.error].join(" ").toLowerCase();

function readFilter({ where = "", text = "", state = "", brush = "" }) {
  let brushes = {};
  try {
    brushes = Object.fromEntries(JSON.parse(brush || "[]").map((one) => [one.name, one]));
  } catch {
    // An address that was cut short opens without its brushes.
  }
  return { where, text, states: state.split(",").filter(Boolean), brushes };
}

function writeFilter({ where, text, states, brushes }) {
  const query = new URLSearchParams();
  if (where.trim()) query.set("where", where);
  if (text) query.set("text", text);
  if (states.length) query.set("state", states.join(","));
  if (Object.keys(brushes).length) query.set("brush", JSON.stringify(Object.values(brushes)));
  return query.size ? `?${query}` : "";
}

/**
 * A brush as a condition. {name, low, high} for numbers, null where it is open; {name, without: [values]} for
 * choices. `span` {from, to} is where it stands on its axis, in [0, 1].
 */
export function clause({ name, low, high, without }) {
  if (without) return without.map((value) => `${name}!=${quote(value)}`).join(" and ");
  const ends = [low === null ? "" : `${name}>=${Number(low.toPrecision(6))}`, high === null ? "" : `${name}<=${Number(high.toPrecision(6))}`];
  return ends.filter(Boolean).join(" and ");
}
