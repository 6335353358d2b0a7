"""A reader that looks again and again sees what one that opens the file now sees."""

import sqlite3
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luthier.core.action import Pause
from luthier.core.event import Asked, Closed, Ended, Obeyed, Reported, RolledBack, Saved, Started
from luthier.core.study import Checkpoint, RunState
from luthier.stores.sqlite import SqliteStore
from luthier.stores.sqlite_file import list_studies
from luthier.testing.stores import NAN, STUDY, propose, report

DEEDS = ("propose", "report", "other", "save", "back", "end", "pause", "ask", "close", "look")


@given(st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 3)), max_size=40))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_it_is_the_same(tmp_path_factory: object, deeds: list[tuple[str, int]]) -> None:
    folder: Path = tmp_path_factory.mktemp("r")  # type: ignore[attr-defined]
    writer = SqliteStore.create(folder / "s.db", STUDY, {})
    reader = SqliteStore.open(folder / "s.db")
    steps: dict[str, float] = {}
    for deed, which in [*deeds, ("look", 0)]:
        running = [r for r in writer.view().runs.values() if not r.state.ended]
        run = running[which % len(running)] if running else None
        if deed == "propose":
            steps[propose(writer, len(writer.view().runs))] = 0
        elif deed == "look":
            before = reader.view()
            changes = reader.refresh()
            same(reader, SqliteStore.open(folder / "s.db"))
            untouched = before.runs.keys() - set(changes.runs)
            assert all(reader.view().runs[i] is before.runs[i] for i in untouched)
            assert not reader.refresh()
        elif deed == "close":
            writer.record([Closed("finished")])
        elif run is not None:
            do(writer, deed, run.id, steps)
    reader.close()
    writer.close()


def do(writer: SqliteStore, deed: str, run_id: str, steps: dict[str, float]) -> None:
    if deed == "report":
        rows = [(steps[run_id] + i, NAN if i == 2 else i) for i in (1, 2, 3)]
        report(writer, run_id, *rows)
        steps[run_id] += 3
    elif deed == "other":
        rows = np.array([[steps[run_id] + 0.5, 0.1, 5.0]])
        writer.record([Reported(run_id, ("else",), rows)])
    elif deed == "save":
        c = Checkpoint(run_id, steps[run_id], "f", 1, 2)
        writer.record([Started(run_id, steps[run_id], True, {"lr": 0.1}), Saved(run_id, c)])
    elif deed == "back":
        steps[run_id] = max(0.0, steps[run_id] - 2)
        writer.record([RolledBack(run_id, steps[run_id])])
    elif deed in ("end", "pause"):
        state = RunState.PAUSED if deed == "pause" else RunState.COMPLETED
        writer.record([Ended(run_id, state, None, None, "slice-end")])
    elif deed == "ask":
        number = len(writer.diary()) + 1
        writer.record([Asked(number, Pause(run_id=run_id, reason="r"), 1.0, "t")])
        writer.record([Obeyed(run_id, number, 1.0)])


def same(a: SqliteStore, b: SqliteStore) -> None:
    assert a.revision == b.revision
    assert a.closed == b.closed
    assert a.diary() == b.diary()
    assert a.view().trials == b.view().trials
    assert list(a.view().runs) == list(b.view().runs)
    for x, y in zip(a.view().runs.values(), b.view().runs.values(), strict=True):
        np.testing.assert_array_equal(x.curve.steps, y.curve.steps)
        np.testing.assert_array_equal(x.curve.values, y.curve.values)
        for name in ("state", "step", "checkpoints", "params", "read_back", "reason", "train_s"):
            assert getattr(x, name) == getattr(y, name)
    b.close()


def test_a_run_is_read_anew_when_its_chunks_were_joined(tmp_path: Path) -> None:
    writer = SqliteStore.create(tmp_path / "s.db", STUDY, {})
    a, b = propose(writer, 0), propose(writer, 1)
    reader = SqliteStore.open(tmp_path / "s.db")
    for step in range(1, 5):
        report(writer, a, (step, step))
        assert reader.refresh().runs == (a,)
    report(writer, a, (5, 5.0))
    writer.record([Ended(a, RunState.COMPLETED, 5, 1.0, "done")])
    report(writer, b, (1, 1.0))
    assert reader.refresh().runs == (a, b)
    assert reader.view().runs[a].curve.values.tolist() == [-1, -2, -3, -4, -5]
    assert reader.view().runs[b].curve.values.tolist() == [-1]


def test_a_store_of_an_older_version_is_brought_up_to_date_by_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    writer = SqliteStore.create(path, STUDY, {})
    propose(writer, 0)
    writer.close()
    with sqlite3.connect(path) as db:  # as version 2 had it
        for index in ("run_revision", "action_revision"):
            db.execute(f"DROP INDEX {index}")
        for table in ("study", "run", "action"):
            db.execute(f"ALTER TABLE {table} DROP COLUMN revision")
        for column in ("pausing_s", "n_starts"):
            db.execute(f"ALTER TABLE run DROP COLUMN {column}")
        db.execute("ALTER TABLE action DROP COLUMN obeyed")
        db.execute("PRAGMA user_version=2")
    db.close()
    reader = SqliteStore.open(path)
    assert len(reader.view().runs) == 1
    reader.close()
    assert len(list_studies(path)) == 1
