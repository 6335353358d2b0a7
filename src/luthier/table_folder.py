"""Tables of learning curves in a folder: `meta.json`, and a npz file per task (docs/tables.md)."""

import json
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Choice, Domain, Float, Int, Value
from luthier.core.errors import ConditionError, DomainError, PointError, TableError
from luthier.core.space import Space
from luthier.core.study import Goal
from luthier.tables import Point, Table, make_table

_GOALS: dict[str, Goal] = {
    "min": "minimize", "minimize": "minimize", "max": "maximize", "maximize": "maximize",
}  # fmt: skip
_KINDS = ("float", "int", "categorical", "ordinal")
_SHORT = ("ended", "diverged")
_Data = Mapping[str, NDArray[Any]]
_About = Mapping[str, Mapping[str, Any]]


def tables_of(folder: Path) -> tuple[str, ...]:
    """The tasks of a folder of tables."""
    return tuple(_tasks(folder))


def load_table(folder: Path, task: str) -> Table:
    """One task of a folder; TableError says what its files lack."""
    tasks = _tasks(folder)
    if task not in tasks:
        raise TableError(f"{folder} has no task {task!r}; it has {sorted(tasks)}.")
    about = tasks[task]
    where = f"task {task!r} of {folder / 'meta.json'}"
    _expect_task(about, where)
    file = folder / about["file"]
    data = _read(file)
    try:
        return _make(f"{folder.name}/{task}", about, data)
    except (ValueError, TypeError, IndexError, DomainError, ConditionError) as error:
        raise TableError(f"{file} and {where}: {error.args[0]}") from error


def _tasks(folder: Path) -> Mapping[str, Any]:
    file = folder / "meta.json"
    try:
        meta = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(f"{folder} is no folder of tables: {error}") from error
    tasks = meta.get("tasks") if isinstance(meta, dict) else None
    if not isinstance(tasks, dict) or not tasks:
        raise TableError(f'{file} names no tasks; expected {{"tasks": {{NAME: {{…}}}}}}.')
    return tasks


def _expect_task(about: object, where: str) -> None:
    if not isinstance(about, dict):
        raise TableError(f"{where} is {about!r}; expected a mapping with file, main, direction, …")
    lacking = [k for k in ("file", "main", "direction", "hyperparameters") if k not in about]
    if lacking:
        raise TableError(f"{where} does not say {', '.join(lacking)}; see docs/tables.md.")
    for key in ("file", "main"):
        if not isinstance(about[key], str):
            raise TableError(f"{where} has the {key} {about[key]!r}; expected a text.")
    _expect(about["direction"], _GOALS, f"{where} has the direction")
    if about.get("stops_short") is not None:
        _expect(about["stops_short"], _SHORT, f"{where} has stops_short")
    if not isinstance(about["hyperparameters"], dict):
        raise TableError(f"{where} has no mapping of hyperparameters.")
    for name, told in about["hyperparameters"].items():
        kind = told.get("kind") if isinstance(told, dict) else None
        _expect(kind, _KINDS, f"{where}: {name} has the kind")


def _expect(given: object, known: Collection[str], what: str) -> None:
    if not isinstance(given, str) or given not in known:
        raise TableError(f"{what} {given!r}; expected one of {', '.join(known)}.")


def _read(file: Path) -> _Data:
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise TableError(
            f"{file} cannot be read ({type(error).__name__}: {error}); "
            "expected a file as numpy.savez writes it, without Python objects."
        ) from error


def _make(name: str, about: Mapping[str, Any], data: _Data) -> Table:
    goal = _GOALS[about["direction"]]
    sign = -1.0 if goal == "maximize" else 1.0
    losses = sign * _curves(data, "y:" + about["main"])
    seconds = _clock(data["t"], losses.shape) if "t" in data else None
    if _starts_at_zero(data.get("fid")):  # the first entry is from before the training
        losses = losses[:, 1:]
        seconds = seconds[:, 1:] - seconds[:, :1] if seconds is not None else None
    if not np.isfinite(losses).any():
        raise ValueError(f"y:{about['main']} has no number at any step of a training.")
    target = None if about.get("target") is None else sign * float(about["target"])
    losses, n_steps, diverged = _ends(losses, about.get("stops_short"), target)
    space, points = _space(about["hyperparameters"], data, len(losses))
    step_s = _step_s(seconds, losses.shape)
    return make_table(
        name, space, about["main"], goal, points, losses, n_steps, diverged, step_s, target
    )


def _curves(data: _Data, name: str) -> NDArray[np.float64]:
    if name not in data:
        raise ValueError(f"there is no {name}; there are {sorted(data)}.")
    curves = data[name].astype(float)
    if curves.ndim != 2:
        raise ValueError(
            f"{name} has the shape {curves.shape}; expected a row for each training and a column "
            "for each step."
        )
    return curves


