"""The default store: one SQLite file in WAL mode, written by the tuner, read by anyone.

Reports go in as packed chunks, a row per run and batch, which is what keeps 100,000 points a
second cheap; a run's chunks are joined when it ends. Batches of nothing but reports commit without
fsync (they lie in the wire files too); all others with it.
"""

import json
import shlex
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import numpy as np

from luthier.core.action import kind_of
from luthier.core.budget import Budget
from luthier.core.constraint import Constraint
from luthier.core.curve import Curve
from luthier.core.errors import NewerStoreError, StoreError, StudyError
from luthier.core.event import (
    Asked,
    Closed,
    Dropped,
    Ended,
    Event,
    Heard,
    Noted,
    Obeyed,
    Proposed,
    Refused,
    Reported,
    RolledBack,
    Saved,
    Ticked,
)
from luthier.core.ledger import Batch, Entry, Ledger, merge_branches, merge_metrics
from luthier.core.onward import onward
from luthier.core.paths import StudyPaths
from luthier.core.space import space_from_json, space_to_json
from luthier.core.study import Checkpoint, Study, StudyView
from luthier.stores.loader import Changes, Loader
from luthier.stores.schema import check
from luthier.stores.sqlite_file import connect, names_in

_JOIN_FROM = 2  # chunks a run may have before they are joined at its end


