"""What findings of `luthier.diagnosis` mean, in English and Chinese, as data."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, final

from luthier.knowledge import LANGUAGES

_WORDS = "evidence"  # the table that holds the words for evidence


@final
@dataclass(frozen=True, slots=True)
class FindingText:
    """One entry of the catalogue; every text by language."""

    id: str
    name: str
    sources: tuple[str, ...]
    what: Mapping[str, str]
    fix: Mapping[str, str]
    causes: Mapping[str, Mapping[str, str]]  # language -> cause -> text


@functools.cache
def finding_texts() -> dict[str, FindingText]:
    """All entries, by id."""
    return {
        id_: FindingText(
            id_,
            row["name"],
            tuple(row["sources"]),
            {lang: row[lang]["what"] for lang in LANGUAGES},
            {lang: row[lang]["fix"] for lang in LANGUAGES},
            {lang: _causes(row[lang]["causes"]) for lang in LANGUAGES},
        )
        for id_, row in _tables().items()
        if id_ != _WORDS
    }


def evidence_words(lang: str) -> dict[str, str]:
    """What the numbers of findings are called."""
    words: dict[str, str] = _tables()[_WORDS][lang]
    return {name: text for name, text in words.items() if name != "what"}


def _causes(text: str) -> dict[str, str]:
    lines = [line.partition(": ") for line in text.strip().splitlines()]
    return {name: told for name, _, told in lines}


@functools.cache
def _tables() -> dict[str, dict[str, Any]]:
    text = (files("luthier.knowledge") / "data" / "diagnosis.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
