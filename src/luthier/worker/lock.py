"""One process at a time: a locked file that holds the owner's process id.

The lock belongs to the open file, so it goes with the process, however that dies.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import final

_N_TRIES, _PAUSE_S = 5, 0.01  # `owner` holds it for some microseconds


@final
class ProcessLock:
    """An exclusive lock on a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; waits no longer than someone who looks may hold it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        for _ in range(_N_TRIES):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(_PAUSE_S)
        else:
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._fd = fd
        return True

    def release(self) -> None:
        """Let go of it."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def owner(self) -> int | None:
        """Process id of whoever holds the lock; None when it is free."""
        if not self.path.exists():
            return None
        probe = ProcessLock(self.path)
        text = self.path.read_text()
        if probe._try_shared():
            return None
        return int(text) if text.isdigit() else None

    def _try_shared(self) -> bool:
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True
