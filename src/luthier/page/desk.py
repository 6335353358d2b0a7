"""The store as the server reads it: one thread, one connection per study, shared by all viewers."""

import asyncio
import gc
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, final

from luthier.core.errors import LuthierError, StudyError
from luthier.page.book import Book
from luthier.page.problem import Problem
from luthier.page.rows import study_json
from luthier.stores.schema import EmptyStoreError
from luthier.stores.sqlite_file import list_studies

_N_OPEN = 6  # studies held in memory
T = TypeVar("T")


@final
class Desk:
    """Studies of one file, opened when they are asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._books: OrderedDict[str, Book] = OrderedDict()
        self._file = 0  # the number of the store's file on its disk
        self._told: dict[str, dict[str, Any]] = {}  # of studies that are not open
        self.watched: set[str] = set()  # studies that somebody listens to: they stay open

    async def ask(self, name: str, work: Callable[[Book], T], *, look: bool = True) -> T:
        """The answer of a study's book, from the reader's thread; a Problem when there is none."""

        def answer() -> T:
            book = self._book(name)
            if look:
                book.look()
            return work(book)

        return await asyncio.get_running_loop().run_in_executor(self._thread, answer)

    async def studies(self) -> list[dict[str, Any]]:
        """All studies, the newest first."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._studies)

    async def close(self) -> None:
        """Let go of all files."""

        def close() -> None:
            for book in self._books.values():
                book.close()
            self._books.clear()

        await asyncio.get_running_loop().run_in_executor(self._thread, close)
        self._thread.shutdown()

    def _book(self, name: str) -> Book:
        self._check_file()
        if name not in self._books:
            if not self.path.exists():
                raise Problem(404, f"no store at {self.path.name} yet")
            gc.disable()  # what is read stays: to search it for garbage again and again is in vain
            try:
                book = Book(self.path, name)
            except StudyError as error:
                raise Problem(404, Exception.__str__(error), code=error.code) from error
            finally:
                gc.enable()
            gc.freeze()
            book.created_s = next(
                row["created_s"] for row in list_studies(self.path) if row["name"] == name
            )
            self._books[name] = book
            for other in [*self._books]:
                if len(self._books) > _N_OPEN and other != name and other not in self.watched:
                    self._books.pop(other).close()
        self._books.move_to_end(name)
        return self._books[name]

    def _check_file(self) -> None:
        """A store that was deleted, or replaced by another, is forgotten."""
        number = self.path.stat().st_ino if self.path.exists() else 0
        if number != self._file:
            self._file = number
            self._told.clear()
            while self._books:
                self._books.popitem()[1].close()

    def _studies(self) -> list[dict[str, Any]]:
        self._check_file()
        if not self.path.exists():
            return []
        try:
            listed = list_studies(self.path)
        except EmptyStoreError:  # it is being made
            return []
        found = []
        for row in listed:
            name = row["name"]
            told = self._told.get(name)
            if name in self._books:
                book = self._books[name]
                book.look()
                told = study_json(book)
            elif told is None or told["revision"] != row["revision"] or told["tuning"]:
                told = study_json(self._book(name))
            self._told[name] = told
            found.append(told)
        return found


def problem_of(error: Exception) -> Problem | None:
    """What a failure means to whoever asked; None for one that is our own."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, StudyError):
        return Problem(404, Exception.__str__(error), code=error.code)
    if isinstance(error, LuthierError):
        return Problem(422, Exception.__str__(error), code=error.code,
                       hint=f"luthier explain {error.code}")  # fmt: skip
    if isinstance(error, sqlite3.Error):
        return Problem(503, f"the store cannot be read: {error}", hint="it is tried again")
    return None
