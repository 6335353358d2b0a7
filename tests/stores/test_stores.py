"""The contract, and what is particular to the SQLite store."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.contracts import Store
from luthier.core.errors import BusyError, NewerStoreError, StoreError, StudyError
from luthier.core.event import Proposed
from luthier.core.study import Run, Trial
from luthier.stores import schema
from luthier.stores.memory import MemoryStore
from luthier.stores.sqlite import SqliteStore
from luthier.stores.sqlite_file import list_studies
from luthier.testing import StoreContract
from luthier.testing.stores import STUDY, propose, report
from luthier.worker.lock import ProcessLock


class TestMemoryStore(StoreContract):
    def make(self, folder: Path) -> Store:
        return MemoryStore(STUDY, folder)

    def reopen(self, store: Store) -> Store:
        return store


class TestSqliteStore(StoreContract):
    def make(self, folder: Path) -> Store:
        return SqliteStore.create(folder / "s.db", STUDY, {})

    def reopen(self, store: Store) -> Store:
        assert isinstance(store, SqliteStore)
        return SqliteStore.open(store.path)


def test_a_full_disk_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    store = SqliteStore.create(tmp_path / "s.db", STUDY, {})
    run_id = propose(store, 0)
    n_pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={n_pages + 3}")
    n_recorded = 0
    with pytest.raises(StoreError, match="full"):  # noqa: PT012  how far it comes is the disk's
        for step in range(1, 10_000):
            report(store, run_id, *((step + i / 100, 0.5) for i in range(99)))
            n_recorded += 99
    found = SqliteStore.open(tmp_path / "s.db")
    assert len(found.view().runs[run_id].curve) == n_recorded > 0
    assert len(found.metrics(run_id)["acc"]) == n_recorded


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


def test_runs_proposed_at_once_keep_their_order(tmp_path: Path) -> None:
    store = SqliteStore.create(tmp_path / "s.db", STUDY, {})
    ids = [f"{number}.0" for number in range(40)]
    store.record([
        Proposed(Run(run_id, number, {"x": 0.5}, 1.0), Trial(number, {"x": 0.5}))
        for number, run_id in enumerate(ids)
    ])  # fmt: skip
    store.close()
    assert list(SqliteStore.open(tmp_path / "s.db").view().runs) == ids


def test_a_reader_does_not_block_the_writer(tmp_path: Path) -> None:
    writer = SqliteStore.create(tmp_path / "s.db", STUDY, {})
    run_id = propose(writer, 0)
    reader = sqlite3.connect(f"file:{writer.path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM chunk").fetchone()
    report(writer, run_id, (1, 1.0))
    assert reader.execute("SELECT count(*) FROM chunk").fetchone() == (0,)
    reader.close()


def upgraded(path: Path) -> None:
    """What a newer Luthier does to the tables."""
    other = sqlite3.connect(path)
    other.execute("ALTER TABLE run ADD COLUMN extra TEXT")
    other.execute("ALTER TABLE checkpoint ADD COLUMN extra TEXT")
    other.execute(f"PRAGMA user_version={len(schema.MIGRATIONS) + 1}")
    other.commit()
    other.close()


def test_tables_that_a_newer_luthier_changed_meanwhile(tmp_path: Path) -> None:
    store = SqliteStore.create(tmp_path / "s.db", STUDY, {})
    run_id = propose(store, 0)
    report(store, run_id, (1.0, 0.5))
    upgraded(store.path)
    with pytest.raises(NewerStoreError, match=r"luthier resume.*\[E304\]"):
        report(store, run_id, (2.0, 0.4))
    assert not store._db.in_transaction
    rows = sqlite3.connect(store.path).execute("SELECT count(*) FROM chunk").fetchone()
    assert rows == (1,)


def test_tables_are_not_changed_under_a_tuner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore.create(tmp_path / "s.db", STUDY, {})
    store.close()
    newer = (*schema.MIGRATIONS, "ALTER TABLE run ADD COLUMN extra TEXT;")
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    lock = ProcessLock(store.paths.lock)
    assert lock.acquire()
    store.paths.lock.write_text("1")  # as if process 1 tuned
    for read_only in (True, False):
        with pytest.raises(BusyError, match="older Luthier"):
            SqliteStore.open(store.path, read_only=read_only)
    lock.release()
    SqliteStore.open(store.path).close()
    version = sqlite3.connect(store.path).execute("PRAGMA user_version").fetchone()
    assert version == (len(newer),)
