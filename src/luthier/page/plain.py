"""What JSON can hold: NaN and infinities by name, missing numbers as null, tuples as lists."""

import json
import math
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from starlette.responses import JSONResponse


def number(value: float | None) -> float | str | None:
    """A number, or its name: "NaN", "Infinity", "-Infinity"."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def numbers(values: NDArray[np.float64]) -> list[float | str | None]:
    """The same for an array of shape (n,)."""
    found: list[float | str | None] = values.tolist()
    for i in np.flatnonzero(~np.isfinite(values)):
        found[i] = number(float(values[i]))
    return found


def plain(thing: Any) -> Any:  # noqa: ANN401
    """Any value of the user's as JSON holds it."""
    if isinstance(thing, dict):
        return {str(key): plain(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [plain(value) for value in thing]
    return number(thing) if isinstance(thing, float) else thing


def dumps(thing: Any) -> bytes:  # noqa: ANN401
    """JSON; ValueError for a number that has no name yet."""
    return json.dumps(thing, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


@final
class Answer(JSONResponse):
    """A body of JSON."""

    def render(self, content: Any) -> bytes:  # noqa: ANN401
        """The body's bytes."""
        return dumps(content)
