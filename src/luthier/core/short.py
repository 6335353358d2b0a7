"""Values and errors for people."""

import math
import re
from itertools import dropwhile

_TRACE = re.compile(r"^(?:Original )?Traceback \(most recent call last\):$", re.MULTILINE)


def short(value: object, digits: int = 3) -> str:
    """A value in few digits; of pairs, such as a course, "10:0.5 12:1 100:0"."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, tuple) and value and all(_is_pair(part) for part in value):
        return " ".join(":".join(f"{x:.{digits}g}" for x in pair) for pair in value)
    return str(value)


def _is_pair(part: object) -> bool:
    return isinstance(part, tuple) and len(part) == 2 and all(
        isinstance(x, int | float) for x in part
    )  # fmt: skip


def counted(n: int, word: str) -> str:
    """A number of things."""
    return f"{n} {word}" + ("" if n == 1 else "s")


def step_words(step: float) -> str:
    """A step; a dash where there is none, as for the best of a run that reported no number."""
    return "–" if math.isnan(step) else f"{step:g}"


def error_line(error: str, n_characters: int = 300) -> str:
    """What went wrong, on one line: of a traceback the exception with its whole message (of several
    the last, which is also where another process' is quoted), of other text the first line."""
    found = [*_TRACE.finditer(error)]
    if not found:
        return error.strip().partition("\n")[0].strip()[:n_characters]
    lines = error[found[-1].end() :].strip("\n").splitlines()
    words = [*dropwhile(lambda line: line.startswith(" "), lines)]  # frames are indented
    return " ".join(" ".join(words).split())[:n_characters]
