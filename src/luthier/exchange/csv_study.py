"""A table with a row per run becomes a study: exports of W&B, MLflow, Ray, Optuna, or of ours."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from luthier.core.domain import Choice, Constant, Domain, Float, Int, Value
from luthier.core.errors import OptionError
from luthier.core.event import Closed, Ended, Event, Proposed, Reported, Started
from luthier.core.space import Space
from luthier.core.study import Goal, Run, RunState, Study, Trial
from luthier.exchange.optuna_study import Imported
from luthier.policies.hand import Hand
from luthier.registry import to_recipe
from luthier.sitting import begin

_PREFIXES = ("params.", "params_", "params/", "config/", "config.", "param.")
_STATES = ("state", "status")
_STEPS = ("best_step", "step", "_step", "training_iteration", "epoch")
_WORDS = {
    RunState.STOPPED: ("pruned", "stopped", "paused", "killed"),
    RunState.FAILED: ("fail", "failed", "crashed", "error"),
    RunState.LOST: ("running", "lost", "pending", "preempted"),
}
_SPAN = 100.0  # numbers above zero whose largest is so many times the smallest: logarithmic

Row = Mapping[str, str]


def import_csv(
    path: Path, store: Path, metric: str, goal: Goal, params: Sequence[str] = (), name: str = ""
) -> Imported:
    """A study with one report per row, of `metric`.

    `params`: the columns that are parameters; without them those that begin with "params." or
    "config/" and the like. OptionError says what was expected of the table.
    """
    rows, columns = _read(path)
    value = next((c for c in (metric, f"metrics.{metric}", f"values_{metric}") if c in columns), "")
    if not value:
        raise OptionError(f"{path} has no column {metric!r}; it has {', '.join(columns)}.")
    found = {c: _short(c) for c in columns if _short(c) != c}
    if params:
        missing = sorted(set(params) - set(columns))
        if missing:
            raise OptionError(f"{path} has no columns {missing}; it has {', '.join(columns)}.")
        found = {c: _short(c) for c in params}
    if not found:
        raise OptionError(
            f"{path} has no columns such as params.lr or config/lr; name them with --params "
            f"({', '.join(columns)})."
        )
    told: list[str] = []
    domains: dict[str, Domain] = {}
    values: dict[str, list[Value | None]] = {}
    for column, short in found.items():
        values[short] = _values([row[column] for row in rows])
        if any(v is not None for v in values[short]):
            domains[short] = _domain(short, values[short], told)
    space = Space(domains)
    recipe = {
        "target": "", "policy": to_recipe(Hand()), "environment": {},
        "imported": {"from": "a table", "study": path.name},
    }  # fmt: skip
    events: list[Event] = []
    for number, row in enumerate(rows):
        point = {n: v for n in domains if (v := values[n][number]) is not None}
        events += _events(row, number, point, value, metric)
    made = begin(store, name or None, path.stem,
                 lambda name: (Study(name, space, metric, goal), recipe))  # fmt: skip
    made.record([*events, Closed("imported from a table")])
    made.close()
    told.append("the ranges are those of the values seen; the table has none")
    return Imported(made.study.name, len(rows), tuple(told))


def _read(path: Path) -> tuple[list[Row], list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = file.read(4096)
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;\t", key=sample.count))
            rows = [{k: v or "" for k, v in row.items() if k is not None} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"{path}: {error}; expected a CSV file with a row per run.") from error
    if not rows:
        raise OptionError(f"{path} has no rows; expected one per run.")
    return [*rows], list(rows[0])


def _short(column: str) -> str:
    """The parameter's own name."""
    return next((column.removeprefix(p) for p in _PREFIXES if column.startswith(p)), column)


def _values(texts: Sequence[str]) -> list[Value | None]:
    """Whole numbers, numbers, truth values or texts, whichever fits all; None for an empty cell."""
    there = [text for text in texts if text != ""]
    numbers = {text: _number(text) for text in there}
    if there and all(text in ("True", "False", "true", "false") for text in there):
        return [None if text == "" else text.lower() == "true" for text in texts]
    if there and all(n is not None and math.isfinite(n) for n in numbers.values()):
        whole = all(text.strip("+- ").isdigit() for text in there)
        return [None if t == "" else int(t) if whole else float(t) for t in texts]
    return [None if text == "" else text for text in texts]


def _domain(name: str, values: Sequence[Value | None], told: list[str]) -> Domain:
    there = [value for value in values if value is not None]
    if len(set(there)) == 1:
        return Constant(there[0])
    if isinstance(there[0], bool | str):
        return Choice(*dict.fromkeys(there))
    low, high = min(there), max(there)
    log = low > 0 and high / low >= _SPAN
    if log:
        told.append(f"{name}: taken as logarithmic, since its values span {high / low:.3g} times")
    kind = Int if all(isinstance(value, int) for value in there) else Float
    return kind(low, high, log=log)


def _events(
    row: Row, number: int, point: Mapping[str, Value], column: str, metric: str
) -> list[Event]:
    lower = {name.lower(): text for name, text in row.items()}
    word = next((lower[name].lower() for name in _STATES if name in lower), "")
    state = next((s for s, words in _WORDS.items() if word in words), RunState.COMPLETED)
    steps = [_number(lower[name]) for name in _STEPS if name in lower]
    step = next((s for s in steps if s is not None and math.isfinite(s)), 1.0)
    run_id = f"{number}.0"
    reported = _number(row[column])
    events: list[Event] = [
        Proposed(Run(run_id, number, point, step), Trial(number, point)),
        Started(run_id, 0.0, False),
    ]
    if reported is not None:
        events.append(Reported(run_id, (metric,), np.array([[step, math.nan, reported]])))
    reason = f"{word or 'no state'} in the table"
    end = step if state is RunState.COMPLETED else None
    error = "failed; the table keeps no message" if state is RunState.FAILED else ""
    events.append(Ended(run_id, state, end, 0.0, reason, error))
    return events


def _number(text: str) -> float | None:
    """A number, NaN and infinities included; None for anything else."""
    try:
        return float(text)
    except ValueError:
        return None
