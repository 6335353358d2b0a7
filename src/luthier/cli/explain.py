"""An entry of the knowledge in the terminal."""

import re

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from luthier.knowledge.entry import check_language, find
from luthier.knowledge.page import Part, parts

_MAX_WIDTH, _WIDE = 100, 120  # longer lines are hard to read
_RATIOS = {1: 4, 4: 5}  # columns of words share what the numbers leave
_CLOSING = "，。；：、？！）」”"  # never begins a line
_WIDE_LETTERS = "\u3000-\u9fff\uff00-\uffef"
_PIECES = re.compile(rf"(?:[{_WIDE_LETTERS}]|[^\s{_WIDE_LETTERS}]+)[{_CLOSING}]*|\s+")


def show(word: str, lang: str, console: Console | None = None) -> None:
    """Print the entry; UnknownNameError names the nearest ones."""
    check_language(lang)
    console = console or Console(highlight=False)
    first, *rest = parts(find(word), lang)
    width = min(console.width, _MAX_WIDTH) - 2
    console.print(Text(first.heading, style="bold"))
    console.print(_text(first.text, width))
    for part in rest:
        console.print()
        console.print(Text(part.heading, style="bold cyan"))
        body = _table(part, console.width) if part.columns else _text(part.text, width)
        console.print(body)


def _text(text: str, width: int) -> Padding:
    return Padding(Text(wrapped(text, width), no_wrap=True), (0, 0, 0, 2))


def wrapped(text: str, width: int) -> str:
    """Lines of at most `width` cells; rich breaks lines at spaces only, which Chinese has not."""
    return "\n".join(_wrapped_line(line, width) for line in text.strip().splitlines())


def _wrapped_line(text: str, width: int) -> str:
    lines = [""]
    for piece in _PIECES.findall(text):
        if cell_len(lines[-1] + piece) > width and lines[-1]:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return "\n".join(lines)


def _table(part: Part, width: int) -> Padding:
    """Columns without news are left out; words wrap."""
    gap = 2 if width >= _MAX_WIDTH else 1
    table = Table(box=None, width=min(width - 2, _WIDE), pad_edge=False, padding=(0, gap, 0, 0),
                  header_style="dim")  # fmt: skip
    said = [{row[n] for row in part.rows} for n in range(len(part.columns))]
    kept = [n for n, values in enumerate(said) if values != {""} and (n != 1 or len(values) > 1)]
    for n in kept:
        table.add_column(part.columns[n], ratio=_RATIOS.get(n), overflow="fold")
    for row in part.rows:
        table.add_row(*(Text(row[n]) for n in kept))
    return Padding(table, (0, 0, 0, 2))
