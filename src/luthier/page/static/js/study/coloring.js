// By what runs are coloured in a study: state, best value, or a parameter. Shared by all its panels.
import { css, onTheme, ramp, scale, stateScale } from "../colors.js";
import { h } from "../dom.js";
import { short, value as say } from "../format.js";
import { t } from "../i18n.js";
import { recall, remember } from "../memory.js";
import { STATES } from "./states.js";

/**
 * The colouring of a study. `by` is "state", "best" or "p.NAME"; `of(row)` a colour; `use(by)`;
 * `scaleTo(rows)` takes bounds from the rows shown; `onChange(work)`; `chooser()`; `legend()`.
 */
export function coloring(data) {
  const key = `color.${data.name}`;
  const { space } = data.info;
  const first = space.find((p) => p.tier === 1) ?? space[0];
  const heard = [];
  const colors = {
    by: recall(key) ?? (first ? `p.${first.name}` : "state"),
    get legend() {
      now ??= make();
      return now.legend;
    },
    leave: () => stop(),
  };
  let now = null;
  let shown = [];
  let drawn = "";

  const spec = () => space.find((p) => `p.${p.name}` === colors.by);
  const read = (row) => (colors.by === "best" ? row.best : row.params[colors.by.slice(2)]);
  const make = () => {
    if (colors.by !== "best" && !spec()) colors.by = "state";
    if (colors.by === "state") return stateScale(STATES.filter((s) => shown.some((row) => row.state === s)));
    return scale(spec() ?? bestSpec(shown), shown.map(read));
  };
  const changed = () => {
    now = make();
    const next = JSON.stringify([now.legend, css("paper")]);
    if (next !== drawn) {
      drawn = next;
      heard.forEach((work) => work());
    }
  };
  Object.assign(colors, {
    of(row) {
      now ??= make();
      return now.of(colors.by === "state" ? row.state : read(row));
    },
    use(by) {
      colors.by = by;
      remember(key, by);
      changed();
    },
    scaleTo(rows) {
      shown = rows;
      changed();
    },
    onChange: (work) => heard.push(work),
  });
  const stop = onTheme(() => {
    drawn = "";
    changed();
  });
  return colors;
}

// Bounds without the worst tenth, so that one diverged run does not make all others one colour.
function bestSpec(rows) {
  const seen = rows.map((row) => row.best).filter(Number.isFinite).sort((a, b) => a - b);
  const at = (u) => seen[Math.min(seen.length - 1, Math.floor(u * seen.length))];
  return seen.length ? { kind: "float", low: at(0.02), high: at(0.98) } : { kind: "float" };
}

/** The chooser of what colours mean. */
export function colorChooser(data, colors) {
  const option = (value, words) => h("option", { value, selected: colors.by === value }, words);
  return h("label", {}, h("span", {}, t("color.by")), h("select", {
    onChange: (event) => colors.use(event.target.value),
  }, option("state", t("color.state")), option("best", data.info.metric),
  h("optgroup", { label: t("color.params") }, data.info.space.map((p) => option(`p.${p.name}`, p.name)))));
}

/** The legend of the colours; draws itself again when they change. */
export function colorLegend(colors) {
  const el = h("div", { class: "legend" });
  const draw = () => {
    const { legend } = colors;
    if (legend.kind === "words") {
      el.replaceChildren(...legend.items.map(({ label, color }) =>
        h("span", { class: "key" }, h("i", { class: "dot", style: { background: color } }), label)));
      return;
    }
    const stops = Array.from({ length: 9 }, (_, k) => ramp(k / 8)).join(", ");
    const middle = legend.log ? Math.sqrt(legend.low * legend.high) : (legend.low + legend.high) / 2;
    el.replaceChildren(h("span", { class: "ramp-of" }, short(legend.low, 3)),
      h("i", { class: "ramp", role: "img", "aria-label": `${say(legend.low)} … ${say(legend.high)}`, title: short(middle, 2),
        style: { background: `linear-gradient(90deg, ${stops})` } }),
      h("span", { class: "ramp-of" }, short(legend.high, 3)),
      legend.log ? h("span", { class: "faint small" }, "log") : "");
  };
  colors.onChange(draw);
  draw();
  return el;
}
