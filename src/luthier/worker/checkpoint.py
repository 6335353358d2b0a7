"""Checkpoints on the disk: written whole or not at all, and checked when read.

The training thread copies the state; a thread of its own writes it to a temporary file, flushes it
to the disk and renames it, and only then says so on the wire.
"""

import copy
import importlib
import os
import pickle
import sys
import threading
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, final

from luthier.core.errors import CheckpointError, StoreError
from luthier.core.study import Checkpoint

_FORMAT = 2
State = dict[str, Any]


@final
class CheckpointWriter:
    """Writes checkpoints of one run, one at a time."""

    def __init__(self, run_id: str, folder: Path, saved: Callable[[Checkpoint], None]) -> None:
        self._run_id = run_id
        self._folder = folder
        self._saved = saved
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    @property
    def busy(self) -> bool:
        """Whether a write is under way."""
        return self._thread is not None and self._thread.is_alive()

    def write(
        self, state: State, step: float, loss: float | None, *, wait: bool, kept: str = ""
    ) -> None:
        """Save a state; without `wait` in the background, for which it is copied first.

        An error of a background write is raised by the next call.
        """
        self.join()
        if wait:
            self._write(state, step, loss, kept)
            return
        state = _copy(state)
        self._thread = threading.Thread(
            target=self._write_aside, args=(state, step, loss, kept), name="luthier-checkpoint"
        )
        self._thread.start()

    def join(self) -> None:
        """Wait until nothing is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _write_aside(self, state: State, step: float, loss: float | None, kept: str) -> None:
        try:
            self._write(state, step, loss, kept)
        except Exception as error:
            self._error = error

    def _write(self, state: State, step: float, loss: float | None, kept: str) -> None:
        name = f"step-{step:012.6f}.ckpt"
        temporary = self._folder / f".{name}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                checked = _CheckedFile(file)
                _dump({"format": _FORMAT, "step": step, **state}, checked)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._folder / name)
            _sync_folder(self._folder)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StoreError(
                f"checkpoint {self._folder / name} could not be written: {error}; free the disk."
            ) from error
        self._saved(
            Checkpoint(self._run_id, step, name, checked.n_bytes, checked.crc32, loss, kept)
        )


def read_checkpoint(path: Path, expected: Checkpoint) -> State:
    """The state in a file; CheckpointError when it is missing or not what was written."""
    try:
        crc32 = 0
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                crc32 = zlib.crc32(block, crc32)
    except OSError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error}.") from error
    if crc32 != expected.crc32:
        raise CheckpointError(
            f"checkpoint {path} is damaged (checksum {crc32}, expected {expected.crc32})."
        )
    return load_state(path)


def load_state(path: Path) -> State:
    """The state in a file, unchecked."""
    with path.open("rb") as file:
        state: State = _load(file)
    if state.get("format") != _FORMAT:
        raise CheckpointError(
            f"checkpoint {path} has format {state.get('format')}, expected {_FORMAT}."
        )
    return state


def _dump(state: State, file: "_CheckedFile") -> None:
    if torch := sys.modules.get("torch"):
        torch.save(state, file)
    else:
        pickle.dump(state, file, protocol=pickle.HIGHEST_PROTOCOL)


def _load(file: IO[bytes]) -> State:
    first = file.read(2)
    file.seek(0)
    if first == b"PK":  # the zip that torch.save writes
        # our own file, checked above; it holds more than tensors
        torch = importlib.import_module("torch")
        loaded: State = torch.load(file, map_location="cpu", weights_only=False)
        return loaded
    plain: State = pickle.load(file)
    return plain


@final
class _CheckedFile:
    """Passes writes on and keeps count and checksum of them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.n_bytes = 0
        self.crc32 = 0

    def write(self, block: bytes) -> int:
        """Write and count."""
        self.crc32 = zlib.crc32(block, self.crc32)
        self.n_bytes += len(block)
        self._file.write(block)
        return len(block)

    def flush(self) -> None:
        """Pass on."""
        self._file.flush()


def _copy(value: Any) -> Any:  # noqa: ANN401  any state
    """A deep copy with tensors on the CPU, off the graph."""
    if (torch := sys.modules.get("torch")) and isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_copy(item) for item in value)
    if isinstance(value, int | float | str | bytes | bool | None):
        return value
    return copy.deepcopy(value)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
