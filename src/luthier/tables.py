"""Tables of stored learning curves: many points of a space, each trained once or more.

The folder format is written down in `docs/tables.md`; a finished study is a table too.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Choice, Domain, Float, Int, Value
from luthier.core.errors import DomainError, TableError
from luthier.core.space import Space
from luthier.core.study import Goal, Run, StudyView

Point = Mapping[str, Value]
Key = tuple[tuple[str, Value], ...]


@final
@dataclass(frozen=True, eq=False)
class Table:
    """Curves of `n` rows over steps 1..T, as losses, and the points that were trained.

    NaN inside of a row is a step without a report. `n_steps` is the last step a row has; a row
    with `diverged` reports NaN at that step and ends there.
    """

    name: str
    space: Space
    metric: str
    goal: Goal
    points: tuple[Point, ...]  # the distinct points of the space, m of them
    rows: tuple[tuple[int, ...], ...]  # for each point, its rows: repeats of the same training
    losses: NDArray[np.float64]  # (n, T)
    n_steps: NDArray[np.int64]  # (n,), each from 1 to T
    diverged: NDArray[np.bool_]  # (n,)
    step_s: NDArray[np.float64]  # (n, T) seconds that each step takes; ones without a clock
    target: float | None = None  # as a loss
    _index: dict[Key, int] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._index.update({key_of(point): i for i, point in enumerate(self.points)})

    @property
    def max_steps(self) -> int:
        """T: steps of a full training."""
        return int(self.losses.shape[1])

    def find(self, params: Point) -> int | None:
        """Number of the point with these parameters; None when the table has no such."""
        return self._index.get(key_of(params))

    def units(self) -> NDArray[np.float64]:
        """The points in the unit cube, (m, d)."""
        return np.array([self.space.to_unit(point) for point in self.points])

    def best_losses(self) -> NDArray[np.float64]:
        """Lowest loss of each row at any step, (n,); +inf where there is none."""
        best: NDArray[np.float64] = np.where(np.isfinite(self.losses), self.losses, np.inf).min(
            axis=1
        )
        return best

    def regret(self, loss: NDArray[np.float64]) -> NDArray[np.float64]:
        """0 at the table's best loss, 1 at the median of its rows' best losses and above."""
        best = self.best_losses()
        low, middle = float(best.min()), float(np.median(best[np.isfinite(best)]))
        scaled = (np.asarray(loss) - low) / max(middle - low, 1e-300)
        regret: NDArray[np.float64] = np.clip(np.where(np.isnan(scaled), 1.0, scaled), 0.0, 1.0)
        return regret


def key_of(params: Point) -> Key:
    """A point as something to look up, whatever the order of its names."""
    return tuple(sorted(params.items()))


def tables_of(folder: Path) -> tuple[str, ...]:
    """The tasks of a folder of tables."""
    return tuple(_meta(folder)["tasks"])


def load_table(folder: Path, task: str) -> Table:
    """One task of a folder that holds `meta.json` and a npz file per task."""
    meta = _meta(folder)
    if task not in meta["tasks"]:
        raise TableError(f"{folder} has no task {task!r}; it has {sorted(meta['tasks'])}.")
    about = meta["tasks"][task]
    file = folder / about["file"]
    try:
        with np.load(file, allow_pickle=False) as archive:
            data = {name: archive[name] for name in archive.files}
        return _make(f"{folder.name}/{task}", about, data)
    except (OSError, KeyError, ValueError, DomainError) as error:
        raise TableError(f"{file} is no table: {type(error).__name__}: {error}") from error


def table_of_study(view: StudyView) -> Table:
    """A finished study as a table: its trials are the points, their curves the rows."""
    runs = [run for run in view.current().values() if len(run.curve)]
    if len(runs) < 2:
        raise TableError(
            f"study {view.study.name!r} has {len(runs)} runs with a curve; expected 2 or more."
        )
    n_steps = int(view.study.max_steps or max(run.curve.steps[-1] for run in runs))
    losses = np.full((len(runs), n_steps), np.nan)
    step_s = np.ones((len(runs), n_steps))
    for row, run in enumerate(runs):
        for step, value in zip(run.curve.steps, run.curve.values, strict=True):
            losses[row, min(max(int(np.ceil(step)), 1), n_steps) - 1] = value
        step_s[row] = run.train_s / max(run.step, 1.0) or 1.0
    last = np.array([min(max(int(np.ceil(r.curve.steps[-1])), 1), n_steps) for r in runs])
    diverged = np.array([_never_finite(run) for run in runs])
    domains = view.study.space.domains  # what others drew need not lie on its grid
    points = [{n: domains[n].cast(v) for n, v in run.params.items()} for run in runs]
    return _table(
        view.study.name, view.study.space, view.study.metric, view.study.goal, points,
        losses, last, diverged, step_s,
    )  # fmt: skip


def _never_finite(run: Run) -> bool:
    return not bool(np.isfinite(run.curve.last))


def _meta(folder: Path) -> dict[str, Any]:
    try:
        meta: dict[str, Any] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        if not isinstance(meta.get("tasks"), dict):
            raise ValueError("it names no tasks")
    except (OSError, ValueError) as error:
        raise TableError(f"{folder} is no folder of tables: {error}") from error
    return meta


def _make(name: str, about: Mapping[str, Any], data: Mapping[str, NDArray[Any]]) -> Table:
    goal: Goal = "maximize" if about["direction"] == "max" else "minimize"
    sign = -1.0 if goal == "maximize" else 1.0
    losses = sign * data["y:" + about["main"]].astype(float)
    seconds = np.broadcast_to(data["t"].astype(float), losses.shape) if "t" in data else None
    if _starts_at_zero(data.get("fid")):  # the first entry is from before the training
        losses = losses[:, 1:]
        seconds = seconds[:, 1:] - seconds[:, :1] if seconds is not None else None
    losses, n_steps, diverged = _ends(losses, about.get("stops_short"))
    space, points = _space(about["hyperparameters"], data, len(losses))
    target = about.get("target")
    return _table(
        name, space, about["main"], goal, points, losses, n_steps, diverged,
        _step_s(seconds, losses.shape), None if target is None else sign * float(target),
    )  # fmt: skip


def _table(
    name: str,
    space: Space,
    metric: str,
    goal: Goal,
    points: Sequence[Point],
    losses: NDArray[np.float64],
    n_steps: NDArray[np.int64],
    diverged: NDArray[np.bool_],
    step_s: NDArray[np.float64],
    target: float | None = None,
) -> Table:
    repeats: dict[Key, list[int]] = {}
    for row, point in enumerate(points):
        repeats.setdefault(key_of(point), []).append(row)
    rows = tuple(tuple(of_one) for of_one in repeats.values())
    distinct = tuple(points[of_one[0]] for of_one in rows)
    return Table(
        name, space, metric, goal, distinct, rows, losses, n_steps, diverged, step_s, target
    )


def _starts_at_zero(fidelity: NDArray[Any] | None) -> bool:
    return fidelity is not None and fidelity.size > 0 and bool((fidelity[..., 0] == 0).all())


def _ends(
    losses: NDArray[np.float64], stops_short: str | None
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Where each row ends, and whether in divergence.

    A row that stops before the last step has diverged at the next one, unless its last value is
    better than the median of what rows end with: then it was planned that short. `stops_short`
    says it for the whole table instead: "ended" or "diverged".
    """
    n, n_steps = losses.shape
    finite = np.isfinite(losses)
    length = np.where(finite.any(axis=1), n_steps - np.argmax(finite[:, ::-1], axis=1), 0)
    last = losses[np.arange(n), np.maximum(length - 1, 0)]
    middle = np.median(last[length > 0]) if (length > 0).any() else -np.inf
    ended = last < middle if stops_short is None else np.full(n, stops_short == "ended")
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


