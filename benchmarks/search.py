"""Searchers side by side on tables of stored learning curves: regret, ranks, significance.

    python benchmarks/search.py --tables DIR [--tables DIR …] --out RESULTS.jsonl [options]
    python benchmarks/search.py --out RESULTS.jsonl --report [--write docs/benchmarks.md]

DIR holds `meta.json` and npz files (docs/tables.md). Every search appends one line to the file;
what is there already is not run again, so the benchmark can be stopped and started at will.
Luthier's policies go through `luthier.simulation`; every peer runs in an environment of its own
(`search_venvs.py`, made when first needed) and through its own interface, by the rules that are
written down in `peers/pool.py` and in the peer's file. A peer that cannot be installed, or a search
that breaks or takes too long, is told on standard error and in the report, and is tried again with
`--retry` only. The report in Markdown goes to standard output, or into a page.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from search_jobs import KEYS, OURS, PEERS, Job, export, jobs, run
from search_peers import run_peers
from search_report import report, write
from search_venvs import SLOW, VENVS, ready

from luthier.registry import POLICIES

ROOT = Path(__file__).parents[1]


def read(path: Path) -> list[dict[str, Any]]:
    """The last line written for each search; a torn last line is left out."""
    lines: dict[tuple[object, ...], dict[str, Any]] = {}
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        lines[tuple(line[k] for k in KEYS)] = line
    return list(lines.values())


class Output:
    """The file of results, written to by several threads."""

    def __init__(self, path: Path, n_missing: int) -> None:
        torn = path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n")
        self._file = path.open("a")
        if torn:
            self._file.write("\n")
        self._lock = threading.Lock()
        self._n_missing = n_missing
        self._n_done = 0

    def close(self) -> None:
        """No more lines."""
        self._file.close()

    def emit(self, line: dict[str, Any]) -> None:
        """Append a line."""
        with self._lock:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            self._n_done += 1
            print(f"\r{self._n_done} of {self._n_missing}", end="", file=sys.stderr)


def run_all(missing: Sequence[Job], options: argparse.Namespace, output: Output) -> None:
    """Seed by seed, ours and then each environment, so that an unfinished file is balanced."""
    venvs = Path(options.venvs)
    broken: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in sorted({job.seed for job in missing}):
            now = [job for job in missing if job.seed == seed]
            run_ours([job for job in now if job.policy not in PEERS], options.jobs, output.emit)
            for name, venv in VENVS.items():
                own = [job for job in now if job.policy in venv.policies]
                if not own:
                    continue
                try:
                    python = ready(name, venvs) if name not in broken else Path()
                except OSError as error:
                    broken[name] = f"not installed: {error}"
                    print(f"\n{name} LEFT OUT: {error}", file=sys.stderr)
                if name in broken:
                    for job in own:
                        output.emit({**job.as_line(), "failed": broken[name]})
                    continue
                files = export(own, Path(folder))
                run_peers(python, name, own, files, venvs / f"{name}.log", options.jobs,
                          options.per_job_timeout, output.emit)  # fmt: skip


def run_ours(own: Sequence[Job], n_processes: int, emit: Callable[[dict[str, Any]], None]) -> None:
    """Luthier's policies in a pool of processes."""
    if own:
        with get_context("spawn").Pool(n_processes) as pool:
            for line in pool.imap_unordered(run, own):
                emit(line)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", action="append", default=[], help="folder of tables")
    parser.add_argument("--out", required=True, help="file of JSON lines to append to")
    parser.add_argument("--policies", nargs="+", default=[*OURS, *PEERS],
                        choices=sorted({*OURS, *PEERS, *POLICIES}), metavar="NAME")  # fmt: skip
    parser.add_argument("--budgets", nargs="+", type=float, default=[5.0, 20.0, 50.0])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--slow-seeds", type=int, default=5, help=f"of {', '.join(SLOW)}")
    parser.add_argument("--every", type=int, default=1, help="take every n-th task only")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--per-job-timeout", type=float, default=3600.0, help="seconds, for peers")
    parser.add_argument("--retry", action="store_true", help="also what failed before")
    parser.add_argument("--venvs", default=str(ROOT / ".venv-peers"), help="peers' environments")
    parser.add_argument("--report", action="store_true", help="only report what is in the file")
    parser.add_argument("--write", help="page with marks between which the report goes")
    return parser.parse_args()


def main() -> None:
    """Run what is missing, then report."""
    options = parse()
    path = Path(options.out)
    if not options.report:
        known = {tuple(line[k] for k in KEYS) for line in read(path)
                 if not (options.retry and "failed" in line)}  # fmt: skip
        asked = jobs(options.tables, options.policies, options.budgets, options.workers,
                     options.seeds, options.slow_seeds, options.every)  # fmt: skip
        missing = [job for job in asked if job.key not in known]
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")  # the processes begin after this
        with closing(Output(path, len(missing))) as output:
            run_all(missing, options, output)
        print(file=sys.stderr)
    text = report(read(path))
    if options.write:
        write(Path(options.write), text)
    else:
        print(text)


if __name__ == "__main__":
    main()
