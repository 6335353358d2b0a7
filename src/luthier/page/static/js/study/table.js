// The table of runs. It draws only the rows in sight and asks the server for pages of them, so that its
// cost does not grow with the number of runs.
import { get } from "../api.js";
import { fill, h, renew, throttle } from "../dom.js";
import { count } from "../format.js";
import { t } from "../i18n.js";
import { isPicked, onPicked, pick } from "../picked.js";
import { runHref } from "../route.js";
import { columnsMenu } from "./columns.js";
import { readRow } from "./data.js";

const ROW_PX = 28;
const PAGE = 100; // rows asked for at once
const KEPT = 40; // pages remembered
const SPARE = 6; // rows drawn beyond the edge
const CHECK_PX = 32;

/** The panel with the table. `filter` is an element put above it. Returns {el, move(by), open(), leave}. */
export function tablePanel(data, filter) {
  const menu = columnsMenu(data, () => {
    frame();
    draw();
  });
  const order = { sort: "best", down: false };
  const pages = new Map(); // page number → rows
  const asked = new Map(); // page number → the turn in which it was asked for
  let total = 0;
  let most = 0; // rows ever shown: the table grows but does not shrink, so that the page does not jump
  let turn = 0;
  let at = -1; // the row that the keyboard stands on
  let gone = false;
  let columns = menu.shown();

  const note = h("span", { class: "quiet small", role: "status" });
  const headRow = h("tr", { "aria-rowindex": 1 });
  const widths = h("colgroup");
  const above = h("tr", { class: "spacer", "aria-hidden": "true" }, h("td"));
  const below = h("tr", { class: "spacer", "aria-hidden": "true" }, h("td"));
  const body = h("tbody", { onClick: clicked, onMouseover: (event) => data.hover(event.target.closest("tr")?.dataset.run || null) });
  const lines = new Map(); // index → element of a drawn row
  const table = h("table", { class: "runs-table", role: "grid", tabIndex: 0, "aria-label": t("table.label") }, widths, h("thead", {}, headRow), body);
  const scroller = h("div", { class: "scroll runs-scroll" }, table);
  const el = h("section", { class: "panel runs" },
    h("header", {}, h("h2", {}, t("table.title")), note, h("span", { class: "grow" }),
      h("span", { class: "quiet small keys" }, h("kbd", {}, "j"), " ", h("kbd", {}, "k"), ` ${t("table.move")} `, h("kbd", {}, "↵"), ` ${t("table.open")} `, h("kbd", {}, "x"), ` ${t("table.pick")} `, h("kbd", {}, "/"), ` ${t("table.filter")}`),
      menu.el), filter, scroller);

  function frame() {
    columns = menu.shown();
    fill(widths, h("col", { style: { width: `${CHECK_PX}px` } }), columns.map((c) => h("col", { style: { width: `${c.width}px` } })), h("col"));
    fill(headRow, h("th", { class: "check" }, h("span", { class: "sr" }, t("table.pick"))), columns.map((column) => {
      const here = column.sort && order.sort === column.sort;
      return h("th", { scope: "col", class: column.num ? "num" : "", "aria-sort": here ? (order.down ? "descending" : "ascending") : null },
        column.sort ? h("button", { class: "sort", title: column.title, onClick: () => {
          order.down = here ? !order.down : false;
          order.sort = column.sort;
          frame();
          reload(true);
        } }, column.title, h("span", { class: "arrow", "aria-hidden": "true" }, here ? (order.down ? "▾" : "▴") : "")) : column.title,
        column.term ? h("a", { class: "term", href: `#/k/${encodeURIComponent(column.term)}`, title: t("table.explain", { name: column.title }) }, "?") : null);
    }), h("th"));
    table.style.width = `max(100%, ${CHECK_PX + columns.reduce((sum, c) => sum + c.width, 0)}px)`;
  }

  function clicked(event) {
    const tr = event.target.closest("tr");
    const row = tr && rowAt(Number(tr.dataset.index));
    if (!row) return;
    at = Number(tr.dataset.index);
    if (event.target.type === "checkbox") pick(data.name, row.id, event.target.checked);
    else if (event.target.closest(".check")) pick(data.name, row.id);
    else if (!event.target.closest("a")) location.hash = runHref(data.name, row.id);
  }

  const rowAt = (index) => pages.get(Math.floor(index / PAGE))?.[index % PAGE];

  function draw() {
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW_PX) - SPARE);
    const last = Math.min(total, Math.ceil((scroller.scrollTop + scroller.clientHeight) / ROW_PX) + SPARE);
    above.firstChild.style.height = `${first * ROW_PX}px`;
    below.firstChild.style.height = `${Math.max(0, total - last) * ROW_PX}px`;
    above.firstChild.colSpan = below.firstChild.colSpan = columns.length + 2;
    for (const [index, tr] of lines) {
      if (index >= first && index < last) continue;
      tr.remove();
      lines.delete(index);
    }
    if (!above.isConnected) body.append(above, below);
    let before = above;
    for (let index = first; index < last; index += 1) {
      const tr = line(index);
      if (before.nextSibling !== tr) before.after(tr);
      before = tr;
    }
    table.setAttribute("aria-rowcount", String(total + 1));
    for (let page = Math.floor(first / PAGE); page * PAGE < Math.max(last, 1); page += 1) if (!pages.has(page)) ask(page);
  }

  // The element of a row is kept, and of its cells only what changed is replaced: a click must not get lost.
  function line(index) {
    if (!lines.has(index)) lines.set(index, h("tr", { id: `row-${index}`, "aria-rowindex": index + 2, dataset: { index } }));
    const tr = lines.get(index);
    const row = rowAt(index);
    tr.dataset.run = row?.id ?? "";
    tr.setAttribute("aria-selected", String(index === at));
    if (!row) {
      tr.className = "waiting";
      tr.row = null;
      renew(tr, h("td", { colSpan: columns.length + 2 }, "…"));
      return tr;
    }
    const best = row.id === data.info.best?.run;
    const picked = isPicked(data.name, row.id);
    tr.className = [picked ? "picked" : "", best ? "best" : "", row.id === data.hovered ? "hovered" : ""].join(" ");
    if (tr.row === row && tr.columns === columns && tr.wasBest === best) {
      tr.firstChild.firstChild.checked = picked;
      return tr;
    }
    const cells = [
      h("td", { class: "check" }, h("input", { type: "checkbox", tabIndex: -1, "aria-label": t("table.pick_run", { run: row.id }) })),
      ...columns.map((column) => h("td", { class: column.num ? "num" : "" }, column.key === "id"
        ? h("a", { href: runHref(data.name, row.id), tabIndex: -1 }, row.id, best ? h("span", { class: "star", title: t("table.best") }, "★") : null)
        : column.cell(row))), h("td")];
    renew(tr, cells);
    tr.firstChild.firstChild.checked = picked;
    Object.assign(tr, { row, columns, wasBest: best });
    return tr;
  }

  async function ask(page) {
    const mine = turn;
    if (asked.get(page) === mine) return;
    asked.set(page, mine);
    try {
      const answer = await get(data.path("runs"), { ...data.query(), sort: order.sort, down: order.down ? 1 : 0, offset: page * PAGE, limit: PAGE });
      if (mine !== turn || gone) return;
      pages.set(page, answer.rows.map(readRow));
      for (const old of pages.keys()) {
        if (pages.size <= KEPT) break;
        if (Math.abs(old - page) > 3) {
          pages.delete(old);
          asked.delete(old);
        }
      }
      total = answer.total;
      most = Math.max(most, total);
      scroller.style.setProperty("--rows", most);
      note.textContent = t(data.filtered() ? "table.found" : "table.n", { n: count(total) });
      if (total === 0) note.textContent = t(data.filtered() ? "table.none" : "table.empty");
      draw();
    } catch (error) {
      if (mine === turn) {
        asked.delete(page);
        note.textContent = error.message;
      }
    }
  }

  // Old rows stay in sight until the new ones are there.
  async function reload(toTop = false) {
    turn += 1;
    const mine = turn;
    if (toTop) {
      scroller.scrollTop = 0;
      at = -1;
    }
    const first = Math.floor(scroller.scrollTop / ROW_PX / PAGE);
    const seen = Math.floor((scroller.scrollTop + scroller.clientHeight) / ROW_PX / PAGE);
    for (const page of [...pages.keys()]) if (page < first || page > seen) pages.delete(page);
    for (let page = first; page <= seen; page += 1) {
      await ask(page);
      if (mine !== turn) return;
    }
  }

  const later = throttle(() => reload(), 2500);
  const redraw = throttle(draw, 200);
  data.on("rows", (changed) => {
    const news = new Map(changed.map((row) => [row.id, row]));
    let known = 0;
    for (const rows of pages.values()) {
      rows.forEach((row, k) => {
        if (!news.has(row.id)) return;
        rows[k] = news.get(row.id);
        known += 1;
      });
    }
    if (known) redraw();
    later();
  });
  data.on("filter", () => reload(true));
  data.on("reset", () => reload());
  data.on("hover", (run) => {
    for (const tr of body.children) tr.classList.toggle("hovered", tr.dataset.run === run && run !== null);
  });
  const stopPicked = onPicked(draw);
  let frameAsked = 0;
  scroller.addEventListener("scroll", () => {
    if (!frameAsked) frameAsked = requestAnimationFrame(() => {
      frameAsked = 0;
      draw();
    });
  }, { passive: true });
  scroller.addEventListener("mouseleave", () => data.hover(null));
  const size = new ResizeObserver(draw);
  size.observe(scroller);

  frame();
  draw();
  return {
    el,
    /** Move the keyboard's row by so many. */
    move(by) {
      if (total === 0) return;
      at = Math.max(0, Math.min(total - 1, at + by));
      const y = at * ROW_PX;
      const tall = scroller.clientHeight - ROW_PX * 2;
      if (y < scroller.scrollTop) scroller.scrollTop = y;
      else if (y > scroller.scrollTop + tall) scroller.scrollTop = y - tall;
      table.setAttribute("aria-activedescendant", `row-${at}`);
      draw();
      data.hover(rowAt(at)?.id ?? null);
    },
    open() {
      const row = rowAt(at);
      if (row) location.hash = runHref(data.name, row.id);
      return Boolean(row);
    },
    pick() {
      const row = rowAt(at);
      if (row) pick(data.name, row.id);
    },
    leave() {
      gone = true;
      later.cancel();
      redraw.cancel();
      size.disconnect();
      stopPicked();
    },
  };
}
