"""What lint rules say, in English and Chinese, as data."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, final

from luthier.knowledge import LANGUAGES


@final
@dataclass(frozen=True, slots=True)
class RuleText:
    """One rule. `found` has placeholders for a finding's evidence; `what` and `fix` stand alone."""

    code: str
    name: str
    family: str
    severity: str
    chapter: str
    sources: tuple[str, ...]
    found: Mapping[str, str]
    what: Mapping[str, str]
    fix: Mapping[str, str]


@functools.cache
def rule_texts() -> dict[str, RuleText]:
    """All rules, by code."""
    text = (files("luthier.knowledge") / "data" / "lint.toml").read_text(encoding="utf-8")
    return {
        code: RuleText(
            code, row["name"], row["family"], row["severity"], row["chapter"],
            tuple(row["sources"]), *(_by_language(row, part) for part in ("found", "what", "fix")),
        )
        for code, row in tomllib.loads(text).items()
    }  # fmt: skip


def _by_language(row: Mapping[str, Any], part: str) -> dict[str, str]:
    return {lang: row[lang][part] for lang in LANGUAGES}
