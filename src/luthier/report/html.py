"""A report as one HTML file: style and pictures inside, no script, ready to be printed."""

from html import escape
from typing import assert_never

from luthier.report.document import (
    Block,
    Cards,
    Code,
    Document,
    Gallery,
    Paragraph,
    Picture,
    Section,
    Table,
)

_SHORT = 12  # rows of a table that is kept on one page
_STYLE = """
:root { color-scheme: light; --ink: #1b1f24; --soft: #5b636d; --line: #dfe3e8; --mark: #fff6e0; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 980px; padding: 32px 28px 64px; background: #fff;
  color: var(--ink); line-height: 1.5; font-size: 15px; font-family: system-ui, -apple-system,
  "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  overflow-wrap: break-word; }
h1 { font-size: 28px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 20px; margin: 40px 0 12px; padding-top: 12px; border-top: 1px solid var(--line); }
p { margin: 8px 0; max-width: 78ch; }
.quiet, .subtitle, figcaption { color: var(--soft); font-size: 13px; }
nav { margin: 16px 0 8px; font-size: 13px; }
nav a { margin-right: 14px; color: #0063a0; text-decoration: none; white-space: nowrap; }
nav a:hover { text-decoration: underline; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 18px 0; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
.card b { display: block; font-size: 22px; line-height: 1.3; font-weight: 600; }
.card span { display: block; color: var(--soft); font-size: 12.5px; }
.table { overflow-x: auto; margin: 12px 0; }
table { border-collapse: collapse; font-size: 13.5px; min-width: 40%; }
th, td { text-align: left; vertical-align: top; padding: 5px 14px 5px 0; }
th { color: var(--soft); font-weight: 600; border-bottom: 1.5px solid var(--line);
  white-space: nowrap; }
td { border-bottom: 1px solid #eef0f2; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.marked td { background: var(--mark); }
figure { margin: 14px 0; }
figure svg { max-width: 100%; height: auto; display: block; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr));
  gap: 8px 16px; }
.gallery figure { margin: 4px 0; }
pre { background: #f5f6f8; border: 1px solid var(--line); border-radius: 6px; padding: 10px 12px;
  font-size: 13px; line-height: 1.45; white-space: pre-wrap; overflow-wrap: anywhere;
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (max-width: 600px) { body { padding: 20px 14px 40px; } h1 { font-size: 23px; }
  td:last-child { min-width: 150px; } }
@page { size: A4; margin: 16mm 14mm 18mm;
  @bottom-right { content: counter(page) " / " counter(pages); font: 9pt sans-serif;
    color: #5b636d; } }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; print-color-adjust: exact;
    -webkit-print-color-adjust: exact; }
  nav { display: none; }
  h2 { margin-top: 22px; break-after: avoid; }
  h2 + * { break-before: avoid; }
  figure, tr, pre, p, .card { break-inside: avoid; }
  p { orphans: 3; widows: 3; }
  thead { display: table-header-group; }
  .table { overflow: visible; }
  table { font-size: 8.8pt; min-width: 0; }
  th, td { padding-right: 8px; }
  td:last-child { overflow-wrap: anywhere; }
  p:has(+ .table), p:has(+ figure), p:has(+ pre) { break-after: avoid; }
  .short { break-inside: avoid; }
  .cards { grid-template-columns: repeat(auto-fit, minmax(110px, 1fr)); gap: 8px; }
  .card { padding: 8px 9px; }
  .card b { font-size: 15pt; }
  .card span { font-size: 8.5pt; }
  .gallery { grid-template-columns: repeat(2, 1fr); }
}
"""


def to_html(document: Document) -> str:
    """The file's text."""
    links = "".join(
        f'<a href="#{escape(s.name)}">{escape(s.title)}</a>' for s in document.sections if s.title
    )
    sections = "\n".join(_section(section) for section in document.sections)
    return (
        f'<!doctype html>\n<html lang="{escape(document.lang)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(document.title)}</h1>\n"
        f'<div class="subtitle">{escape(document.subtitle)}</div>\n<nav>{links}</nav></header>\n'
        f"<main>\n{sections}\n</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    head = f"<h2>{escape(section.title)}</h2>\n" if section.title else ""
    blocks = "\n".join(_block(block) for block in section.blocks)
    return f'<section id="{escape(section.name)}">\n{head}{blocks}\n</section>'


def _block(block: Block) -> str:
    match block:
        case Paragraph(text=text, quiet=quiet):
            return f'<p class="quiet">{escape(text)}</p>' if quiet else f"<p>{escape(text)}</p>"
        case Table():
            return _table(block)
        case Picture():
            return _figure(block)
        case Gallery(pictures=pictures):
            return f'<div class="gallery">{"".join(map(_figure, pictures))}</div>'
        case Code(text=text):
            return f"<pre>{escape(text)}</pre>"
        case Cards(cards=cards):
            shown = "".join(
                f'<div class="card"><span>{escape(label)}</span><b>{escape(figure)}</b>'
                f"<span>{escape(words)}</span></div>"
                for label, figure, words in cards
            )
            return f'<div class="cards">{shown}</div>'
    assert_never(block)


def _figure(picture: Picture) -> str:
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    return f"<figure>{picture.svg}{caption}</figure>"


def _table(table: Table) -> str:
    def cell(tag: str, column: int, text: str) -> str:
        kind = ' class="number"' if column in table.numbers else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    head = "".join(cell("th", i, text) for i, text in enumerate(table.head))
    rows = "".join(
        f"<tr{' class=marked' if number in table.marked else ''}>"
        + "".join(cell("td", i, text) for i, text in enumerate(row))
        + "</tr>\n"
        for number, row in enumerate(table.rows)
    )
    thead = f"<thead><tr>{head}</tr></thead>" if any(table.head) else ""
    short = " short" if len(table.rows) <= _SHORT else ""
    return f'<div class="table{short}"><table>{thead}<tbody>\n{rows}</tbody></table></div>'
