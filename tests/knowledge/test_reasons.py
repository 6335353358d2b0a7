"""The words of reasons, as commands, reports and the page say them."""

import re
from pathlib import Path

import pytest

import luthier
from luthier.core.unfinished import CUT_OFF, ON_ITS_WAY
from luthier.knowledge.reasons import REASONS, reason_words

PACKAGE = Path(luthier.__file__).parent


def test_a_code_has_words_and_what_a_person_wrote_stays() -> None:
    assert reason_words("budget-end") == "the budget is spent"
    assert reason_words("budget-end", "zh") == "预算用完"
    assert reason_words("lunch", "zh") == "lunch"
    assert {*CUT_OFF, *ON_ITS_WAY} <= set(REASONS)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_says_the_same(lang: str) -> None:
    text = (PACKAGE / f"page/static/js/words/{lang}.js").read_text(encoding="utf-8")
    page = dict(re.findall(r'"reason\.([\w-]+)": "([^"]*)"', text))
    assert page == {code: reason_words(code, lang) for code in REASONS}


def test_every_reason_of_a_policy_has_words() -> None:
    told = set()
    for folder in ("policies", "core"):
        for path in (PACKAGE / folder).rglob("*.py"):
            told |= set(re.findall(r'reason="([a-z-]+)"', path.read_text(encoding="utf-8")))
    assert told - set(REASONS) == set()
