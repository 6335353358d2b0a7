"""A warm process that forks one child per run.

`python -m luthier.executors.zygote FD TARGET [ARGUMENT …]`, arguments as of the script's own line.

It loads the user's script once, with torch and torch._dynamo if the script uses torch, and then
forks on request, so that a run starts in tens of milliseconds with its data already in memory. It
stays single-threaded: a fork of a process whose OpenMP threads have run hangs.

Messages are pickled tuples on a SEQPACKET socket. In: an assignment, with the run's end of its
control socket. Out: ("ready",) | ("broken", why, trace) | ("unsafe", why), then
("forked", run_id, pid) and ("exited", pid, status).
"""

import gc
import os
import pickle
import select
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from luthier.contracts import Assignment
from luthier.core.errors import LuthierError, StoreError
from luthier.worker.process import DISK_REFUSED, run_in_this_process
from luthier.worker.target import TrainFunction, function_of, load_target, take_arguments

MESSAGE_BYTES = 1 << 18
# threads that a fork may leave behind: jemalloc, which pyarrow and with it pandas load, takes its
# locks before a fork and goes without this one in the child
_FORKED_WITHOUT = ("jemalloc_bg_thd",)


def main(fd: int, target: str, arguments: list[str]) -> None:
    """Serve forks until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tuner = socket.socket(fileno=fd)
    take_arguments(target, arguments)
    try:
        function = function_of(load_target(target))
    except LuthierError as error:
        _tell(tuner, "broken", str(error.args[0]), getattr(error, "trace", ""))
        return
    if "torch" in sys.modules:
        import torch
        import torch._dynamo  # an optimizer's constructor would import it in every child

        torch.set_num_threads(1)
    if why := _unsafe():
        _tell(tuner, "unsafe", why)
        return
    gc.collect()
    gc.freeze()
    _tell(tuner, "ready")
    _serve(tuner, function)


def _serve(tuner: socket.socket, function: TrainFunction) -> None:
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([tuner, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            _reap(tuner)
        if tuner in ready:
            try:
                block, fds, _, _ = socket.recv_fds(tuner, MESSAGE_BYTES, 1)
            except ConnectionResetError:
                return
            if not block:
                return
            assignment: Assignment = pickle.loads(block)
            pid = os.fork()
            if pid == 0:
                _become_run(assignment, fds[0], function, (tuner, woken, wake))
            os.close(fds[0])
            _tell(tuner, "forked", assignment.run.id, pid)


def _become_run(
    assignment: Assignment, fd: int, function: TrainFunction, inherited: tuple[socket.socket, ...]
) -> NoReturn:
    status = 70
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for connection in inherited:
            connection.close()
        run_in_this_process(function, assignment, socket.socket(fileno=fd))
        status = 0
    except StoreError:  # the disk takes nothing: the exit code is all that can still be said
        status = DISK_REFUSED
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # the zygote's exit handlers are not the run's


def _reap(tuner: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(tuner, "exited", pid, os.waitstatus_to_exitcode(status))


def _tell(tuner: socket.socket, *message: Any) -> None:  # noqa: ANN401
    try:
        tuner.send(pickle.dumps(message)[:MESSAGE_BYTES])
    except OSError:
        sys.exit(0)  # the tuner is gone; the runs notice by themselves


def _unsafe() -> str:
    """Why forking would not be safe; empty when it is."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "CUDA was initialised while the script was imported"
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return ""
    threads = [(task / "comm").read_text().strip() for task in tasks.iterdir()]
    threads = [name for name in threads if name not in _FORKED_WITHOUT]
    if len(threads) > 1:
        names = ", ".join(sorted(set(threads)))
        return f"{len(threads)} threads ({names}) run after the script was imported"
    return ""


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
