// Sentences about actions and their verdicts, from the numbers that the server sends.
import { count, number, short, value } from "../format.js";
import { has, t } from "../i18n.js";

/** What a kind of action is called. */
export const kindWords = (kind) => t(`kind.${kind.replace("_", "")}`);

/** Who asked. */
export const authorWords = (author) => t(`author.${author}`);

/** asked, obeyed, refused. */
export const fateWords = (state) => t(`fate.${state}`);

/** Values that changed: [name, before, after] as text. */
export function changed(entry) {
  const names = [...new Set([...Object.keys(entry.before ?? {}), ...Object.keys(entry.after ?? {})])];
  return names.map((name) => [
    name,
    name in (entry.before ?? {}) ? value(entry.before[name]) : "",
    name in (entry.after ?? {}) ? value(entry.after[name]) : "",
  ]);
}

/** The outcome of a verdict as one word for classes: helped, hurt, unsure, early. */
export const outcomeClass = (verdict) =>
  ({ helped: "helped", hurt: "hurt", "too early": "early" })[verdict.outcome] ?? "unsure";

/** "helped: 0.31 against 0.35 expected (±0.01)". */
export function verdictWords(verdict, metric) {
  const outcome = has(`verdict.${outcomeClass(verdict)}`, verdict.outcome);
  if (outcomeClass(verdict) === "early") return outcome;
  const observed = number(verdict.observed);
  const expected = number(verdict.expected);
  const error = number(verdict.error);
  if (observed === null) return outcome;
  const parts = { outcome, metric, observed: short(observed), expected: short(expected), error: short(error, 2) };
  if (expected === null || !Number.isFinite(expected)) return t("verdict.seen", parts);
  return t(Number.isFinite(error ?? NaN) ? "verdict.full" : "verdict.noerror", parts);
}

/** What became of an order for `names`, in one line. */
export function answerWords(answer, names = []) {
  if (answer.state === "refused") return t("fate.refused.why", { why: answer.why || "–" });
  if (answer.state !== "obeyed") return t(`fate.${answer.state}`);
  const read = answer.read_back ?? {};
  const found = names.filter((name) => name in read).map((name) => `${name} = ${value(read[name])}`);
  const step = count(answer.step);
  const words = found.length
    ? t("fate.obeyed.read", { step, values: found.join(", ") })
    : t("fate.obeyed.step", { step });
  return answer.why ? `${words} — ${answer.why}` : words;
}
