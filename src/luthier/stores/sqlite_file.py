"""The file that holds the studies: opened to read or to write, and what is in it."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from luthier.core.errors import BusyError, StoreError
from luthier.core.paths import StudyPaths
from luthier.stores.schema import EmptyStoreError, OldStoreError, migrate, needs_upgrade
from luthier.worker.lock import ProcessLock


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection to tables of today; older ones are brought up to date where that is allowed."""
    if read_only and not path.exists():
        raise StoreError(
            f"no store at {path}; give --store FILE, or make one with luthier tune SCRIPT."
        )
    try:
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _opened(path, "ro" if read_only else "rwc")
        except OldStoreError:
            if not os.access(path, os.W_OK):
                raise
            _opened(path, "rwc").close()  # brings the tables up to date
            return _opened(path, "ro")
        except sqlite3.OperationalError:
            if not read_only or os.access(path.parent, os.W_OK):
                raise
            # a folder that may not be written: no log beside the file, so nobody is writing
            return _opened(path, "ro&immutable=1")
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path} cannot be opened as a store: {error}.") from error


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=30.0, isolation_level=None)
    try:
        if mode == "rwc":
            _use_wal(connection)
            if needs_upgrade(connection):
                _check_at_rest(path, connection)
        migrate(connection, upgrade=mode == "rwc")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_at_rest(path: Path, connection: sqlite3.Connection) -> None:
    """BusyError while an older Luthier tunes a study of the file: it could not go on."""
    for (name,) in connection.execute("SELECT name FROM study").fetchall():
        owner = ProcessLock(StudyPaths.beside(path, name).lock).owner()
        if owner is not None and owner != os.getpid():
            raise BusyError(
                f"{path} has tables of an older Luthier, which tunes study {name!r} in process "
                f"{owner}; wait for it, or stop it with Ctrl-C, before the tables are changed."
            )


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switching does not wait for another process that switches too, so it is tried again."""
    for attempt in range(50):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if attempt == 49:
                raise
            time.sleep(0.02)
        else:
            return


def list_studies(path: Path) -> list[dict[str, Any]]:
    """Name, age, question and number of trials of every study, from the newest to the oldest."""
    connection = connect(path, read_only=True)
    try:
        rows = connection.execute(
            "SELECT study.name, created_s, elapsed_s, closed, question, revision, "
            "(SELECT count(*) FROM trial WHERE study = study.key) FROM study ORDER BY key DESC"
        ).fetchall()
    finally:
        connection.close()
    columns = ("name", "created_s", "elapsed_s", "closed", "question", "revision", "n_trials")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def names_in(path: Path) -> set[str]:
    """Names of its studies; none when there is no file, or another process is about to fill it."""
    try:
        return {row["name"] for row in list_studies(path)} if path.exists() else set()
    except EmptyStoreError:
        return set()
