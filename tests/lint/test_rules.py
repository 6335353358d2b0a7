"""Every rule fires on the marked lines of its bad case, and stays silent on its good one."""

import re
from pathlib import Path

import pytest

from luthier.analysis.case import Case
from luthier.analysis.subject import Subject, build_subject
from luthier.core.space import Space
from luthier.lint import lint, rules
from luthier.lint.finding import Finding
from luthier.worker.target import load_target

CASES = Path(__file__).parent / "cases"
CODES = [rule.code for rule in rules()]
_MARK = re.compile(r"#\s*(L\d\d)(?: (error|warning|info))?\s*$")


def findings(path: Path) -> list[Finding]:
    text = path.read_text()
    if "def build" in text:
        subject = build_subject(load_target(f"{path}:build"), path)
    elif "SPACE =" in text:
        space = load_target(f"{path}:SPACE")
        assert isinstance(space, Space)
        trials = load_target(f"{path}:TRIALS") if "TRIALS =" in text else None
        subject = Subject(space=space, trials=trials, script=path)
    else:
        subject = Subject(script=path)
    report = lint(Case(subject))
    assert not report.failed
    return list(report.findings)


def marks(path: Path, code: str) -> list[tuple[int, str]]:
    """Line and severity ("" for any) of each mark."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if (match := _MARK.search(line)) and match[1] == code:
            found.append((number, match[2] or ""))
    return found


@pytest.mark.parametrize("code", CODES)
def test_bad_case_is_found_on_its_line(code: str) -> None:
    path = CASES / f"{code}_bad.py"
    expected = marks(path, code)
    assert expected, f"{path} marks no line"
    got = [f for f in findings(path) if f.code == code]
    assert all(f.site is not None and f.site.file == str(path) for f in got)
    lines = sorted((f.site.line, f.severity.value) for f in got if f.site)
    assert [line for line, _ in lines] == [line for line, _ in expected]
    for (_, severity), (_, wanted) in zip(lines, expected, strict=True):
        assert wanted in ("", severity)
    assert all(f.evidence for f in got) or code in ("L20", "L64")


@pytest.mark.parametrize("code", CODES)
def test_good_case_is_silent(code: str) -> None:
    assert [f for f in findings(CASES / f"{code}_good.py") if f.code == code] == []


def test_every_case_belongs_to_a_rule() -> None:
    assert {path.stem.split("_")[0] for path in CASES.glob("*.py")} == set(CODES)
