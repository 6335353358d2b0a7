"""Entries of the knowledge as blocks of text, without markup."""

import re
from typing import Any

from luthier.core.errors import LuthierError
from luthier.knowledge import LANGUAGES, Entry, find, load
from luthier.knowledge.page import Part, parts
from luthier.page.problem import Problem

_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
_ADDRESS = re.compile(r"https?://\S+")
_WORDS = "evidence"  # a table of words in diagnosis.toml, no entry


def entries_json() -> list[dict[str, Any]]:
    """All entries."""
    return [
        {"name": entry.id, "kind": entry.kind, "title": _title(entry)}
        for entry in load().values()
        if entry.id != _WORDS
    ]


def entry_json(name: str, lang: str) -> dict[str, Any]:
    """One entry; a Problem names the nearest ones."""
    try:
        entry = find(name)
    except LuthierError as error:
        raise Problem(404, Exception.__str__(error), code=error.code) from error
    sections = [_section(part, number) for number, part in enumerate(parts(entry, lang))]
    return {
        "name": entry.id,
        "kind": entry.kind,
        "title": _title(entry),
        "sections": [section for section in sections if section["paragraphs"] or section["rows"]],
        "sources": [{"title": words, "url": _url(words)} for words in entry.sources],
        "see": [
            {"name": word, "title": _title(load()[word])} for word in entry.see if word in load()
        ],
    }


def _title(entry: Entry) -> dict[str, str]:
    return {lang: entry.title(lang) for lang in LANGUAGES}


def _section(part: Part, number: int) -> dict[str, Any]:
    rows = [list(part.columns), *map(list, part.rows)] if part.columns else []
    return {
        "title": "" if number == 0 else part.heading,  # the first has the entry's own title
        "paragraphs": [line for line in part.text.strip().splitlines() if line],
        "rows": rows,
    }


def _url(words: str) -> str | None:
    if paper := _ARXIV.search(words):
        return f"https://arxiv.org/abs/{paper[1]}"
    address = _ADDRESS.search(words)
    return address[0].rstrip(".,;)") if address else None
