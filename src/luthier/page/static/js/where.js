// Conditions on runs, as the server's `where` reads them: NAME OP VALUE joined by `and`.

const PART = /^\s*([\p{L}_][\p{L}\p{N}_.]*)\s*(<=|>=|!=|==|=|<|>)\s*(.+?)\s*$/u;
const TESTS = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => a === b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

/** A value as `where` writes it: words that are not plain are quoted. */
export const quote = (value) =>
  typeof value === "string" && !/^[\p{L}_][\p{L}\p{N}_-]*$/u.test(value)
    ? `'${value.replaceAll("'", "")}'`
    : String(value);

/**
 * A test of one run for the condition: `test(get)` with `get(name) → value | null`. Null when the words
 * cannot be read here (the server says what is wrong with them).
 */
export function matcher(where) {
  if (!where.trim()) return () => true;
  const tests = [];
  for (const part of where.split(/\s+and\s+/i)) {
    const [, name, op, word] = PART.exec(part) ?? [];
    if (!name) return null;
    const text = word.replace(/^(['"])(.*)\1$/, "$2");
    const test = TESTS[op];
    tests.push((get) => {
      const have = get(name);
      if (have === null || have === undefined) return false;
      return typeof have === "number" ? test(have, Number(text)) : test(String(have), text);
    });
  }
  return (get) => tests.every((test) => test(get));
}
