"""The words of the page: both languages have all of them, and no view asks for others."""

import re
from pathlib import Path

import pytest

import luthier

STATIC = Path(luthier.__file__).parent / "page" / "static"
SCRIPTS = sorted(path for path in (STATIC / "js").rglob("*.js") if path.parent.name != "words")


def words(name: str) -> dict[str, str]:
    """The entries of one file of words."""
    text = (STATIC / "js" / "words" / name).read_text(encoding="utf-8")
    entries = re.findall(r'^\s*"?([\w.-]+)"?:\s*\n?\s*"((?:[^"\\]|\\.)*)"', text, re.MULTILINE)
    return dict(entries)


def language(code: str) -> dict[str, str]:
    """All words of one language."""
    return words(f"{code}.js") | words(f"{code}_run.js")


def test_both_languages_say_the_same_things() -> None:
    en, zh = language("en"), language("zh")
    assert len(en) > 100
    assert set(en) == set(zh)


def test_the_same_is_filled_in() -> None:
    en, zh = language("en"), language("zh")
    for key in en:
        filled = [sorted(re.findall(r"\{(\w+)\}", said[key])) for said in (en, zh)]
        assert filled[0] == filled[1], key


def test_no_word_stands_in_both_files() -> None:
    for code in ("en", "zh"):
        assert not set(words(f"{code}.js")) & set(words(f"{code}_run.js"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(STATIC / "js")))
def test_every_word_that_is_asked_for_is_there(script: Path) -> None:
    asked = set(re.findall(r"""\bt\(\s*["'`]([\w.]+)["'`]""", script.read_text(encoding="utf-8")))
    assert asked <= set(language("en"))


@pytest.mark.parametrize("path", [STATIC / "index.html", *SCRIPTS], ids=lambda path: path.name)
def test_nothing_becomes_markup(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
    assert not re.search(r"<[^>]+\son\w+=|<[^>]+\sstyle=|<script>", text)


@pytest.mark.parametrize("path", sorted(STATIC.rglob("*.*")), ids=lambda path: path.name)
def test_nothing_is_fetched_from_elsewhere(path: Path) -> None:
    if path.suffix not in {".html", ".css", ".js"} or "vendor" in path.parts:
        return
    fetched = r"""(?:\bsrc|\bfrom|import|fetch|url|<link[^>]*href)[\s:=("'`]*(?:https?:)?//"""
    assert not re.search(fetched, path.read_text(encoding="utf-8"))


def reached(script: Path, seen: set[Path]) -> set[Path]:
    """A module and all that it imports, and so on."""
    if script not in seen:
        seen.add(script)
        for name in re.findall(
            r"""(?:from|import)\s*"(\.[^"]+)""", script.read_text(encoding="utf-8")
        ):
            reached((script.parent / name).resolve(), seen)
    return seen


def test_what_a_study_needs_is_asked_for_at_once() -> None:
    index = (STATIC / "index.html").read_text(encoding="utf-8")
    told = set(re.findall(r'modulepreload" href="static/([^"]+)"', index))
    needed: set[Path] = set()
    for name in ("main.js", "views/study.js"):
        reached((STATIC / "js" / name).resolve(), needed)
    main = STATIC.resolve() / "js" / "main.js"
    assert told == {path.relative_to(STATIC.resolve()).as_posix() for path in needed - {main}}
