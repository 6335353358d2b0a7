"""What every store must do."""

import math
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from luthier.contracts import Store
from luthier.core.action import Continue, Start
from luthier.core.domain import Choice, Float
from luthier.core.errors import StoreError, StudyError
from luthier.core.event import (
    Asked,
    Closed,
    Dropped,
    Ended,
    Heard,
    Obeyed,
    Proposed,
    Refused,
    Reported,
    RolledBack,
    Saved,
    Started,
    Ticked,
)
from luthier.core.space import make_space
from luthier.core.study import Checkpoint, Run, RunState, Study, Trial
from luthier.stores.memory import MemoryStore
from luthier.stores.sqlite import SqliteStore, list_studies

STUDY = Study(
    "s", make_space({"lr": Float(0, 1), "k": Choice((7, 1), (3, 3))}), "acc", "maximize", 9
)
NAN, INF = math.nan, math.inf


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return MemoryStore(STUDY, tmp_path)
    return SqliteStore.create(tmp_path / "s.db", STUDY, {})


def reopened(store: Store) -> Store:
    return SqliteStore.open(store.path) if isinstance(store, SqliteStore) else store


def propose(store: Store, number: int, parent: Checkpoint | None = None, attempt: int = 0) -> str:
    run = Run(f"{number}.{attempt}", number, {"lr": 0.5, "k": (7, 1)}, 9, parent)
    store.record([Proposed(run, Trial(number, run.params))])
    return run.id


def report(store: Store, run_id: str, *rows: tuple[float, float]) -> None:
    table = np.array([(step, step / 10, value, -value) for step, value in rows])
    store.record([Reported(run_id, ("acc", "other"), table)])


def test_values_survive_as_they_are(store: Store) -> None:
    run_id = propose(store, 0)
    report(store, run_id, (1, 0.1), (2, NAN), (3, INF))
    report(store, run_id, (4, -INF), (4.5, 1e-300))
    store = reopened(store)
    curves = store.metrics(run_id)
    np.testing.assert_array_equal(curves["acc"].values, [0.1, NAN, INF, -INF, 1e-300])
    np.testing.assert_array_equal(curves["other"].values, [-0.1, NAN, -INF, INF, -1e-300])
    run = store.view().runs[run_id]
    np.testing.assert_array_equal(run.curve.values, [-0.1, NAN, -INF, INF, -1e-300])
    assert run.curve.steps.tolist() == [1, 2, 3, 4, 4.5]
    assert (run.step, run.params["k"]) == (4.5, (7, 1))


def test_rollback_and_inheritance(store: Store) -> None:
    a = propose(store, 0)
    report(store, a, (1, 1.0), (2, 2.0), (3, 3.0))
    fork = propose(store, 0, Checkpoint(a, 2, "f", 1, 1), attempt=1)
    store.record([RolledBack(a, 1)])
    assert reopened(store).view().runs[a].curve.values.tolist() == [-1.0]
    report(store, a, (2, 20.0))
    report(store, fork, (3, 30.0))
    store.record([Ended(a, RunState.COMPLETED, 2, 1.0, "done")])
    store = reopened(store)
    assert store.metrics(a)["acc"].values.tolist() == [1.0, 20.0]
    assert store.view().runs[a].curve.values.tolist() == [-1.0, -20.0]
    assert store.view().runs[fork].curve.values.tolist()[-1] == -30.0
    assert store.view().current()[0].id == fork


def test_the_whole_life_of_a_run(store: Store) -> None:
    start = Start(params={"lr": 0.5, "k": (7, 1)}, to_step=1, reason="new-point")
    store.record([Asked(1, start, 7.0)])
    run_id = propose(store, 0)
    checkpoints = [Checkpoint(run_id, step, f"{step}.ckpt", 10, 99, -0.5) for step in (1, 2)]
    store.record([Obeyed(run_id, 1, 0.0), Started(run_id, 0, True, {"lr": 0.5})])
    store.record([Saved(run_id, c) for c in checkpoints])
    store.record([Dropped(run_id, 1, "superseded"), Heard(run_id, 123), Ticked(4.5)])
    store.record([Ended(run_id, RunState.PAUSED, 2, 3.5, "slice-end")])
    store.record([Asked(2, Continue(run_id="x", to_step=9, reason="r"), 8.0), Refused(2, "no x")])
    store.record([Closed("finished")])
    store = reopened(store)
    run = store.view().runs[run_id]
    assert (run.state, run.reason, run.step, run.train_s) == ("paused", "slice-end", 2, 3.5)
    assert run.checkpoints == (checkpoints[1],)
    assert run.latest == checkpoints[1]
    assert run.heard == 123
    assert store.view().elapsed_s == 4.5
    assert store.closed == "finished"
    first, second = store.diary()
    assert (first.action, first.run_id, first.state) == (start, run_id, "obeyed")
    assert (second.state, second.why) == ("refused", "no x")


def test_a_view_stays_as_it_was(store: Store) -> None:
    run_id = propose(store, 0)
    report(store, run_id, (1, 1.0))
    before = store.view()
    report(store, run_id, (2, 2.0))
    propose(store, 1)
    assert list(before.runs) == [run_id]
    assert before.runs[run_id].curve.values.tolist() == [-1.0]


def test_best_is_direction_safe(store: Store) -> None:
    for number, value in enumerate((0.2, 0.9, NAN, 0.5)):
        report(store, propose(store, number), (1, value))
    best = reopened(store).view().best()
    assert best is not None
    assert best.trial == 1


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: None, "no store"),
        (
            lambda path: path.write_text("no database, but long enough to be read as one" * 99),
            "opened",
        ),
        (lambda path: sqlite3.connect(path).execute("PRAGMA user_version=999").close(), "newer"),
    ],
)
def test_what_is_no_store_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(tmp_path / "x.db")
    with pytest.raises(StoreError, match=words):
        SqliteStore.open(tmp_path / "x.db")


def test_names_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    SqliteStore.create(path, STUDY, {"a": 1}).close()
    with pytest.raises(StudyError, match="already"):
        SqliteStore.create(path, STUDY, {})
    with pytest.raises(StudyError, match="'t'"):
        SqliteStore.open(path, "t")
    assert [row["name"] for row in list_studies(path)] == ["s"]
    assert SqliteStore.open(path).recipe == {"a": 1}


def test_a_reader_does_not_block_the_writer(tmp_path: Path) -> None:
    writer = SqliteStore.create(tmp_path / "s.db", STUDY, {})
    run_id = propose(writer, 0)
    reader = sqlite3.connect(f"file:{writer.path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM chunk").fetchone()
    report(writer, run_id, (1, 1.0))
    assert reader.execute("SELECT count(*) FROM chunk").fetchone() == (0,)
    reader.close()
