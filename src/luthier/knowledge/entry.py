"""One entry of the knowledge: a hyperparameter, a section of the chapter, an error, a rule.

Every `data/*.toml` holds tables `[id]` with a `name` and texts in `en` and `zh`; the file's name up
to the first dash is the entry's kind. A new file is found by itself.
"""

import difflib
import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, final

from luthier.core.errors import KnowledgeError, OptionError, UnknownNameError

LANGUAGES = ("en", "zh")
_LISTS = ("aliases", "rows", "see", "sources")


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """What is known under one id, the same in every language."""

    id: str
    kind: str  # the file it stands in: error, hyperparameter, concept, …
    name: str
    texts: Mapping[str, Mapping[str, str]]  # language -> field -> text
    aliases: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()  # sections and table rows of the chapter, such as "14.6/dropout"
    see: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    facts: Mapping[str, Any] | None = None  # what belongs to no language: numbers, severities

    def title(self, lang: str) -> str:
        """What people call it."""
        return self.texts[lang].get("title", self.name)


@functools.cache
def load() -> dict[str, Entry]:
    """All entries by id; KnowledgeError names the file and the entry that cannot be used."""
    found: dict[str, Entry] = {}
    folder = files("luthier.knowledge") / "data"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            entries = parse(file.read_text(encoding="utf-8"), file.name)
            if twice := sorted(found.keys() & entries.keys()):
                raise KnowledgeError(f"{file.name}: {twice} stand in another file too.")
            found |= entries
    return found


def parse(text: str, file: str) -> dict[str, Entry]:
    """The entries of one TOML file; `file` is its name."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise KnowledgeError(f"{file} is no TOML: {error}.") from error
    kind = file.removesuffix(".toml").partition("-")[0]
    return {id_: _entry(id_, kind, table, f"{file} [{id_}]") for id_, table in tables.items()}


def _entry(id_: str, kind: str, table: Any, place: str) -> Entry:  # noqa: ANN401
    if not isinstance(table, dict) or not isinstance(table.get("name"), str):
        raise KnowledgeError(f"{place}: expected a table with a `name`.")
    texts: dict[str, Any] = {lang: table.get(lang) for lang in LANGUAGES}
    for lang, fields in texts.items():
        if not isinstance(fields, dict) or not fields:
            raise KnowledgeError(f'{place}: no texts in {lang!r}; expected {lang}.what = "…".')
        for field, text in fields.items():
            if not isinstance(text, str) or not text.strip():
                raise KnowledgeError(f"{place}: {lang}.{field} = {text!r}; expected a text.")
    if set(table["en"]) != set(table["zh"]):
        odd = sorted(set(table["en"]) ^ set(table["zh"]))
        raise KnowledgeError(f"{place}: {odd} in one language only; every text is in both.")
    lists = {name: _words(table.get(name, []), f"{place}: {name}") for name in _LISTS}
    facts = {k: v for k, v in table.items() if k not in ("name", *LANGUAGES, *_LISTS)}
    return Entry(id_, kind, table["name"], texts, facts=facts, **lists)


def _words(value: Any, place: str) -> tuple[str, ...]:  # noqa: ANN401
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise KnowledgeError(f"{place} = {value!r}; expected a list of texts.")
    return tuple(words)


def plain(word: str) -> str:
    """A name as it is compared: case, dashes and spaces do not count."""
    return word.strip().lower().replace("-", "_").replace(" ", "_")


@functools.cache
def index() -> dict[str, str]:
    """Every id, row, alias and name, plain, to the id it opens. Ids go first, names last."""
    found: dict[str, str] = {}
    entries = load().values()
    words: tuple[Iterable[tuple[str, Entry]], ...] = (
        ((entry.id, entry) for entry in entries),
        ((row, entry) for entry in entries for row in entry.rows),
        ((alias, entry) for entry in entries for alias in entry.aliases),
        ((entry.name, entry) for entry in entries),
    )
    for family in words:
        for word, entry in family:
            found.setdefault(plain(word), entry.id)
    return found


def find(word: str) -> Entry:
    """The entry of an id, an alias, a name or a row; UnknownNameError has the nearest ones."""
    known = index()
    if (id_ := known.get(plain(word))) is not None:
        return load()[id_]
    near = difflib.get_close_matches(plain(word), known, n=5, cutoff=0.5)
    near = list(dict.fromkeys(known[match] for match in near))
    kinds = ", ".join(sorted({entry.kind for entry in load().values()}))
    raise UnknownNameError(
        f"nothing is known of {word!r}; "
        + (f"the nearest are {', '.join(near)}." if near else f"there are entries of {kinds}.")
        + " luthier explain --all shows everything."
    )


def of_section(section: str) -> list[Entry]:
    """The entries that hold rows of a section of the chapter, the most important first."""
    there = [
        entry
        for entry in load().values()
        if any(row.startswith(f"{section}/") for row in entry.rows)
        or (entry.facts or {}).get("chapter") == section
    ]
    return sorted(there, key=lambda entry: int((entry.facts or {}).get("order", 0)))


def check_language(lang: str) -> None:
    """OptionError for a language that the knowledge does not speak."""
    if lang not in LANGUAGES:
        raise OptionError(f"lang={lang!r}; expected one of {LANGUAGES}.")
