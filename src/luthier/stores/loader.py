"""A study's tables read into a ledger: all of them once, then only what changed."""

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from luthier.core.action import action_from_json
from luthier.core.curve import Curve, Series
from luthier.core.domain import values_from_json
from luthier.core.ledger import Entry, Ledger
from luthier.core.study import Checkpoint, Run, RunState, Trial

# a rollback before the batch, steps, losses
Losses = tuple[float | None, np.ndarray, np.ndarray]
_RUN = (
    "key, id, trial, params, to_step, parent, state, step, train_s, pausable, reason, error, "
    "heard, seed, held, read_back, pausing_s, n_starts"
)
_ACTION = "number, kind, run, fields, asked_s, state, step, read_back, why, before, ticket, obeyed"


@final
@dataclass(frozen=True, slots=True)
class Changes:
    """What a look has found to be new."""

    revision: int  # batches recorded so far
    runs: tuple[str, ...] = ()  # ids, in the order in which they were proposed
    entries: tuple[int, ...] = ()  # numbers of actions

    def __bool__(self) -> bool:
        return bool(self.runs or self.entries)


@final
@dataclass(slots=True)
class _Growing:
    """The losses of a run that trains, and the last chunk that is in them."""

    series: Series = field(default_factory=Series)
    chunk: int = -1


