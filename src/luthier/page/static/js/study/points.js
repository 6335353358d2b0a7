// One point per trial, kept fresh: what the parallel axes and the scatter plots draw.
import { get } from "../api.js";
import { throttle } from "../dom.js";
import { number } from "../format.js";

const MANY = 5000;

/** The points of a study. `all` rows, `shown` those within the filter, `total`; `onChange(work)`; `leave()`. */
export function pointsOf(data) {
  const heard = [];
  const byRun = new Map();
  const points = { all: [], shown: new Set(), total: 0 };
  let gone = false;
  const sift = () => {
    const fits = data.test();
    points.all = [...byRun.values()];
    points.shown = new Set(points.all.filter(fits).map((row) => row.id));
    heard.forEach((work) => work());
  };
  async function load() {
    try {
      const answer = await get(data.path("points"), { limit: MANY });
      if (gone) return;
      byRun.clear();
      points.total = answer.total;
      const names = Object.keys(answer.params);
      answer.runs.forEach((id, k) => {
        const params = {};
        for (const name of names) if (answer.params[name][k] !== null) params[name] = answer.params[name][k];
        byRun.set(id, { id, trial: answer.trials[k], state: answer.states[k], best: number(answer.best[k]),
          step: number(answer.step[k]), train_s: number(answer.train_s[k]), params, reason: "", error: "" });
      });
      sift();
    } catch {
      // Drawn with what there was; the next reset asks again.
    }
  }
  const later = throttle(sift, 700);
  data.on("rows", (rows) => {
    for (const row of rows) {
      if (byRun.has(row.id)) byRun.set(row.id, row);
      else {
        for (const [id, old] of byRun) if (old.trial === row.trial) byRun.delete(id);
        byRun.set(row.id, row);
        points.total += 1;
      }
    }
    later();
  });
  data.on("filter", sift);
  data.on("reset", load);
  load();
  return Object.assign(points, {
    onChange: (work) => heard.push(work),
    leave() {
      gone = true;
      later.cancel();
    },
  });
}
