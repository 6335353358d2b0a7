"""Studies as they lie in an Optuna storage; a file is copied first and never written to."""

import json
import logging
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from luthier.core.errors import OptionError

_SQLITE = "sqlite:///"
_MAGIC = b"SQLite format 3\0"


@final
@dataclass(frozen=True, slots=True)
class Found:
    """One study of Optuna's: `trials` are its FrozenTrials, waiting ones included."""

    name: str
    directions: tuple[str, ...]  # "minimize", "maximize"
    metrics: tuple[str, ...]  # names, where the study has some
    attributes: Mapping[str, Any]
    trials: Sequence[Any]


def read_studies(place: str, name: str | None = None) -> list[Found]:
    """All studies of a URL, an SQLite file or a journal file; or the one of that name.

    OptionError says what was expected.
    """
    try:
        import optuna
    except ImportError as error:
        raise OptionError("studies of Optuna need it: pip install 'luthier[optuna]'.") from error
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Optuna finds unusual was asked of it before
            with _storage(place) as storage:
                return _studies(storage, place, name)
    finally:
        optuna.logging.set_verbosity(level)


def _studies(storage: Any, place: str, name: str | None) -> list[Found]:  # noqa: ANN401
    rows = storage.get_all_studies()
    chosen = [row for row in rows if name is None or row.study_name == name]
    if not chosen:
        wanted = f"study {name!r}" if name else "study"
        known = [row.study_name for row in rows]
        raise OptionError(f"{place} has no {wanted}; it has {known or 'none'}.")
    return [
        Found(
            row.study_name,
            tuple("maximize" if d.name == "MAXIMIZE" else "minimize" for d in row.directions),
            tuple(row.system_attrs.get("study:metric_names") or ()),
            dict(row.user_attrs),
            storage.get_all_trials(row._study_id, deepcopy=False),
        )
        for row in chosen
    ]


@contextmanager
def _storage(place: str) -> Iterator[Any]:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if "://" in place and not place.startswith(_SQLITE):
        yield _server(place)
        return
    path = Path(place.removeprefix(_SQLITE).partition("?")[0])
    if not path.is_file():
        raise OptionError(f"{path} is not there; expected a file or a URL of an Optuna storage.")
    with path.open("rb") as file, tempfile.TemporaryDirectory() as folder:
        head = file.read(len(_MAGIC))
        if head == _MAGIC:
            yield _copy_of(path, Path(folder) / "copy.db")
            return
        first = (head + file.readline()).partition(b"\n")[0]
        if not _is_journal(first):
            raise OptionError(f"{path} is neither an SQLite file nor a journal of Optuna's.")
        try:
            yield JournalStorage(JournalFileBackend(str(path)))
        except (ValueError, KeyError) as error:
            raise OptionError(f"{path} cannot be read as a journal: {error!r}.") from error


def _server(url: str) -> Any:  # noqa: ANN401
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return RDBStorage(url)
    except (ImportError, ValueError, RuntimeError, SQLAlchemyError) as error:
        raise OptionError(f"{_without_password(url)} cannot be opened: {error}.") from error


def _copy_of(path: Path, copy: Path) -> Any:  # noqa: ANN401
    """The storage in a copy, brought to today's schema there."""
    from optuna.storages import RDBStorage

    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(copy)) as new,
        ):
            names = {row[0] for row in old.execute("SELECT name FROM sqlite_master")}
            if not {"studies", "trials", "trial_params"} <= names:
                raise OptionError(f"{path} is an SQLite file, but holds no studies of Optuna.")
            old.backup(new)
    except sqlite3.Error as error:
        raise OptionError(f"{path} cannot be read: {error}.") from error
    try:
        return RDBStorage(f"{_SQLITE}{copy}")
    except RuntimeError:  # of an older Optuna
        storage = RDBStorage(f"{_SQLITE}{copy}", skip_compatibility_check=True)
        before = logging.root.manager.disable
        logging.disable(logging.INFO)  # a line for each migration
        try:
            storage.upgrade()
        finally:
            logging.disable(before)
        return storage


def _is_journal(line: bytes) -> bool:
    try:
        return "op_code" in json.loads(line)
    except (ValueError, TypeError):
        return False


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
