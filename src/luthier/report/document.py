"""What a report is made of, before it is HTML or Markdown. All texts are plain: not escaped yet."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; `quiet`: how something was found, for those who ask."""

    text: str
    quiet: bool = False


@final
@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; `numbers`: columns that are set flush right; `marked`: rows that stand out."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    marked: frozenset[int] = frozenset()


@final
@dataclass(frozen=True, slots=True)
class Picture:
    """SVG text, a name for its file, and what is to be seen."""

    name: str
    svg: str
    caption: str = ""


@final
@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures side by side."""

    pictures: tuple[Picture, ...]


@final
@dataclass(frozen=True, slots=True)
class Code:
    """Commands or data, to be copied."""

    text: str


@final
@dataclass(frozen=True, slots=True)
class Cards:
    """Label, figure and a few words each."""

    cards: tuple[tuple[str, str, str], ...]


Block = Paragraph | Table | Picture | Gallery | Code | Cards


@final
@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it; `name` is its anchor."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@final
@dataclass(frozen=True, slots=True)
class Document:
    """The whole report."""

    title: str
    subtitle: str
    lang: str
    sections: tuple[Section, ...]
