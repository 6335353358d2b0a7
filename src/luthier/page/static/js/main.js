// The shell: top bar, and a view for what stands after the # of the address.
import { ApiError, me } from "./api.js";
import { dark } from "./colors.js";
import { fill, h } from "./dom.js";
import { lang, LANGUAGES, speak, t } from "./i18n.js";
import { remember } from "./memory.js";
import { route } from "./route.js";

const VIEWS = {
  studies: () => import("./views/studies.js"),
  study: () => import("./views/study.js"),
  compare: () => import("./views/compare.js"),
  run: () => import("./views/run.js"),
  lineage: () => import("./views/lineage.js"),
  knowledge: () => import("./views/knowledge.js"),
};

let leave = null;
let turn = 0;

async function show() {
  turn += 1;
  const mine = turn;
  leave?.();
  leave = null;
  const { view, params } = route(location.hash);
  bar(view, params);
  const old = document.getElementById("main");
  const root = h("main", { id: "main", tabIndex: -1, class: `view-${view}` });
  old.replaceWith(root);
  document.title = [params.run, params.study ?? params.name, "Luthier"].filter(Boolean).join(" · ");
  scrollTo(0, 0);
  try {
    const module = await VIEWS[view]();
    if (mine !== turn) return;
    const done = await module.default(root, params, { lang: lang() });
    if (mine === turn) leave = done;
    else done?.();
  } catch (error) {
    if (mine === turn) failed(root, error);
  }
}

function failed(root, error) {
  if (!(error instanceof ApiError)) console.error(error);
  const locked = error.status === 401 || error.status === 403;
  fill(root, h("section", { class: "empty", role: "alert" },
    h("h1", {}, t(locked ? "error.locked" : "error.title")),
    h("p", {}, locked ? t("error.locked.hint") : error.message),
    error.hint ? h("p", { class: "quiet" }, error.hint) : null,
    // A module that could not be fetched stays so until the page is loaded anew.
    h("p", {}, h("button", { onClick: error instanceof ApiError ? show : () => location.reload() }, t("error.again")), " ", h("a", { href: "#/" }, t("nav.studies")))));
}

function bar(view, { study, run, name }) {
  const at = encodeURIComponent;
  const crumb = (words, href, here) =>
    h("a", { href, "aria-current": here ? "page" : null }, h("span", {}, words));
  const crumbs = [];
  if (study) crumbs.push(crumb(study, `#/s/${at(study)}`, view === "study"));
  if (run) crumbs.push(crumb(t("nav.run", { run }), `#/s/${at(study)}/r/${at(run)}`, true));
  if (view === "lineage") crumbs.push(crumb(t("nav.lineage"), location.hash, true));
  if (view === "compare") crumbs.push(crumb(t("nav.compare"), location.hash, true));
  if (name) crumbs.push(crumb(name, location.hash, true));
  const turnTheme = () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    remember("theme", next);
    document.dispatchEvent(new Event("luthier:theme"));
    turner.ariaLabel = turner.title = t(dark() ? "theme.light" : "theme.dark");
  };
  const turner = h("button", { class: "icon", title: t(dark() ? "theme.light" : "theme.dark"),
    "aria-label": t(dark() ? "theme.light" : "theme.dark"), onClick: turnTheme }, "◐");
  const others = Object.entries(LANGUAGES).filter(([code]) => code !== lang());
  fill(document.getElementById("top"),
    h("a", { class: "brand", href: "#/", "aria-current": view === "studies" ? "page" : null },
      h("img", { src: "static/icon.svg", alt: "", width: 20, height: 20 }), "Luthier"),
    h("nav", { class: "crumbs", "aria-label": t("nav.where") }, crumbs),
    h("span", { class: "grow" }),
    h("span", { class: "role quiet", id: "role" }),
    h("a", { class: "ghost", href: "#/k", "aria-current": view === "knowledge" ? "page" : null }, t("nav.knowledge")),
    others.map(([code, words]) => h("button", { class: "ghost", lang: code, onClick: () => {
      speak(code);
      show();
    } }, words)),
    turner);
  document.getElementById("skip").textContent = t("nav.skip");
  me().then(({ role, store }) => {
    const el = document.getElementById("role");
    if (el) el.textContent = role === "viewer" ? `${store} · ${t("role.viewer")}` : store;
  }).catch(() => {});
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
addEventListener("hashchange", show);
show();
