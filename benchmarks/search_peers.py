"""Peers in processes of their own: one job in, one line out; a crash or a time-out ends one job."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from search_jobs import Job
from search_venvs import VENVS

SCRIPTS = Path(__file__).parent / "peers"
Emit = Callable[[dict[str, Any]], None]


class Peer:
    """The process of a searcher; begun when a job needs it, and anew after it died."""

    def __init__(self, command: Sequence[str], log: IO[str]) -> None:
        self._command = list(command)
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def run(self, job: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """The line of results; one with `failed` when the process died or took too long."""
        process = self._started()
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(timeout_s, stop)
        timer.start()
        text = ""
        try:
            if process.stdin and process.stdout:
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
                text = process.stdout.readline()
        except BrokenPipeError:
            pass  # it died before it read the job
        finally:
            timer.cancel()
        if text.endswith("\n"):
            line: dict[str, Any] = json.loads(text)
            return line
        process.kill()
        process.communicate()
        self._process, code = None, process.returncode
        why = f"over {timeout_s:g} s" if late.is_set() else f"the process ended with {code}"
        return {"failed": why}

    def kill(self) -> None:
        """End the process now; the job under way fails."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the process when it has nothing more to do."""
        if self._process is not None:
            if self._process.stdin:
                self._process.stdin.close()
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
                text=True, start_new_session=True,  # an interrupt is for us: see `run_peers`
            )  # fmt: skip
        return self._process


def run_peers(
    python: Path, venv: str, jobs: Sequence[Job], files: Mapping[str, Path], log: Path,
    n_processes: int, timeout_s: float, emit: Emit,
) -> None:  # fmt: skip
    """All jobs of one environment, in `n_processes` at a time; `emit` gets every line."""
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    stopped = threading.Event()

    def work(peer: Peer) -> None:
        while not stopped.is_set():
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                break
            told = {**job.as_line(), "file": str(files[job.task])}
            line = {**job.as_line(), **peer.run(told, timeout_s)}
            if stopped.is_set():
                break  # what was interrupted has not failed
            if "failed" in line:
                print(f"\nFAILED {job.key}: {line['failed']} ({log})", file=sys.stderr)
            emit(line)
        peer.close()

    with log.open("a") as errors:
        command = [str(python), str(SCRIPTS / VENVS[venv].script)]
        peers = [Peer(command, errors) for _ in range(min(n_processes, len(jobs)))]
        threads = [threading.Thread(target=work, args=(peer,)) for peer in peers]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            stopped.set()
            for peer in peers:
                peer.kill()
            raise