def _space(
    about: Mapping[str, Mapping[str, Any]], data: Mapping[str, NDArray[Any]], n: int
) -> tuple[Space, list[Point]]:
    """The space that the file describes, and the rows' points in it.

    A hyperparameter is inactive where its column holds nothing (NaN, None or an empty string).
    """
    columns = {name: list(_plain(data["hp:" + name])) for name in about if "hp:" + name in data}
    domains: dict[str, Domain] = {}
    for name, column in columns.items():
        values = [value for value in column if value is not None]
        if len(set(values)) < 2:
            continue  # nothing to search
        domains[name] = _domain(about[name], values, _condition(name, about, columns))
    space = Space(domains)
    return space, [_point(space, {k: columns[k][row] for k in domains}) for row in range(n)]


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
    name: str, about: Mapping[str, Mapping[str, Any]], columns: Mapping[str, list[Value]]
) -> Mapping[str, Value] | None:
    """When `name` is active: as the file says, or as the rows show it."""
    said = about[name].get("active_when")
    active = [value is not None for value in columns[name]]
    if isinstance(said, Mapping):
        return {k: v if isinstance(v, list) else [v] for k, v in said.items()}
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


def _point(space: Space, values: Mapping[str, Value]) -> Point:
    given = {k: v for k, v in values.items() if v is not None}
    filled = {**{k: v for k, v in space.default().items() if k not in given}, **given}
    active: dict[str, Value] = {}
    for name, domain in space.domains.items():
        conditions = (domain.when or {}).items()
        if name in filled and all(filled.get(k) in wanted for k, wanted in conditions):
            active[name] = filled[name]
    return space.cast(active)
