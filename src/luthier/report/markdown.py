"""A report as Markdown, its pictures as SVG files beside it."""

import re
from collections.abc import Mapping
from typing import assert_never
from urllib.parse import quote

from luthier.report.document import (
    Block,
    Cards,
    Code,
    Document,
    Gallery,
    Paragraph,
    Picture,
    Table,
)

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$!&])")


def to_markdown(document: Document, folder: str) -> tuple[str, Mapping[str, str]]:
    """The text, and the pictures it shows: name of the file in `folder` -> SVG."""
    pictures: dict[str, str] = {}
    parts = [f"# {_escaped(document.title)}", _escaped(document.subtitle)]
    for section in document.sections:
        if section.title:
            parts.append(f"## {_escaped(section.title)}")
        parts += [_block(block, folder, pictures) for block in section.blocks]
    return "\n\n".join(part for part in parts if part) + "\n", pictures


def _block(block: Block, folder: str, pictures: dict[str, str]) -> str:
    match block:
        case Paragraph(text=text):
            return _escaped(text)
        case Table(head=head, rows=rows, numbers=numbers):
            return _table(head, rows, numbers)
        case Picture():
            return _image(block, folder, pictures)
        case Gallery(pictures=gallery):
            return "\n\n".join(_image(picture, folder, pictures) for picture in gallery)
        case Code(text=text):
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
            return f"{fence}\n{text}\n{fence}"
        case Cards(cards=cards):
            return "\n".join(
                f"- {_escaped(label)}: **{_escaped(figure)}**"
                + (f" ({_escaped(words)})" if words else "")
                for label, figure, words in cards
            )
    assert_never(block)


def _table(
    head: tuple[str, ...], rows: tuple[tuple[str, ...], ...], numbers: frozenset[int]
) -> str:
    rule = ("---:" if i in numbers else "---" for i in range(len(head)))
    lines = [tuple(map(_escaped, head)), tuple(rule)]
    lines += [tuple(map(_escaped, row)) for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _image(picture: Picture, folder: str, pictures: dict[str, str]) -> str:
    name = f"{picture.name}.svg"
    pictures[name] = picture.svg
    caption = f"\n\n{_escaped(picture.caption)}" if picture.caption else ""
    return f"![{_escaped(picture.caption or picture.name)}]({quote(folder)}/{name}){caption}"


def _escaped(text: str) -> str:
    """Text that means nothing to Markdown, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