@final
class Loader:
    """Keeps a ledger level with a connection's file; the caller holds the snapshot."""

    def __init__(self, db: sqlite3.Connection, key: int, ledger: Ledger) -> None:
        self._db = db
        self._key = key
        self._ledger = ledger
        self._seen = -1  # revision up to which everything is in the ledger
        self._growing: dict[int, _Growing] = {}
        self._columns: dict[str, tuple[int, int]] = {}  # metrics -> width, column of the objective
        self.run_keys: dict[str, int] = {}

    def read(self, revision: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Take in what is new up to `revision`; the runs and the actions that changed."""
        first = self._seen < 0
        losses = checkpoints = None
        read: dict[str, dict[str, Any]] = {}  # a run's parameters are mostly its trial's: read once
        if first:
            for number, params in self._db.execute(
                "SELECT number, params FROM trial WHERE study = ? ORDER BY number", (self._key,)
            ):
                self._ledger.trials[number] = Trial(number, _params(params, read))
            losses, checkpoints = self._all_losses(), self._all_checkpoints()
        news = (self._key, self._seen)
        run_ids = []
        for row in self._db.execute(
            f"SELECT {_RUN} FROM run WHERE study = ? AND revision > ? ORDER BY key", news
        ).fetchall():
            key, state = row[0], RunState(row[6])
            if losses is None or checkpoints is None:
                self._find_trial(row[2], read)
                curve, saved = self._curve(key, state), self._checkpoints(key)
            else:
                curve, saved = _merge(losses.pop(key, [])), checkpoints.get(key, [])
            run = _run(row, curve, saved, read)
            self.run_keys[run.id] = key
            self._ledger.restore(run)
            run_ids.append(run.id)
        numbers = []
        for row in self._db.execute(
            f"SELECT {_ACTION} FROM action WHERE study = ? AND revision > ? ORDER BY number", news
        ):
            self._ledger.restore_entry(_entry(row, read))
            numbers.append(row[0])
        self._seen = revision
        return tuple(run_ids), tuple(numbers)

    def _find_trial(self, number: int, read: dict[str, dict[str, Any]]) -> None:
        if number not in self._ledger.trials:
            query = "SELECT params FROM trial WHERE study = ? AND number = ?"
            (params,) = self._db.execute(query, (self._key, number)).fetchone()
            self._ledger.trials[number] = Trial(number, _params(params, read))

    def _curve(self, run_key: int, state: RunState) -> Curve:
        """The objective with what is new; read anew at the run's end, when chunks are joined."""
        growing = _Growing() if state.ended else self._growing.setdefault(run_key, _Growing())
        for chunk, back_to, names, blob in self._db.execute(
            "SELECT key, back_to, metrics, rows FROM chunk WHERE run = ? AND key > ? ORDER BY key",
            (run_key, growing.chunk),
        ):
            growing.chunk = chunk
            found = self._losses(back_to, names, blob)
            if found is not None:
                _extend(growing.series, found)
        if state.ended:
            self._growing.pop(run_key, None)
        return growing.series.freeze()

    def _checkpoints(self, run_key: int) -> list[tuple[Any, ...]]:
        query = "SELECT * FROM checkpoint WHERE run = ? ORDER BY step"
        return [tuple(row[1:]) for row in self._db.execute(query, (run_key,))]

    def _all_checkpoints(self) -> dict[int, list[tuple[Any, ...]]]:
        found: dict[int, list[tuple[Any, ...]]] = {}
        for run_key, *row in self._db.execute(
            "SELECT checkpoint.* FROM checkpoint JOIN run ON run.key = run "
            "WHERE study = ? ORDER BY step",
            (self._key,),
        ):
            found.setdefault(run_key, []).append(tuple(row))
        return found

    def _all_losses(self) -> dict[int, list[Losses]]:
        found: dict[int, list[Losses]] = {}
        for run_key, back_to, names, blob in self._db.execute(
            "SELECT run, back_to, metrics, rows FROM chunk JOIN run ON run.key = chunk.run "
            "WHERE study = ? ORDER BY chunk.key",
            (self._key,),
        ):
            losses = self._losses(back_to, names, blob)
            if losses is not None:
                found.setdefault(run_key, []).append(losses)
        return found

    def _losses(self, back_to: float | None, names_json: str, blob: bytes) -> Losses | None:
        study = self._ledger.study
        if names_json not in self._columns:
            names = json.loads(names_json)
            at = 2 + names.index(study.metric) if study.metric in names else 0
            self._columns[names_json] = 2 + len(names), at
        width, at = self._columns[names_json]
        if not at and back_to is None:
            return None
        rows = np.frombuffer(blob, dtype="<f8").reshape(-1, width)
        # copies: a view would keep the whole blob in memory
        return back_to, rows[:, 0].copy(), study.loss(1.0) * rows[:, at]


def _merge(batches: list[Losses]) -> Curve:
    if len(batches) == 1:
        _, steps, values = batches[0]
        if (steps[1:] > steps[:-1]).all():
            return Curve(steps, values)
    series = Series()
    for losses in batches:
        _extend(series, losses)
    return series.freeze()


def _extend(series: Series, losses: Losses) -> None:
    back_to, steps, values = losses
    if back_to is not None:
        series.truncate(back_to)
    series.extend(steps, values)


def _run(
    row: tuple[Any, ...],
    curve: Curve,
    checkpoints: list[tuple[Any, ...]],
    read: dict[str, dict[str, Any]],
) -> Run:
    _, run_id, trial, params, to_step, parent, state, *rest = row
    step, train_s, pausable, reason, error, heard, seed, held, read_back, *pausing = rest
    came_from = Checkpoint(**json.loads(parent)) if parent else None
    saved = tuple(Checkpoint(run_id, *c) for c in checkpoints)
    return Run(
        run_id, trial, _params(params, read), to_step, came_from, RunState(state), step, train_s,
        bool(pausable), reason, error, curve, saved, heard, seed, bool(held),
        _params(read_back, read), *pausing,
    )  # fmt: skip


def _entry(row: tuple[Any, ...], read: dict[str, dict[str, Any]]) -> Entry:
    number, kind, run_id, shown, asked_s, state, step, read_back, why, before, ticket, obeyed = row
    return Entry(
        number, action_from_json(kind, json.loads(shown)), asked_s, run_id, state, step,
        _params(read_back, read), why, _params(before, read), ticket, obeyed,
    )  # fmt: skip


def _params(text: str, read: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if text not in read:
        read[text] = values_from_json(json.loads(text))
    return read[text]
