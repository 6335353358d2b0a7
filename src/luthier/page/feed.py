"""A study's changes as server-sent events: told once, heard by all who listen."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, final

from luthier.core.errors import LuthierError
from luthier.page.book import Book
from luthier.page.curves import news_json
from luthier.page.desk import Desk
from luthier.page.details import entry_json
from luthier.page.plain import dumps
from luthier.page.problem import Problem
from luthier.page.rows import row_json, study_json

_POLL_S, _TELL_S, _PING_S = 0.25, 0.5, 15.0
_N_LOG = 240  # messages that a listener may have missed
_N_QUEUED = 60  # messages that a slow listener may be behind
_N_ROWS = 500  # in one message; beyond them everything is fetched anew is cheaper
RESET = b"event: reset\ndata: {}\n\n"
Message = tuple[int, bytes]


@final
class Feed:
    """One study's listeners, and the task that looks for them."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk = desk
        self._name = name
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._log: deque[Message] = deque(maxlen=_N_LOG)
        self._task: asyncio.Task[None] | None = None
        self._summary: dict[str, Any] = {}
        self._book: Book | None = None

    async def listen(self, last_id: str | None) -> AsyncIterator[bytes]:
        """Messages from here on, and those since `last_id`; a reset where they are not known."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_N_QUEUED)
        revision = await self._desk.ask(self._name, lambda book: book.revision)
        yield b"retry: 1000\n\n"
        for message in self._missed(last_id, revision):
            yield message
        self._queues.add(queue)
        self._desk.watched.add(self._name)
        if self._task is None:
            self._task = asyncio.create_task(self._watch())
        try:
            while True:
                try:
                    message_or_end = await asyncio.wait_for(queue.get(), _PING_S)
                except TimeoutError:
                    message_or_end = b": ping\n\n"
                if message_or_end is None:
                    return
                yield message_or_end
        finally:
            self._queues.discard(queue)
            if not self._queues and self._task is not None:
                self._task.cancel()
                self._task = self._book = None
                self._log.clear()
                self._desk.watched.discard(self._name)

    def end(self) -> None:
        """Let all listeners go: the server is about to."""
        for queue in self._queues:
            _clear(queue)
            queue.put_nowait(None)

    def _missed(self, last_id: str | None, revision: int) -> list[bytes]:
        if not last_id:
            return []
        ids = [str(number) for number, _ in self._log]
        if last_id in ids:
            newest = len(ids) - 1 - ids[::-1].index(last_id)
            return [message for _, message in [*self._log][newest + 1 :]]
        return [] if last_id == str(revision) and not self._log else [RESET]

    async def _watch(self) -> None:
        """Look while somebody listens; the log is of no use after a pause."""
        self._log.clear()
        self._book = None
        await self._desk.ask(self._name, Book.news)
        told_s = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_POLL_S)
            try:
                await self._desk.ask(self._name, Book.look, look=False)
                if loop.time() - told_s < _TELL_S:
                    continue
                message = await self._desk.ask(self._name, self._tell, look=False)
            except (LuthierError, Problem, sqlite3.Error, OSError):
                continue  # the file may be away for a while; listeners wait
            if message is not None:
                told_s = loop.time()
                self._log.append(message)
                self._send(message[1])

    def _tell(self, book: Book) -> Message | None:
        """On the reader's thread: what is new, as one message."""
        news, summary = book.news(), study_json(book)
        if book is not self._book:  # read anew: what was told before may be another file's
            fresh, self._book = self._book is None, book
            if not fresh:
                return book.revision, b"id: %d\n" % book.revision + RESET
        if not news.runs and not news.entries and summary == self._summary:
            return None
        self._summary = summary
        if len(news.runs) > _N_ROWS:
            return book.revision, b"id: %d\n" % book.revision + RESET
        body = {
            "revision": book.revision,
            "study": summary,
            "rows": [row_json(book, book.view.runs[run_id]) for run_id in news.runs],
            "curves": news_json(book, news),
            "entries": [entry_json(book.entries[number]) for number in news.entries],
        }
        return book.revision, b"event: change\nid: %d\ndata: %s\n\n" % (book.revision, dumps(body))

    def _send(self, message: bytes) -> None:
        for queue in self._queues:
            if queue.full():  # too slow: it starts again from nothing
                _clear(queue)
                queue.put_nowait(RESET)
            else:
                queue.put_nowait(message)


def _clear(queue: asyncio.Queue[bytes | None]) -> None:
    while not queue.empty():
        queue.get_nowait()
