"""The tables, as migrations: each takes the file one version up, in one transaction.

`PRAGMA user_version` counts the migrations that ran. Add at the end; never change one that was
released.
"""

import sqlite3

from luthier.core.errors import NewerStoreError, StoreError

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE study (
        key INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        created_s REAL NOT NULL,
        question TEXT NOT NULL,  -- JSON: space, metric, goal, steps, seed, budget
        recipe TEXT NOT NULL,    -- JSON: what `luthier resume` needs to go on
        elapsed_s REAL NOT NULL DEFAULT 0,
        closed TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE trial (
        study INTEGER NOT NULL REFERENCES study,
        number INTEGER NOT NULL,
        params TEXT NOT NULL,
        PRIMARY KEY (study, number)
    ) WITHOUT ROWID;
    CREATE TABLE run (
        key INTEGER PRIMARY KEY,  -- in the order they were proposed
        study INTEGER NOT NULL REFERENCES study,
        id TEXT NOT NULL,
        trial INTEGER NOT NULL,
        params TEXT NOT NULL,
        to_step REAL NOT NULL,
        parent TEXT,              -- JSON: the checkpoint it came from
        state TEXT NOT NULL,
        step REAL NOT NULL,
        train_s REAL NOT NULL,
        pausable INTEGER NOT NULL,
        reason TEXT NOT NULL,
        error TEXT NOT NULL,
        heard INTEGER NOT NULL,
        UNIQUE (study, id)
    );
    -- Some reports in a row: `rows` is a float64 matrix (n, 2 + m) of step, train_s and m values.
    -- A blob keeps NaN, which a REAL column would turn into NULL. `back_to` marks a rollback that
    -- came before the rows.
    CREATE TABLE chunk (
        key INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run,
        back_to REAL,
        metrics TEXT NOT NULL,
        rows BLOB NOT NULL
    );
    CREATE INDEX chunk_run ON chunk (run);
    CREATE TABLE checkpoint (
        run INTEGER NOT NULL REFERENCES run,
        step REAL NOT NULL,
        file TEXT NOT NULL,
        n_bytes INTEGER NOT NULL,
        crc32 INTEGER NOT NULL,
        loss REAL,
        PRIMARY KEY (run, step)
    ) WITHOUT ROWID;
    CREATE TABLE action (
        study INTEGER NOT NULL REFERENCES study,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        run TEXT NOT NULL,
        fields TEXT NOT NULL,  -- JSON
        asked_s REAL NOT NULL,
        state TEXT NOT NULL,
        step REAL,
        read_back TEXT NOT NULL,
        why TEXT NOT NULL,
        PRIMARY KEY (study, number)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE run ADD COLUMN seed INTEGER;
    ALTER TABLE run ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE run ADD COLUMN read_back TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE checkpoint ADD COLUMN kept TEXT NOT NULL DEFAULT '';
    ALTER TABLE action ADD COLUMN before TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE action ADD COLUMN ticket TEXT NOT NULL DEFAULT '';
    """,
    # the batch that a row was last written by, so that readers find what is new without a search
    """
    ALTER TABLE study ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE run ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE action ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX run_revision ON run (study, revision);
    CREATE INDEX action_revision ON action (study, revision);
    """,
    # what pausing costs
    """
    ALTER TABLE run ADD COLUMN pausing_s REAL NOT NULL DEFAULT 0;
    ALTER TABLE run ADD COLUMN n_starts INTEGER NOT NULL DEFAULT 0;
    """,
    # in which order actions were obeyed
    """
    ALTER TABLE action ADD COLUMN obeyed INTEGER NOT NULL DEFAULT 0;
    """,
)


class OldStoreError(StoreError):
    """Tables of an older Luthier."""


class EmptyStoreError(StoreError):
    """A file without tables: somebody is about to make them, or nobody ever did."""


def migrate(connection: sqlite3.Connection, *, upgrade: bool) -> None:
    """Bring an open file to the newest version; without `upgrade`, only check that it is."""
    version = _version(connection)
    check_known(version)
    if version == len(MIGRATIONS):
        return
    if not upgrade:
        if version == 0:
            raise EmptyStoreError("the file holds no study; make one with luthier tune SCRIPT.")
        raise OldStoreError(
            f"the store has schema {version}, expected {len(MIGRATIONS)}; "
            "open it once for writing (luthier resume) to bring it up to date."
        )
    connection.execute("BEGIN IMMEDIATE")
    for number, script in enumerate(MIGRATIONS, start=1):
        if number > _version(connection):  # read anew: another process may have been quicker
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number}")
    connection.execute("COMMIT")


def needs_upgrade(connection: sqlite3.Connection) -> bool:
    """Whether there are tables, of an older Luthier."""
    return 0 < _version(connection) < len(MIGRATIONS)


def check(connection: sqlite3.Connection) -> None:
    """NewerStoreError when another Luthier has changed the tables since they were opened."""
    check_known(_version(connection))


def check_known(version: int) -> None:
    """NewerStoreError for a schema that only a newer Luthier knows."""
    if version > len(MIGRATIONS):
        raise NewerStoreError(
            f"the store has schema {version}, this Luthier knows up to {len(MIGRATIONS)}; "
            "it was written by a newer Luthier: go on with that one, or upgrade this one. What "
            "runs say from here on lies in their own files, and comes in with luthier resume."
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> list[str]:
    """The statements one by one: executing a script would end the transaction."""
    found, rest = [], ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found
