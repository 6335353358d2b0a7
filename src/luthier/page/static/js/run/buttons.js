// What is done to the run as a whole: pause, mark, hold, go back to the best, stop.
import { fill, h } from "../dom.js";
import { t } from "../i18n.js";
import * as float from "./float.js";
import { icon } from "./icons.js";

/** The row of buttons. `update(run, blocked)`; the rest is for keys. */
export function createButtons(ask) {
  const root = h("div", { class: "run-buttons", role: "toolbar", "aria-label": t("do.title") });
  let run = null;
  let blocked = "";
  let buttons = {};
  let drawn = "";

  const button = (kind, words, go, props = {}) =>
    h(
      "button",
      { dataset: { kind }, disabled: Boolean(blocked), title: blocked || "", onClick: go, ...props },
      icon(kind),
      words,
    );
  const plain = (kind) => () => ask({ kind }, t(`do.${kind}`));

  function update(now, why) {
    run = now;
    blocked = why;
    const shape = [run.state === "paused", run.held, blocked].join();
    if (shape === drawn) return;
    drawn = shape;
    const turning = run.state === "paused" ? "resume" : "pause";
    buttons = {
      turn: button(turning, t(`do.${turning}`), plain(turning)),
      mark: button("mark", t("do.mark"), () => mark()),
      best: button("roll_back", t("do.best"), () => best()),
      hold: run.held
        ? button("release", t("do.release"), plain("release"))
        : button("hold", t("do.hold"), plain("hold"), { title: blocked || t("do.hold.hint") }),
      stop: button("stop", t("do.stop"), () => stop(), { class: "danger" }),
    };
    fill(root, Object.values(buttons));
  }

  function best() {
    ask({ kind: "roll_back", to: "best" }, t("do.best"));
  }

  function mark() {
    const name = h("input", {
      type: "text",
      maxLength: 100,
      value: t("do.mark.name"),
      "aria-label": t("do.mark.label"),
    });
    const go = (event) => {
      event.preventDefault();
      float.hide({ back: true });
      ask({ kind: "mark", name: name.value.trim() || t("do.mark.name") }, `${t("do.mark")}: ${name.value.trim()}`);
    };
    float.show(
      buttons.mark,
      h(
        "form",
        { class: "act-menu", onSubmit: go },
        h("h3", {}, t("do.mark.label")),
        name,
        h("button", { type: "submit", class: "primary" }, t("do.mark")),
      ),
      { pinned: true, label: t("do.mark.label") },
    );
    name.select();
  }

  function stop() {
    const sure = h(
      "button",
      { class: "danger", onClick: () => (float.hide({ back: true }), ask({ kind: "stop" }, t("do.stop"))) },
      icon("stop"),
      t("do.stop.sure"),
    );
    float.show(
      buttons.stop,
      h(
        "div",
        { class: "act-menu" },
        h("p", {}, t("do.stop.ask", { run: run.id })),
        h(
          "div",
          { class: "menu-buttons" },
          sure,
          h("button", { onClick: () => float.hide({ back: true }) }, t("do.cancel")),
        ),
      ),
      { pinned: true, label: t("do.stop") },
    );
  }

  const able = (go) => () => !blocked && go();
  return { root, update, turn: able(() => buttons.turn.click()), mark: able(mark), best: able(best), stop: able(stop) };
}
