"""Values for people."""

import pytest

from luthier.core.short import short


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
