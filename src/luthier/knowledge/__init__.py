"""What codes mean, in English and Chinese, as data."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import final

from luthier.core.errors import OptionError, UnknownNameError

LANGUAGES = ("en", "zh")
_HEADINGS = {"en": "What to do", "zh": "怎么办"}


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One code: `what` happened and how to `fix` it, by language."""

    code: str
    name: str
    what: Mapping[str, str]
    fix: Mapping[str, str]


@functools.cache
def load() -> dict[str, Entry]:
    """All entries, by code."""
    text = (files(__name__) / "data" / "error.toml").read_text(encoding="utf-8")
    return {
        code: Entry(
            code,
            row["name"],
            {lang: row[lang]["what"] for lang in LANGUAGES},
            {lang: row[lang]["fix"] for lang in LANGUAGES},
        )
        for code, row in tomllib.loads(text).items()
    }


def explain(code: str, lang: str = "en") -> str:
    """An entry as text; UnknownNameError lists the known codes."""
    if lang not in LANGUAGES:
        raise OptionError(f"lang={lang!r}; expected one of {LANGUAGES}.")
    entry = load().get(code.upper())
    if entry is None:
        raise UnknownNameError(f"nothing is known of {code!r}; known are {', '.join(load())}.")
    heading = _HEADINGS[lang]
    return f"{entry.code}  {entry.name}\n\n{entry.what[lang]}\n\n{heading}: {entry.fix[lang]}"