@final
class SqliteStore:
    """One study in a file; `create` and `open` make it."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, key: int, ledger: Ledger
    ) -> None:
        self.path = path
        self._db = connection
        self._key = key
        self._ledger = ledger
        self._loader = Loader(connection, key, ledger)
        self._run_keys = self._loader.run_keys
        self._revision = 0  # counts the batches recorded
        self._version = -1  # of the file, as SQLite counts what others write

    @classmethod
    def create(cls, path: Path, study: Study, recipe: Mapping[str, Any]) -> "SqliteStore":
        """A new study; StudyError when the file has one of that name, or files of one are left."""
        left = StudyPaths.beside(path, study.name).root / "runs"
        if left.exists() and study.name not in names_in(path):
            raise StudyError(
                f"{left} holds runs of another study {study.name!r}, whose store is gone; "
                "delete or rename that folder, or choose another name."
            )
        connection = connect(path, read_only=False)
        question = json.dumps(_question(study))
        try:
            cursor = connection.execute(
                "INSERT INTO study (name, created_s, question, recipe) VALUES (?, ?, ?, ?)",
                (study.name, time.time(), question, json.dumps(recipe)),
            )
        except sqlite3.IntegrityError:
            connection.close()
            how = onward(study.name, cls.open(path, study.name).recipe,
                         f" --store {shlex.quote(str(path))}")  # fmt: skip
            raise StudyError(
                f"{path} has a study named {study.name!r} already; "
                + (f"go on with it ({how}), or " if how else "")
                + "choose another name."
            ) from None
        return cls(path, connection, int(cursor.lastrowid or 0), Ledger(study))

    @classmethod
    def open(cls, path: Path, name: str | None = None, *, read_only: bool = True) -> "SqliteStore":
        """A study of the file, the newest when no name is given."""
        if not path.exists():
            raise StoreError(
                f"no store at {path}; give --store FILE, or make one with luthier tune SCRIPT."
            )
        connection = connect(path, read_only=read_only)
        row = connection.execute(
            "SELECT key, name, question FROM study "
            "WHERE name = ? OR ? IS NULL ORDER BY key DESC LIMIT 1",
            (name, name),
        ).fetchone()
        if row is None:
            known = [r[0] for r in connection.execute("SELECT name FROM study ORDER BY key")]
            connection.close()
            wanted = f"study {name!r}" if name else "study"
            raise StudyError(f"no {wanted} in {path}; it has {known or 'none'}.")
        key, name, question = row
        store = cls(path, connection, key, Ledger(_study(name, json.loads(question))))
        store.refresh()
        return store

    def refresh(self) -> Changes:
        """Take in what another process has recorded since; costs next to nothing when none has."""
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return Changes(self._revision)
        ledger = self._ledger
        with self._reading():
            question, ledger.elapsed_s, ledger.closed, self._revision = self._db.execute(
                "SELECT question, elapsed_s, closed, revision FROM study WHERE key = ?",
                (self._key,),
            ).fetchone()
            ledger.study = replace(ledger.study, budget=Budget(**json.loads(question)["budget"]))
            run_ids, numbers = self._loader.read(self._revision)
        self._version = version  # as it was before the rows: at worst one look too many
        return Changes(self._revision, run_ids, numbers)

    @property
    def revision(self) -> int:
        """How many batches have been recorded, as far as this store has looked."""
        return self._revision

    @property
    def study(self) -> Study:
        """The question."""
        return self._ledger.study

    @property
    def paths(self) -> StudyPaths:
        """Files of the study."""
        return StudyPaths.beside(self.path, self.study.name)

    @property
    def closed(self) -> str:
        """Why the study ended."""
        return self._ledger.closed

    @property
    def created_s(self) -> float:
        """When it was created, in seconds since the epoch."""
        query = "SELECT created_s FROM study WHERE key = ?"
        return float(self._db.execute(query, (self._key,)).fetchone()[0])

    @property
    def recipe(self) -> dict[str, Any]:
        """What was given when the study was created: target, policy, executor."""
        query = "SELECT recipe FROM study WHERE key = ?"
        found: dict[str, Any] = json.loads(self._db.execute(query, (self._key,)).fetchone()[0])
        return found

    def set_recipe(self, recipe: Mapping[str, Any]) -> None:
        """Keep another recipe, from which the study is resumed."""
        with self._writing(durable=True):
            self._db.execute(
                "UPDATE study SET recipe = ? WHERE key = ?", (json.dumps(recipe), self._key)
            )

    def set_budget(self, budget: Budget) -> None:
        """Give the study another budget, to go on with."""
        self._ledger.study = replace(self.study, budget=budget)
        with self._writing(durable=True):
            self._next_revision()
            self._db.execute(
                "UPDATE study SET question = ? WHERE key = ?",
                (json.dumps(_question(self.study)), self._key),
            )

    @property
    def n_callable_constraints(self) -> int:
        """Constraints of the study that are functions, which no file can hold."""
        query = "SELECT question FROM study WHERE key = ?"
        question = json.loads(self._db.execute(query, (self._key,)).fetchone()[0])
        return sum(not rule["text"] for rule in question["space"]["constraints"])

    def set_constraints(self, constraints: tuple[Constraint, ...]) -> None:
        """Constraints as the script has them, for as long as this store is open."""
        space = replace(self.study.space, constraints=constraints)
        self._ledger.study = replace(self.study, space=space)

    def record(self, events: Sequence[Event]) -> None:
        """Keep the events in one transaction."""
        if not events:
            return
        durable = not all(isinstance(event, Reported | Heard | Ticked) for event in events)
        changed = self._ledger.apply(events)
        with self._writing(durable=durable):
            self._next_revision()
            new = [event.run.id for event in events if isinstance(event, Proposed)]
            self._write_runs([*new, *changed.difference(new)])  # read back in the order of keys
            for event in events:
                self._write(event)

    def view(self, n_free: int = 0, n_new: int = 0) -> StudyView:
        """The study as it stands."""
        return self._ledger.view(n_free, n_new)

    def metrics(self, run_id: str) -> Mapping[str, Curve]:
        """All metrics of a run."""
        with self._reading():
            return merge_metrics(self._batches(run_id))

    def branches(self, run_id: str) -> Sequence[Mapping[str, Curve]]:
        """The metrics as they stood before each rollback, and as they stand now."""
        with self._reading():
            return merge_branches(self._batches(run_id))

    def clock(self, run_id: str) -> Curve:
        """Seconds of training over the steps of a run, as its reports had them."""
        with self._reading():
            batches = [(back, ("",), rows[:, [0, 1, 1]]) for back, _, rows in self._batches(run_id)]
        return merge_metrics(batches).get("", Curve())

    def diary(self) -> Sequence[Entry]:
        """All actions."""
        return list(self._ledger.diary.values())

    @property
    def entries(self) -> Mapping[int, Entry]:
        """All actions by number, without a copy."""
        return MappingProxyType(self._ledger.diary)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def _writing(self, *, durable: bool) -> Iterator[None]:
        # synchronous can only change between transactions
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            check(self._db)  # under the lock: from here on nobody else changes the tables
            yield
            self._db.execute("COMMIT")
        except NewerStoreError:
            self._db.execute("ROLLBACK")
            raise
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StoreError(
                f"writing to {self.path} failed: {error}; free the disk or the lock, then "
                f"luthier resume {self.study.name}: the runs' own files hold what is missing."
            ) from error

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """One snapshot for several queries."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def _next_revision(self) -> None:
        """Counted in the file, since whoever lends a hand writes too."""
        of_study = (self._key,)
        self._db.execute("UPDATE study SET revision = revision + 1 WHERE key = ?", of_study)
        query = "SELECT revision FROM study WHERE key = ?"
        self._revision = self._db.execute(query, of_study).fetchone()[0]

    def _write_runs(self, run_ids: Iterable[str]) -> None:
        rows = []
        for run_id in run_ids:
            run = self._ledger.runs[run_id]
            parent = json.dumps(asdict(run.parent)) if run.parent else None
            rows.append(
                (self._key, run.id, run.trial, json.dumps(dict(run.params)), run.to_step, parent,
                 run.state.value, run.step, run.train_s, run.pausable, run.reason, run.error,
                 run.heard, run.seed, run.held, json.dumps(dict(run.read_back)), run.pausing_s,
                 run.n_starts, self._revision)
            )  # fmt: skip
        self._db.executemany(
            "INSERT INTO run (study, id, trial, params, to_step, parent, state, step, train_s, "
            "pausable, reason, error, heard, seed, held, read_back, pausing_s, n_starts, revision) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (study, id) DO UPDATE SET params = excluded.params, "
            "to_step = excluded.to_step, state = excluded.state, step = excluded.step, "
            "train_s = excluded.train_s, pausable = excluded.pausable, reason = excluded.reason, "
            "error = excluded.error, heard = excluded.heard, held = excluded.held, "
            "read_back = excluded.read_back, pausing_s = excluded.pausing_s, "
            "n_starts = excluded.n_starts, revision = excluded.revision",
            rows,
        )

    def _write(self, event: Event) -> None:
        execute = self._db.execute
        match event:
            case Reported(run_id=run_id, metrics=names, rows=rows):
                execute(
                    "INSERT INTO chunk (run, metrics, rows) VALUES (?, ?, ?)",
                    (self._run_key(run_id), json.dumps(names), _pack(rows)),
                )
            case RolledBack(run_id=run_id, step=step):
                key = self._run_key(run_id)
                execute(
                    "INSERT INTO chunk (run, back_to, metrics, rows) VALUES (?, ?, '[]', x'')",
                    (key, step),
                )
                execute("DELETE FROM checkpoint WHERE run = ? AND step > ?", (key, step))
            case Proposed(run=run, trial=trial):
                if run.parent is not None:
                    self._inherit(run.id, run.parent)
                execute(
                    "INSERT OR IGNORE INTO trial VALUES (?, ?, ?)",
                    (self._key, trial.number, json.dumps(dict(trial.params))),
                )
            case Saved(run_id=run_id, checkpoint=c):
                execute(
                    "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (self._run_key(run_id), c.step, c.file, c.n_bytes, c.crc32, c.loss, c.kept),
                )
            case Dropped(run_id=run_id, step=step):
                execute(
                    "DELETE FROM checkpoint WHERE run = ? AND step = ?",
                    (self._run_key(run_id), step),
                )
            case (
                Asked(number=number)
                | Obeyed(number=number)
                | Refused(number=number)
                | Noted(number=number)
            ):
                self._write_entry(self._ledger.diary[number])
            case Ticked(elapsed_s=elapsed_s):
                execute("UPDATE study SET elapsed_s = ? WHERE key = ?", (elapsed_s, self._key))
            case Closed(reason=reason):
                execute("UPDATE study SET closed = ? WHERE key = ?", (reason, self._key))
            case Ended(run_id=run_id, state=state) if state.ended:
                self._join_chunks(run_id)
            case _:
                pass

    def _inherit(self, run_id: str, parent: Checkpoint) -> None:
        """Copy the parent's reports: what becomes of the parent later is not the child's past."""
        child, key = self._run_key(run_id), self._run_key(parent.run_id)
        self._db.execute(
            "INSERT INTO chunk (run, back_to, metrics, rows) "
            "SELECT ?, back_to, metrics, rows FROM chunk WHERE run = ? ORDER BY key",
            (child, key),
        )
        self._db.execute(
            "INSERT INTO chunk (run, back_to, metrics, rows) VALUES (?, ?, '[]', x'')",
            (child, parent.step),
        )

    def _write_entry(self, entry: Entry) -> None:
        shown = {f.name: getattr(entry.action, f.name) for f in fields(entry.action)}
        self._db.execute(
            "INSERT OR REPLACE INTO action VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self._key, entry.number, kind_of(entry.action), entry.run_id, json.dumps(shown),
             entry.time_s, entry.state, entry.step, json.dumps(dict(entry.read_back)), entry.why,
             json.dumps(dict(entry.before)), entry.ticket, self._revision,
             entry.obeyed),
        )  # fmt: skip

    def _run_key(self, run_id: str) -> int:
        if run_id not in self._run_keys:
            query = "SELECT key FROM run WHERE study = ? AND id = ?"
            row = self._db.execute(query, (self._key, run_id)).fetchone()
            if row is None:
                raise StudyError(f"no run {run_id!r} in study {self.study.name!r}.")
            self._run_keys[run_id] = row[0]
        return self._run_keys[run_id]

    def _join_chunks(self, run_id: str) -> None:
        key = self._run_key(run_id)
        chunks = self._db.execute(
            "SELECT back_to, metrics, rows FROM chunk WHERE run = ? ORDER BY key", (key,)
        ).fetchall()
        if len(chunks) < _JOIN_FROM:
            return
        joined: list[tuple[float | None, str, list[bytes]]] = []
        for back_to, names, rows in chunks:
            if joined and back_to is None and joined[-1][1] == names:
                joined[-1][2].append(rows)
            else:
                joined.append((back_to, names, [rows]))
        self._db.execute("DELETE FROM chunk WHERE run = ?", (key,))
        self._db.executemany(
            "INSERT INTO chunk (run, back_to, metrics, rows) VALUES (?, ?, ?, ?)",
            [(key, back_to, names, b"".join(parts)) for back_to, names, parts in joined],
        )

    def _batches(self, run_id: str) -> list[Batch]:
        chunks = self._db.execute(
            "SELECT back_to, metrics, rows FROM chunk WHERE run = ? ORDER BY key",
            (self._run_key(run_id),),
        )
        return [(back_to, *_unpack(names, rows)) for back_to, names, rows in chunks]


def _question(study: Study) -> dict[str, Any]:
    return {
        "space": space_to_json(study.space),
        "metric": study.metric,
        "goal": study.goal,
        "max_steps": study.max_steps,
        "seed": study.seed,
        "budget": asdict(study.budget),
    }


def _study(name: str, question: dict[str, Any]) -> Study:
    budget = Budget(**question.pop("budget"))
    return Study(name, space_from_json(question.pop("space")), budget=budget, **question)


def _pack(rows: np.ndarray) -> bytes:
    return np.ascontiguousarray(rows, dtype="<f8").tobytes()


def _unpack(names_json: str, blob: bytes) -> tuple[tuple[str, ...], np.ndarray]:
    names = tuple(json.loads(names_json))
    return names, np.frombuffer(blob, dtype="<f8").reshape(-1, 2 + len(names))
