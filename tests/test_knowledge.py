from typing import Any

import pytest

from luthier.core import errors
from luthier.core.errors import LuthierError, OptionError, UnknownNameError
from luthier.knowledge import LANGUAGES, explain, load


def codes() -> list[str]:
    classes: list[Any] = [c for c in vars(errors).values() if isinstance(c, type)]
    return [c.code for c in classes if issubclass(c, LuthierError)]


def test_every_error_has_one_entry_and_every_entry_an_error() -> None:
    assert sorted(codes()) == sorted(load())
    assert len(set(codes())) == len(codes())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_entry_speaks_both_languages(lang: str) -> None:
    for entry in load().values():
        assert len(entry.what[lang]) > 10
        assert len(entry.fix[lang]) > 10
        assert entry.fix[lang] in explain(entry.code.lower(), lang)
    assert any("\u4e00" <= c <= "\u9fff" for c in explain("E101", "zh"))


def test_unknown_code_and_language() -> None:
    with pytest.raises(UnknownNameError, match="E101"):
        explain("E999")
    with pytest.raises(OptionError, match="fr"):
        explain("E101", "fr")
