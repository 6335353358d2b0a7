// All words of the page, in English and Chinese. No view holds words of its own.
import { recall, remember } from "./memory.js";
import en from "./words/en.js";
import enRun from "./words/en_run.js";
import zh from "./words/zh.js";
import zhRun from "./words/zh_run.js";

const WORDS = { en: { ...en, ...enRun }, zh: { ...zh, ...zhRun } };

/** The page's languages, by their own names. */
export const LANGUAGES = { en: "English", zh: "中文" };

let now = recall("lang") ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
if (!(now in WORDS)) now = "en";

/** The language in use. */
export const lang = () => now;

/** Use another language from now on; the caller draws again. */
export function speak(language) {
  now = language;
  remember("lang", language);
  document.documentElement.lang = language === "zh" ? "zh-Hans" : language;
}

/**
 * The words of `key`, with `{name}` filled from `vars`. When `n` is one, `key.one` is used where there is one.
 * A missing key shows as itself.
 */
export function t(key, vars = {}) {
  const one = String(vars.n) === "1" ? WORDS[now][`${key}.one`] : undefined;
  const words = one ?? WORDS[now][key] ?? WORDS.en[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => (name in vars ? String(vars[name]) : whole));
}

/** The words of `key` if there are any, else `otherwise`. */
export const has = (key, otherwise) => WORDS[now][key] ?? WORDS.en[key] ?? otherwise;

/** A reason in words: the codes of policies are translated, what a person wrote stays. */
export const because = (reason) => has(`reason.${reason}`, reason);

/** One of a pair {en, zh} that the server sent. */
export const say = (pair) => (typeof pair === "string" ? pair : pair?.[now] ?? pair?.en ?? "");

speak(now);
