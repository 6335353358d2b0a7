"""Curves from files that others wrote: CSV, JSON lines, TensorBoard event files."""

import csv
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from luthier.core.curve import Curve, Series
from luthier.core.errors import OptionError

_STEPS = ("step", "global_step", "steps", "iteration", "iter", "epoch", "_step")
_RUNS = ("run", "run_id", "trial")  # columns that tell runs apart
_LONG = ("metric", "tag", "name")  # columns that name the metric where a row holds one value


def read_curves(path: Path) -> dict[str, Curve]:
    """Curves by metric name. OptionError says what was expected of the file.

    CSV and JSON lines hold one row per report, with a column for the step, or one row per value
    with columns `step`, `metric` and `value`. Rows without a step are counted. A folder is searched
    for event files.
    """
    if path.is_dir() or "tfevents" in path.name:
        return _from_events(path)
    if not path.exists():
        raise OptionError(f"{path} is not there; expected a CSV, JSON lines or event file.")
    if path.suffix in (".jsonl", ".ndjson", ".json"):
        return _from_rows(_json_rows(path), path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = file.read(4096)
            file.seek(0)
            delimiter = max(",;\t", key=sample.count)
            return _from_rows(csv.DictReader(file, delimiter=delimiter), path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"{path}: {error}; expected CSV, JSON lines or event files.") from error


def _json_rows(path: Path) -> list[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("["):
            rows = json.loads(text)
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise OptionError(f"{path} is no JSON: {error}; expected an object per line.") from error
    if not all(isinstance(row, dict) for row in rows):
        raise OptionError(f"{path}: expected an object with names and numbers per line.")
    return list(rows)


def _from_rows(rows: Iterable[Mapping[str, Any]], path: Path) -> dict[str, Curve]:
    found: dict[str, tuple[list[float], list[float]]] = {}
    runs: dict[str, set[str]] = {}
    for count, row in enumerate(rows, start=1):
        lower = {str(key).strip().lower(): key for key in row if key is not None}
        for name in _RUNS:
            if name in lower:
                runs.setdefault(name, set()).add(str(row[lower[name]]))
                if len(runs[name]) > 1:
                    raise OptionError(
                        f"{path} holds the curves of several runs (column {lower[name]!r}: "
                        f"{', '.join(sorted(runs[name]))}, …); expected those of one."
                    )
        step_key = next((lower[name] for name in _STEPS if name in lower), None)
        step = _number(row[step_key]) if step_key is not None else None
        at = float(count) if step is None or not math.isfinite(step) else step
        long = next((lower[name] for name in _LONG if name in lower), None)
        if long is not None and "value" in lower:
            pairs = {str(row[long]): row[lower["value"]]}
        else:
            none = {None, step_key, *(lower.get(name) for name in _RUNS)}
            pairs = {str(key).strip(): row[key] for key in row if key not in none}
        for name, value in pairs.items():
            number = _number(value)
            if number is not None:
                steps, values = found.setdefault(name, ([], []))
                steps.append(at)
                values.append(number)
    if not found:
        raise OptionError(f"{path} holds no numbers; expected columns such as step, train_loss.")
    return {name: _curve(steps, values) for name, (steps, values) in found.items()}


def _from_events(path: Path) -> dict[str, Curve]:
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as error:
        raise OptionError(
            f"{path}: event files need TensorBoard's reader; pip install 'luthier[tensorboard]'."
        ) from error
    files = sorted(path.rglob("*tfevents*")) if path.is_dir() else [path]
    if not files:
        raise OptionError(f"{path}: a folder without event files (*tfevents*).")
    found: dict[str, tuple[list[float], list[float]]] = {}
    for folder in dict.fromkeys(file.parent if path.is_dir() else file for file in files):
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        events.Reload()
        prefix = "" if len({file.parent for file in files}) == 1 else f"{Path(folder).name}/"
        for tag in events.Tags()["scalars"]:
            steps, values = found.setdefault(prefix + tag, ([], []))
            steps += [float(event.step) for event in events.Scalars(tag)]
            values += [float(event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["tensors"]:
            steps, values = found.setdefault(prefix + tag, ([], []))
            for event in events.Tensors(tag):
                numbers = np.frombuffer(event.tensor_proto.tensor_content, np.float32)
                numbers = numbers if len(numbers) else np.array(event.tensor_proto.float_val)
                if len(numbers) == 1:
                    steps.append(float(event.step))
                    values.append(float(numbers[0]))
    if not found:
        raise OptionError(f"{path}: event files without scalars.")
    return {name: _curve(steps, values) for name, (steps, values) in found.items() if steps}


def _curve(steps: list[float], values: list[float]) -> Curve:
    """Ordered by step; of two values at a step the later one counts."""
    order = np.argsort(np.array(steps), kind="stable")
    grown = Series()
    grown.extend(np.array(steps)[order], np.array(values)[order])
    return grown.freeze()


def _number(value: Any) -> float | None:  # noqa: ANN401
    """A number, NaN and infinities included; None for a text or an empty cell."""
    if isinstance(value, bool) or value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
