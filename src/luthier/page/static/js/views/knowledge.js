// What Luthier knows: a list to search in, and a page per entry.
import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { say, t } from "../i18n.js";

const KINDS = ["hyperparameter", "concept", "diagnosis", "lint", "error"];

/** Fill `root` with the list, or with one entry. */
export default async function show(root, { name }, { lang }) {
  return name === undefined ? list(root, lang) : page(root, name, lang);
}

const href = (name) => `#/k/${encodeURIComponent(name)}`;

async function list(root, lang) {
  const entries = await get("/knowledge", { lang });
  const found = h("div", { class: "know-list" });
  const box = h("input", {
    type: "search",
    placeholder: t("know.search"),
    "aria-label": t("know.search"),
    onInput: () => draw(box.value),
  });
  fill(
    root,
    h(
      "section",
      { class: "panel" },
      h("header", {}, h("h1", {}, t("know.title")), h("span", { class: "grow" }), box),
      found,
    ),
  );

  function draw(text) {
    const sought = text.trim().toLowerCase();
    const fits = ({ name, title }) =>
      [name, ...Object.values(title)].some((words) => words.toLowerCase().includes(sought));
    const groups = KINDS.map((kind) => [kind, entries.filter((e) => e.kind === kind && fits(e))]).filter(
      ([, some]) => some.length,
    );
    fill(
      found,
      groups.length
        ? groups.map(([kind, some]) =>
            h(
              "section",
              {},
              h("h2", {}, t(`know.${kind}`)),
              h(
                "ul",
                {},
                some.map((e) =>
                  h(
                    "li",
                    {},
                    h("a", { href: href(e.name) }, say(e.title)),
                    " ",
                    say(e.title) !== e.name && h("code", { class: "quiet" }, e.name),
                  ),
                ),
              ),
            ),
          )
        : h("p", { class: "quiet" }, t("know.none", { text })),
    );
  }
  draw("");
  box.focus({ preventScroll: true });
  return () => {};
}

async function page(root, name, lang) {
  const [entry, all] = await Promise.all([
    get(`/knowledge/${encodeURIComponent(name)}`, { lang }),
    get("/knowledge", { lang }),
  ]);
  const known = new Set(all.map((one) => one.name));
  const text = (section) => textOf(section, known);
  const sections = entry.sections.filter((section) => section.title !== t("know.sources")); // a list of its own below
  fill(
    root,
    h(
      "article",
      { class: "panel know-page" },
      h("a", { href: "#/k", class: "small" }, `← ${t("know.back")}`),
      h("h1", {}, say(entry.title), " ", h("code", { class: "quiet" }, entry.name)),
      sections.map((section) => h("section", {}, section.title && h("h2", {}, section.title), text(section))),
      entry.sources?.length > 0 &&
        h(
          "section",
          {},
          h("h2", {}, t("know.sources")),
          h(
            "ul",
            {},
            entry.sources.map((source) => h("li", {}, linked(source))),
          ),
        ),
    ),
  );
  return () => {};
}

function textOf(section, known) {
  const [head, ...rows] = section.rows ?? [];
  return [
    (section.paragraphs ?? []).map((words) => h("p", {}, withLinks(words, known))),
    head &&
      h(
        "div",
        { class: "scroll" },
        h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              head.map((cell) => h("th", { scope: "col" }, cell)),
            ),
          ),
          h(
            "tbody",
            {},
            rows.map((row) =>
              h(
                "tr",
                {},
                row.map((cell) => h("td", {}, withLinks(cell, known))),
              ),
            ),
          ),
        ),
      ),
  ];
}

const PAPER = /^arXiv:(\d{4}\.\d{4,5})$/;

// "dropout (Dropout rate)" names another entry, "arXiv:1801.05134" a paper.
function withLinks(words, known) {
  return words.split(/([\w.-]+(?= \()|arXiv:\d{4}\.\d{4,5})/).map((part) => {
    const paper = PAPER.exec(part);
    if (paper) return outside(`https://arxiv.org/abs/${paper[1]}`, part);
    return known.has(part) ? h("a", { href: href(part) }, part) : part;
  });
}

const outside = (url, words) => h("a", { href: url, rel: "noreferrer", target: "_blank" }, words);

// Only addresses of the web become links.
function linked(source) {
  const words = source.title || source.url;
  return /^https?:\/\//.test(source.url ?? "") ? outside(source.url, words) : withLinks(words, new Set());
}
