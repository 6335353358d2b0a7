"""Values for people."""


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
