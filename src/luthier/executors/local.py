"""A pool of processes on this machine: forked from a warm process, or fresh where that fails.

One thread per run by default: runs side by side gain more than threads inside of them. A run that
crashes, exits, hangs or takes too much memory ends alone.
"""

import contextlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import psutil

from luthier.contracts import Assignment
from luthier.core.action import Action
from luthier.core.errors import TrainingError, WorkerError
from luthier.core.event import Ended, Event
from luthier.core.space import Space
from luthier.core.study import RunState
from luthier.executors.gpus import shared_out
from luthier.executors.machine import n_threads_each
from luthier.executors.zygote import MESSAGE_BYTES
from luthier.worker.link import encode_order, order_of
from luthier.worker.process import DISK_REFUSED
from luthier.worker.target import arguments_of
from luthier.worker.wire import WireReader

POLL_S = 0.02  # how often the wires are read while runs train
_LINGER_S = 5.0  # a process may go on for so long after its run's end
_WATCH_S = 0.5  # how often memory and time are looked at
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(slots=True)
class _Worker:
    assignment: Assignment
    link: socket.socket
    reader: WireReader
    slot: int
    began_s: float
    pid: int | None = None
    process: subprocess.Popen[bytes] | None = None  # fresh processes only
    exit_code: int | None = None
    killed: tuple[str, str] | None = None  # reason code, words
    held: list[Event] = field(default_factory=list)  # its last words, until the process is gone
    said_end_s: float | None = None


