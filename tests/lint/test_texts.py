"""Rules and their texts belong together, in both languages."""

import string
from pathlib import Path

import pytest

from luthier.knowledge import LANGUAGES
from luthier.knowledge.rules import RuleText, rule_texts
from luthier.lint import FAMILIES, rules
from luthier.lint.finding import Rule

RULES = {rule.code: rule for rule in rules()}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_rule_has_one_text_and_every_text_a_rule() -> None:
    assert list(RULES) == sorted(rule_texts())
    assert len({text.name for text in rule_texts().values()}) == len(RULES)
    assert {text.family for text in rule_texts().values()} == set(FAMILIES)


@pytest.mark.parametrize("code", list(RULES))
def test_text_fits_its_rule(code: str) -> None:
    rule: Rule = RULES[code]
    text: RuleText = rule_texts()[code]
    assert text.severity == rule.severity.value
    assert text.family == type(rule).__module__.rpartition(".")[2]
    assert type(rule).__doc__
    assert not text.name.startswith(("no-", "use-", "avoid-"))
    assert text.sources
    assert text.chapter.startswith("14.")
    assert fields(text.found["en"]) == fields(text.found["zh"])
    for lang in LANGUAGES:
        assert not fields(text.what[lang]) | fields(text.fix[lang])
        assert min(len(text.what[lang]), len(text.fix[lang])) > 5
    for part in (text.what, text.fix):
        assert any("\u4e00" <= c <= "\u9fff" for c in part["zh"])


def test_the_page_lists_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "lint.md").read_text()
    for code, text in rule_texts().items():
        assert f"| {code} | {text.name} | {text.severity} |" in page
