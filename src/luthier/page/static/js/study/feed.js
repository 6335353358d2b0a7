// What was done to whom, by whom, and why: the newest first.
import { get } from "../api.js";
import { fill, h, throttle } from "../dom.js";
import { count, moment, params } from "../format.js";
import { because, has, t } from "../i18n.js";
import { runHref } from "../route.js";

const MANY = 200;
const ROUTINE = new Set(["continue"]);

/** The panel. Returns {el, leave}. */
export function feedPanel(data) {
  const entries = new Map(); // number → entry
  const lines = new Map(); // number → {entry, li}: a line is made once, so that a click on it is not lost
  const list = h("ol", { class: "feed" });
  let author = "";
  let gone = false;
  const chooser = h("select", { "aria-label": t("feed.who"), onChange: (event) => {
    author = event.target.value;
    draw();
  } }, ["", "policy", "human", "guard"].map((who) => h("option", { value: who }, t(who ? `author.${who}` : "feed.all"))));
  const el = h("section", { class: "panel feed-panel", "aria-label": t("feed.title") },
    h("header", {}, h("h2", {}, t("feed.title")), h("span", { class: "grow" }), chooser),
    h("div", { class: "feed-scroll", tabIndex: 0, role: "region", "aria-label": t("feed.title") }, list));

  const line = (entry) => {
    const changed = Object.keys(entry.after ?? {}).length ? params(entry.after) : "";
    return h("li", { class: `${entry.author} ${entry.state}`, dataset: { run: entry.run } },
      h("div", { class: "what" },
        h("span", { class: `who ${entry.author}` }, t(`author.${entry.author}`)),
        h("a", { href: runHref(data.name, entry.run) }, t("nav.run", { run: entry.run })),
        h("span", {}, has(`feed.kind.${entry.kind}`, entry.kind)),
        h("span", { class: "grow" }), h("time", { class: "faint" }, moment(entry.time_s))),
      changed ? h("div", { class: "mono" }, changed) : null,
      h("div", { class: "quiet" }, [because(entry.reason), entry.step === null || entry.step === undefined ? "" : t("feed.step", { step: count(entry.step) })].filter(Boolean).join(" · ")),
      entry.state === "refused" ? h("div", { class: "bad" }, t("feed.refused", { why: entry.why })) : null);
  };
  function draw() {
    const shown = [...entries.values()]
      .filter((entry) => (author ? entry.author === author : !ROUTINE.has(entry.kind)))
      .sort((a, b) => b.number - a.number).slice(0, MANY);
    const wanted = shown.map((entry) => {
      if (lines.get(entry.number)?.entry !== entry) lines.set(entry.number, { entry, li: line(entry) });
      return lines.get(entry.number).li;
    });
    if (!wanted.length) wanted.push(h("li", { class: "quiet" }, t("feed.none")));
    wanted.forEach((li, k) => {
      if (list.children[k] !== li) list.insertBefore(li, list.children[k] ?? null);
    });
    while (list.children.length > wanted.length) list.lastChild.remove();
  }
  async function load() {
    try {
      const answer = await get(data.path("actions"), { limit: MANY });
      for (const entry of answer.entries) entries.set(entry.number, entry);
      if (!gone) draw();
    } catch (error) {
      if (!gone) fill(list, h("li", { class: "quiet" }, error.message));
    }
  }
  const redraw = throttle(draw, 500);
  data.on("entries", (news) => {
    for (const entry of news) entries.set(entry.number, entry);
    redraw();
  });
  data.on("reset", load);
  load();
  return {
    el,
    leave() {
      gone = true;
      redraw.cancel();
    },
  };
}
