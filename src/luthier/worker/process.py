"""A process of its own for one run.

`python -m luthier.worker.process FD TARGET [ARGUMENT …] < assignment`, arguments as the script's.

The fork server calls `run_in_this_process` in its children; the module itself is the slow way,
for code that cannot be forked.
"""

import os
import pickle
import signal
import socket
import sys

from luthier.contracts import Assignment
from luthier.core.errors import StoreError
from luthier.worker.link import SocketLink
from luthier.worker.lock import ProcessLock
from luthier.worker.target import TrainFunction, function_of, load_target, take_arguments
from luthier.worker.train import train

DISK_REFUSED = 74  # exit code: what the run said could not be written (EX_IOERR of sysexits.h)


def run_in_this_process(
    function: TrainFunction, assignment: Assignment, connection: socket.socket
) -> None:
    """Train with output in the run's files, deaf to Ctrl-C, in a process group of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the tuner says what is to be done
    if os.getpid() != os.getpgrp():
        os.setpgid(0, 0)  # so that the run and the helpers it starts can be killed together
    paths = assignment.paths
    paths.root.mkdir(parents=True, exist_ok=True)
    lock = ProcessLock(paths.lock)
    if not lock.acquire():
        sys.exit(f"run {assignment.run.id} is trained by another process ({lock.owner()})")
    for fd, path in ((1, paths.stdout), (2, paths.stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, fd)
        os.close(file)
    os.environ.update(assignment.environment)
    n_threads = int(assignment.environment.get("OMP_NUM_THREADS", "1"))
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(n_threads)
    train(function, assignment, SocketLink(connection))


def main(fd: int, target: str, arguments: list[str]) -> None:
    """Load the target and train the assignment that comes on standard input."""
    assignment: Assignment = pickle.load(sys.stdin.buffer)
    os.environ.update(assignment.environment)
    take_arguments(target, arguments)
    function = function_of(load_target(target))
    try:
        run_in_this_process(function, assignment, socket.socket(fileno=fd))
    except StoreError:
        sys.exit(DISK_REFUSED)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