@final
class LocalExecutor:
    """`n_workers` processes; limits in gigabytes of memory and seconds, per run."""

    def __init__(
        self,
        target: str,
        n_workers: int = 1,
        *,
        memory_gb: float | None = None,
        timeout_s: float | None = None,
        gpus: Sequence[str] = (),
        gpus_per_run: float | None = None,
        n_threads: int | None = None,
        fresh: bool = False,
        notice: Callable[[str], None] = lambda words: print(words, file=sys.stderr),
    ) -> None:
        self._target = target
        self._n_workers = n_workers
        self._memory_bytes = memory_gb * 2**30 if memory_gb else None
        self._timeout_s = timeout_s
        self._gpus = shared_out(gpus, n_workers, gpus_per_run)
        self._devices = (gpus, gpus_per_run)
        self._n_threads = n_threads
        self._notice = notice
        self._workers: dict[str, _Worker] = {}
        self._watched_s = 0.0
        self._zygote: subprocess.Popen[bytes] | None = None
        self._door: socket.socket | None = None
        self._ready = False
        self._fresh = fresh or not hasattr(os, "fork")
        if not self._fresh:
            self._open_zygote()

    @property
    def n_free(self) -> int:
        """Places without a run."""
        return max(0, self._n_workers - len(self._workers))

    def load(self) -> None:
        """Wait until the script is loaded, as the first start does; its errors are raised here."""
        self._await_zygote()

    def share_out(self, n_workers: int, n_threads: int | None = None) -> None:
        """Other places from now on; runs that train keep what they have."""
        self._gpus = shared_out(self._devices[0], n_workers, self._devices[1])
        self._n_workers, self._n_threads = n_workers, n_threads

    def memory_mb(self, run_id: str) -> tuple[float, float] | None:
        """Megabytes of a run now: all, and those that it shares with no other process."""
        worker = self._workers.get(run_id)
        if worker is None or worker.pid is None or worker.exit_code is not None:
            return None
        try:
            used = psutil.Process(worker.pid).memory_full_info()
        except psutil.Error:
            return None
        if not used.uss:  # it is on its way out
            return None
        return used.rss / 2**20, used.uss / 2**20

    def start(self, assignments: Sequence[Assignment]) -> None:
        """Fork a process per run; WorkerError when none can be started."""
        self._await_zygote()
        for assignment in assignments:
            assert self.n_free > 0, "started more runs than were free"
            self._start(assignment)

    def send(self, run_id: str, number: int, action: Action, **more: Any) -> None:  # noqa: ANN401
        """Pass an action on; lost without harm when the run has just ended."""
        if worker := self._workers.get(run_id):
            with contextlib.suppress(OSError):
                worker.link.sendall(encode_order(order_of(number, action, **more)))

    def events(self, timeout_s: float) -> Sequence[Event]:
        """Read the wires until something is there or the time is up."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            events = [event for run_id in list(self._workers) for event in self._read(run_id)]
            left_s = deadline_s - time.monotonic()
            if events or left_s <= 0 or not self._workers:
                return events
            self._wait(min(left_s, POLL_S))
            self._watch()

    def kill(self) -> None:
        """Kill every run; `events` then tells of their ends. Safe in a signal handler."""
        if self._zygote is not None and not self._ready and not self._fresh:
            self._zygote.kill()  # it is still loading the script
        for worker in self._workers.values():
            self._kill(worker, "killed", "the tuner was told to stop at once")

    def close(self) -> None:
        """Kill what still trains and let the zygote go."""
        self.kill()
        deadline_s = time.monotonic() + 5.0
        while self._workers and time.monotonic() < deadline_s:
            self.events(0.1)
        if self._door is not None:
            self._door.close()
            self._door = None
        if self._zygote is not None:
            try:
                self._zygote.wait(timeout=5.0)
            except subprocess.TimeoutExpired:
                self._zygote.kill()
                self._zygote.wait()
            self._zygote = None

    def _open_zygote(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "luthier.executors.zygote", str(theirs.fileno())]
        self._zygote = subprocess.Popen(
            [*command, self._target, *arguments_of(self._target)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # deaf to the terminal's Ctrl-C from its first moment
            env=_environment_of_workers(),
        )
        theirs.close()
        self._door = ours

    def _await_zygote(self) -> None:
        if self._ready or self._fresh or self._door is None:
            return
        block = self._door.recv(MESSAGE_BYTES)
        message = pickle.loads(block) if block else ("gone",)
        match message:
            case ("ready",):
                self._ready = True
                self._door.setblocking(False)
            case ("broken", why, trace):
                raise TrainingError(why, trace)
            case ("unsafe", why):
                self._fresh = True
                self._notice(
                    f"Runs start as fresh processes, about 2 s each: {why}, and such a process "
                    "cannot be forked. Move that work into the training function."
                )
            case _:
                code = self._zygote.wait() if self._zygote else None
                raise WorkerError(
                    f"the process that loads {self._target} ended with code {code} while loading; "
                    + ("it was told to." if code == -9 else "run the script alone to see why.")
                )

    def _start(self, assignment: Assignment) -> None:
        slot = min(set(range(self._n_workers)) - {w.slot for w in self._workers.values()})
        # the space may hold callables that no pickle takes, and the worker needs none of it
        assignment = replace(
            assignment,
            study=replace(assignment.study, space=Space({})),
            run=replace(assignment.run, checkpoints=()),
            environment=self._environment(slot),
        )
        ours, theirs = socket.socketpair()
        reader = WireReader(assignment.run.id, assignment.paths.wire, assignment.run.heard)
        worker = _Worker(assignment, ours, reader, slot, time.monotonic())
        self._workers[assignment.run.id] = worker
        message = pickle.dumps(assignment)
        if self._fresh or len(message) > MESSAGE_BYTES // 2:
            worker.process = self._spawn(theirs, message)
            worker.pid = worker.process.pid
        else:
            assert self._door is not None
            try:
                self._door.setblocking(True)
                socket.send_fds(self._door, [message], [theirs.fileno()])
            except OSError as error:
                raise WorkerError(
                    f"the process that starts runs is gone ({error}); run luthier resume."
                ) from error
            finally:
                self._door.setblocking(False)
        theirs.close()

    def _spawn(self, theirs: socket.socket, message: bytes) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "luthier.worker.process", str(theirs.fileno())]
        process = subprocess.Popen(
            [*command, self._target, *arguments_of(self._target)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,
            start_new_session=True,
            env=_environment_of_workers(),
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(message)
            process.stdin.close()
        return process

    def _environment(self, slot: int) -> dict[str, str]:
        n_threads = self._n_threads or n_threads_each(self._n_workers)
        found = dict.fromkeys(_THREAD_VARIABLES, str(n_threads))
        if self._gpus:
            found["CUDA_VISIBLE_DEVICES"] = self._gpus[slot]
        return found

    def _wait(self, timeout_s: float) -> None:
        doors = [] if self._door is None or self._fresh else [self._door]
        links = [worker.link for worker in self._workers.values() if worker.exit_code is None]
        ready, _, _ = select.select([*doors, *links], [], [], timeout_s)
        for link in ready:
            if link is not self._door and not _rang(link):
                time.sleep(0.001)  # closed: the exit code is on its way
        self._hear_zygote()

    def _hear_zygote(self) -> None:
        for message in self._messages():
            match message:
                case ("forked", run_id, pid) if run_id in self._workers:
                    self._workers[run_id].pid = pid
                case ("exited", pid, code):
                    for worker in self._workers.values():
                        if worker.pid == pid:
                            worker.exit_code = code
        for worker in self._workers.values():
            if worker.process is not None and (code := worker.process.poll()) is not None:
                worker.exit_code = code

    def _messages(self) -> Iterator[tuple[Any, ...]]:
        while self._door is not None and self._ready:
            try:
                block = self._door.recv(MESSAGE_BYTES)
            except BlockingIOError:
                return
            if not block:
                self._ready = False
                for worker in self._workers.values():
                    if worker.process is None and worker.exit_code is None:
                        self._kill(worker, "zygote-lost", "the process that forks runs died")
                        worker.exit_code = -9
                self._fresh = True
                return
            yield pickle.loads(block)

    def _read(self, run_id: str) -> list[Event]:
        worker = self._workers[run_id]
        gone = worker.exit_code is not None  # looked at first: what it said is then complete
        events = worker.held + worker.reader.read()
        worker.held = []
        if not gone and any(isinstance(event, Ended) for event in events):
            # the place is free only when the process is: what it said last waits for that
            worker.held = events
            if worker.said_end_s is None:
                worker.said_end_s = time.monotonic()
            elif time.monotonic() - worker.said_end_s > _LINGER_S:  # threads of the user's
                self._kill(worker, "", "")
            return []
        if gone:
            worker.reader.close()
            worker.link.close()
            del self._workers[run_id]
            if worker.pid is not None:
                _end_group(worker.pid)
            if not any(isinstance(event, Ended) for event in events):
                events.append(self._end_of(worker))
        return events

    def _end_of(self, worker: _Worker) -> Ended:
        run_id, code = worker.assignment.run.id, worker.exit_code
        if worker.killed is not None:
            reason, words = worker.killed
            state = RunState.LOST if reason in ("killed", "zygote-lost") else RunState.FAILED
            return Ended(run_id, state, None, None, reason, words)
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            words = f"killed by {name}" + (
                "; the system may have been out of memory" if code == -9 else ""
            )
            return Ended(run_id, RunState.LOST, None, None, "killed", words)
        if code == DISK_REFUSED:
            words = f"{worker.assignment.paths.root} takes no more; free the disk. [E301]"
            return Ended(run_id, RunState.LOST, None, None, "disk-full", words)
        tail = _tail(worker.assignment.paths.stderr)
        return Ended(run_id, RunState.LOST, None, None, "exited", f"exit code {code}\n{tail}")

    def _watch(self) -> None:
        now_s = time.monotonic()
        if now_s - self._watched_s < _WATCH_S:
            return
        self._watched_s = now_s
        for worker in self._workers.values():
            if self._timeout_s is not None and now_s - worker.began_s > self._timeout_s:
                self._kill(worker, "timeout", f"trained longer than {self._timeout_s:g} s")
            elif self._memory_bytes is not None and worker.pid is not None:
                used = _memory_bytes(worker.pid)
                if used > self._memory_bytes:
                    words = f"used {used / 2**30:.2f} GB, limit {self._memory_bytes / 2**30:.2f} GB"
                    self._kill(worker, "memory-limit", words)

    def _kill(self, worker: _Worker, reason: str, words: str) -> None:
        if reason and worker.killed is None:
            worker.killed = (reason, words)
        if worker.pid is not None and worker.exit_code is None:
            with contextlib.suppress(OSError):
                if os.getpgid(worker.pid) == worker.pid:
                    os.killpg(worker.pid, signal.SIGKILL)
                else:
                    os.kill(worker.pid, signal.SIGKILL)


def _environment_of_workers() -> dict[str, str]:
    """One thread until a run says otherwise, and modules found where this process finds them."""
    path = os.pathsep.join(filter(None, sys.path))
    threads = dict.fromkeys(_THREAD_VARIABLES, "1")
    return {**os.environ, **threads, "LUTHIER_WORKER": "1", "PYTHONPATH": path}


def _memory_bytes(pid: int) -> int:
    """Resident memory of a process and its children, shared pages counted once per process."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(int(member.memory_info().rss) for member in family)
    except psutil.Error:
        return 0


def _rang(link: socket.socket) -> bool:
    """Take what a run has rung with; False when its end is closed, orders unread or not."""
    try:
        return bool(link.recv(4096))
    except ConnectionResetError:
        return False


def _end_group(pid: int) -> None:
    """Kill what a run that has ended left behind in its process group: helpers of the user's."""
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def _tail(path: Path, n_lines: int = 20) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-n_lines:])
    except OSError:
        return ""
