// Conditions on runs, as the server's `where` reads them: NAME OP VALUE joined by `and`.

const PART = /^\s*([\p{L}_][\p{L}\p{N}_./-]*)\s*(<=|>=|!=|==|=|<|>)\s*(?:'([^']*)'|"([^"]*)"|([^\s'"<>=!]+))\s*/u;
const AND = /^and\b\s*(?=\S)/i;
const TESTS = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => a === b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

/** A value as the server compares it with words: (7, 1) for a pair. */
const text = (value) => (Array.isArray(value) ? `(${value.join(", ")}${value.length === 1 ? "," : ""})` : String(value));

/** A value as `where` writes it: words that are not plain are quoted. */
export function quote(value) {
  const words = text(value);
  if (typeof value === "number" || /^[\p{L}_][\p{L}\p{N}_-]*$/u.test(words)) return words;
  return words.includes("'") ? `"${words}"` : `'${words}'`;
}

/**
 * A test of one run for the condition: `test(get)` with `get(name) → value | null`. Null when the words
 * cannot be read here (the server says what is wrong with them).
 */
export function matcher(where) {
  const tests = [];
  let rest = where.trim();
  while (rest) {
    const part = PART.exec(rest);
    if (!part) return null;
    const [all, name, op, single, double, bare] = part;
    const word = single ?? double ?? bare;
    const compare = TESTS[op];
    tests.push((get) => {
      const have = get(name);
      if (have === null || have === undefined) return false;
      if (typeof have === "number") return compare(have, Number(word));
      return typeof have === "boolean" ? compare(String(have), word.toLowerCase()) : compare(text(have), word);
    });
    rest = rest.slice(all.length);
    if (!rest) break;
    const joint = AND.exec(rest);
    if (!joint) return null;
    rest = rest.slice(joint[0].length);
  }
  return (get) => tests.every((test) => test(get));
}