def _clock(seconds: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    if seconds.shape not in (shape, shape[1:]):
        raise ValueError(f"t has the shape {seconds.shape}; expected {shape} or {shape[1:]}.")
    return np.broadcast_to(seconds.astype(float), shape)


def _starts_at_zero(fidelity: NDArray[Any] | None) -> bool:
    if fidelity is None or not fidelity.ndim or not fidelity.size:
        return False
    return bool((fidelity[..., 0] == 0).all())


def _ends(
    losses: NDArray[np.float64], stops_short: str | None, target: float | None
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Where each row ends, and whether in divergence.

    A row that stops before the last step has diverged at the next one, unless it came to the
    target, or its last value is better than the median of what rows end with: then it was planned
    that short. `stops_short` says it for the whole table instead: "ended" or "diverged".
    """
    n, n_steps = losses.shape
    finite = np.isfinite(losses)
    length = np.where(finite.any(axis=1), n_steps - np.argmax(finite[:, ::-1], axis=1), 0)
    last = losses[np.arange(n), np.maximum(length - 1, 0)]
    middle = np.median(last[length > 0])
    ended = last < middle if stops_short is None else np.full(n, stops_short == "ended")
    if target is not None:
        ended |= (np.where(finite, losses, np.inf) <= target).any(axis=1)
    diverged = (length == 0) | ((length < n_steps) & ~ended)
    losses = losses.copy()
    end = np.where(diverged, np.minimum(length + 1, n_steps), length)
    losses[diverged, end[diverged] - 1] = np.nan
    return losses, end.astype(np.int64), diverged


def _step_s(seconds: NDArray[np.float64] | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Seconds of each step from the running total; the table's median where there are none."""
    if seconds is None:
        return np.ones(shape)
    steps: NDArray[np.float64] = np.diff(seconds, axis=1, prepend=0.0)
    usable = np.isfinite(steps) & (steps > 0)
    if not usable.any():
        return np.ones(shape)
    return np.where(usable, steps, float(np.median(steps[usable])))


def _space(about: _About, data: _Data, n: int) -> tuple[Space, list[Point]]:
    """The space that the file describes, and the rows' points in it.

    A hyperparameter is inactive where its column holds nothing (NaN or an empty string).
    """
    for name in about:
        rows = data["hp:" + name].shape if "hp:" + name in data else None
        if rows != (n,):
            raise ValueError(f"hp:{name} has the shape {rows}; expected {(n,)}, one for each row.")
    columns = {name: list(_plain(data["hp:" + name])) for name in about}
    domains: dict[str, Domain] = {}
    for name, column in columns.items():
        values = [value for value in column if value is not None]
        if len(set(values)) < 2:
            continue  # nothing to search
        domains[name] = _domain(about[name], values, _condition(name, about, columns))
    if not domains:
        raise ValueError("all rows have the same hyperparameters; expected two points at least.")
    space = Space(domains)
    return space, [_point(space, {k: columns[k][row] for k in domains}, row) for row in range(n)]


def _plain(column: NDArray[Any]) -> Iterator[Value]:
    for value in column.tolist():
        nothing = value is None or value == "" or value != value  # NaN is not itself
        yield None if nothing else value


def _domain(about: Mapping[str, Any], values: list[Value], when: Mapping[str, Value] | None) -> Any:  # noqa: ANN401
    numbers = all(isinstance(value, int | float) for value in values)
    if about["kind"] == "categorical" or not numbers:
        return Choice(*sorted(set(values), key=lambda v: (str(type(v)), v)), when=when)
    low, high = min(values), max(values)
    if about["kind"] != "ordinal":
        low, high = min(low, about.get("low", low)), max(high, about.get("high", high))
    log = bool(about.get("log", about["kind"] == "ordinal" and low > 0 and high >= 8 * low))
    log = log and low > 0
    if all(float(value).is_integer() for value in values) and about["kind"] != "float":
        return Int(int(low), int(np.ceil(high)), log=log, when=when)
    return Float(low, high, log=log, when=when)


def _condition(
    name: str, about: _About, columns: Mapping[str, list[Value]]
) -> Mapping[str, Value] | None:
    """When `name` is active: as the file says, or as the rows show it."""
    said = about[name].get("active_when")
    active = [value is not None for value in columns[name]]
    if isinstance(said, Mapping):
        return _of_the_rows(said, columns)
    if all(active):
        return None
    for parent, column in columns.items():
        if parent == name or about[parent]["kind"] not in ("categorical", "ordinal", "int"):
            continue
        on = {value for value, is_on in zip(column, active, strict=True) if is_on}
        off = {value for value, is_on in zip(column, active, strict=True) if not is_on}
        if on and not on & off and None not in on:
            return {parent: sorted(on, key=str)}
    return None


def _of_the_rows(
    said: Mapping[str, Any], columns: Mapping[str, list[Value]]
) -> Mapping[str, Value]:
    """A condition without what the rows do not have: values that none has, and parents that are
    the same in all."""
    when: dict[str, Any] = {}
    for parent, wanted in said.items():
        seen = {value for value in columns.get(parent, ()) if value is not None}
        values = wanted if isinstance(wanted, list) else [wanted]
        if len(seen) != 1:
            when[parent] = [value for value in values if value in seen or not seen]
    return when


def _point(space: Space, values: Mapping[str, Value], row: int) -> Point:
    try:
        return space.cast({k: v for k, v in values.items() if v is not None})
    except PointError as error:
        raise ValueError(
            f"row {row} (from 0): {error.args[0]} If it is not active there, "
            "say so with active_when; otherwise leave the row out."
        ) from error
