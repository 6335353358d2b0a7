"""Values and errors for people."""

import traceback
from collections.abc import Callable

import pytest

from luthier.core.short import error_line, short


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.123456, "0.123"),
        (7, "7"),
        ("sgd", "sgd"),
        ((0.9, 0.999), "(0.9, 0.999)"),
        (((10, 0.5), (12.25, 1.0), (100, 0.0)), "10:0.5 12.2:1 100:0"),
        ((), "()"),
    ],
)
def test_short(value: object, words: str) -> None:
    assert short(value) == words


def raised(act: Callable[[], object]) -> str:
    try:
        act()
    except Exception:
        return traceback.format_exc()
    raise AssertionError("nothing was raised")


def fail(words: str) -> None:
    raise ValueError(words)


def test_an_error_on_one_line() -> None:
    assert error_line("") == ""
    assert error_line("killed by signal 9\nlast words") == "killed by signal 9"
    several = raised(lambda: fail("in loading:\n\tsize mismatch for a\n\tand for b"))
    assert error_line(several) == "ValueError: in loading: size mismatch for a and for b"
    assert error_line(several, 12) == "ValueError: "
    quoted = raised(lambda: fail(f"Caught in worker 0.\nOriginal {raised(lambda: fail('deep'))}"))
    assert error_line(quoted) == "ValueError: deep"
