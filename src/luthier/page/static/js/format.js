// Numbers, times and parameter values as text.
import { t } from "./i18n.js";

const NOT_FINITE = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };

/** A number of the wire (number | "NaN" | "Infinity" | "-Infinity" | null) as a number or null. */
export const number = (wire) =>
  wire === null || wire === undefined ? null : typeof wire === "number" ? wire : NOT_FINITE[wire] ?? null;

/** Numbers of the wire as an array; null becomes NaN. */
export const numbers = (wires) => wires.map((wire) => (typeof wire === "number" ? wire : number(wire) ?? NaN));

/** A number in `digits` significant digits, short. Missing is a dash. */
export function short(value, digits = 4) {
  const x = typeof value === "number" ? value : number(value);
  if (x === null || x === undefined) return "–";
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  let text;
  if (Number.isInteger(x) && size < 1e6) text = String(x);
  else if (size >= 1e6 || size < 1e-3) {
    const [mantissa, power] = x.toExponential(digits - 1).split("e");
    text = `${mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa}e${Number(power)}`;
  } else {
    text = x.toPrecision(digits);
    if (text.includes("e")) text = String(Number(text));
    else if (text.includes(".")) text = text.replace(/\.?0+$/, "");
  }
  return text.replace(/^-/, "−");
}

/** A step or a count: whole where it is whole, thousands apart. */
export function count(value) {
  const x = number(value);
  if (x === null || !Number.isFinite(x)) return short(x);
  if (!Number.isInteger(x)) return short(x, 5);
  return String(x).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** Seconds as words: 8.2 s, 4:05, 3:07:00, 2 d 3 h. */
export function duration(value_s) {
  const s = number(value_s);
  if (s === null || !Number.isFinite(s)) return "–";
  if (s < 60) return `${s < 10 ? Math.round(s * 10) / 10 : Math.round(s)} ${t("unit.s")}`;
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)}`;
  if (s < 172800) return `${Math.floor(s / 3600)}:${two((s % 3600) / 60)}:${two(s % 60)}`;
  return `${Math.floor(s / 86400)} ${t("unit.d")} ${Math.floor((s % 86400) / 3600)} ${t("unit.h")}`;
}

/** A moment (Unix seconds): the time today, else date and time. */
export function moment(value_s) {
  const s = number(value_s);
  if (s === null) return "–";
  const date = new Date(s * 1000);
  const two = (n) => String(n).padStart(2, "0");
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (date.toDateString() === new Date().toDateString()) return `${time}:${two(date.getSeconds())}`;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

/** How long ago a moment was, roughly. */
export function ago(value_s) {
  const s = Math.max(0, Date.now() / 1000 - value_s);
  if (s < 60) return t("ago.now");
  if (s < 3600) return t("ago.min", { n: Math.floor(s / 60) });
  if (s < 86400) return t("ago.h", { n: Math.floor(s / 3600) });
  return t("ago.d", { n: Math.floor(s / 86400) });
}

/** A parameter's value: number, word, boolean, an array of numbers, or pairs of them (a course). */
export function value(param) {
  if (param === null || param === undefined) return "–";
  if (Array.isArray(param?.[0])) return param.map((pair) => pair.map((x) => short(x, 3)).join(":")).join(" ");
  if (Array.isArray(param)) return `(${param.map((x) => short(x)).join(", ")})`;
  if (typeof param === "boolean") return param ? "true" : "false";
  if (typeof param === "string") return param in NOT_FINITE ? short(param) : param;
  return short(param, 3);
}

/** Parameters in one line: lr=3e−4 width=64. */
export const params = (dict) =>
  Object.entries(dict ?? {}).map(([name, param]) => `${name}=${value(param)}`).join(" ");

/** Bytes: 3.2 MB. */
export function bytes(n) {
  if (n === null || n === undefined) return "–";
  let size = n;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (size < 1000 || unit === "GB") return `${short(size, 3)} ${unit}`;
    size /= 1000;
  }
  return "";
}
