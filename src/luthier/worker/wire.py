"""What a worker says: an append-only file per run, one JSON array a line.

A line that was written survives a `kill -9` of worker and tuner alike, and writing it waits for
nobody. The tuner reads what is new; after a crash the next tuner reads on where the last one
stopped.
"""

import json
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, final

import numpy as np

from luthier.core.domain import values_from_json
from luthier.core.errors import StoreError
from luthier.core.event import (
    Dropped,
    Ended,
    Event,
    Heard,
    Noted,
    Obeyed,
    Refused,
    Reported,
    RolledBack,
    Saved,
    Started,
)
from luthier.core.study import Checkpoint, RunState

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
REPORT = "r"
_READ_AT_ONCE = 1 << 20


@final
class WireWriter:
    """Appends lines; each is one system call, so lines of several threads do not mix."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if torn_line(path):
            os.write(self._fd, b"\n")

    def say(self, *parts: object) -> None:
        """Append one line; StoreError when the disk does not take it."""
        line = (_encode(parts) + "\n").encode()
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            raise StoreError(f"writing to {self._path} failed: {error}; free the disk.") from error
        if written < len(line):
            raise StoreError(f"{self._path} took only part of a line; the disk is full.")

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def torn_line(path: Path) -> bool:
    """Whether the file ends in the middle of a line, as a power failure may leave it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return False
        file.seek(size - 1)
        return file.read(1) != b"\n"


@final
class WireReader:
    """Reads what a run has said since `n_bytes`; keeps its place between calls."""

    def __init__(self, run_id: str, path: Path, n_bytes: int = 0) -> None:
        self.run_id = run_id
        self.n_bytes = n_bytes
        self._path = path
        self._fd: int | None = None

    def read(self) -> list[Event]:
        """The new events in order, ended by `Heard`; empty when nothing is new."""
        events: list[Event] = []
        while True:
            lines, more = self._lines()
            events += _events(self.run_id, lines)
            # a run that is just writing has always a few lines more: those are for the next call
            if not more:
                return [*events, Heard(self.run_id, self.n_bytes)] if events else []

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _lines(self) -> tuple[list[bytes], bool]:
        """Whole lines of the next block, and whether the block was full."""
        if self._fd is None:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return [], False
        size = _READ_AT_ONCE
        while True:
            block = os.pread(self._fd, size, self.n_bytes)
            end = block.rfind(b"\n") + 1
            if end or len(block) < size:
                break
            size *= 2  # one line longer than the block
        self.n_bytes += end
        return block[:end].splitlines(), len(block) == size


def _events(run_id: str, lines: list[bytes]) -> Iterator[Event]:
    for (kind, names), group in groupby(_parse(lines), key=_kind):
        if kind == REPORT:
            rows = [(step, time_s, *values.values()) for _, step, time_s, values in group]
            yield Reported(run_id, names, np.array(rows, dtype=np.float64))
        else:
            for line in group:
                yield _event(run_id, line)


def _parse(lines: list[bytes]) -> list[Any]:
    try:
        parsed: list[Any] = json.loads(b"[" + b",".join(lines) + b"]")
        return parsed
    except ValueError:  # a torn line among them
        return [parsed for line in lines if (parsed := _parse_line(line))]


def _parse_line(line: bytes) -> Any:  # noqa: ANN401  JSON
    try:
        return json.loads(line)
    except ValueError:
        return None


def _kind(line: list[Any]) -> tuple[str, tuple[str, ...]]:
    return (REPORT, tuple(line[3])) if line[0] == REPORT else (line[0], ())


def _event(run_id: str, line: list[Any]) -> Event:
    match line:
        case ["started", step, pausable, read_back, *train_s]:  # not in wires of older versions
            return Started(run_id, step, pausable, read_back, *train_s)
        case ["saved", step, file, n_bytes, crc32, loss, kept]:
            return Saved(run_id, Checkpoint(run_id, step, file, n_bytes, crc32, loss, kept))
        case ["dropped", step, reason]:
            return Dropped(run_id, step, reason)
        case ["obeyed", number, step, read_back, params, before]:
            return Obeyed(run_id, number, step, read_back, values_from_json(params), before)
        case ["noted", number, words]:
            return Noted(run_id, number, words)
        case ["refused", number, why]:
            return Refused(number, why)
        case ["back", step]:
            return RolledBack(run_id, step)
        case ["end", state, step, train_s, reason, error]:
            return Ended(run_id, RunState(state), step, train_s, reason, error)
    raise StoreError(f"run {run_id} says {line!r}, which this Luthier does not understand.")
