"""What the store takes and gives, side by side with Optuna's storages in the same run.

1. Curve points per second from 8 reporting processes through wires into SQLite, until the last is
   committed; Optuna: 8 processes calling `trial.report` on one storage.
2. Seconds to open a store of 10,000 trials x 100 steps x 4 metrics for a summary.
3. Microseconds of one `report()` in the worker.

    python benchmarks/store.py
"""

import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna

from luthier.api import open_study
from luthier.contracts import Assignment
from luthier.core.domain import Float
from luthier.core.event import Ended, Proposed, Reported
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, Trial
from luthier.stores.sqlite import SqliteStore
from luthier.worker.run import LiveRun
from luthier.worker.wire import WireReader, WireWriter

N_PROCESSES, N_REPORTS, N_METRICS = 8, 20_000, 4
N_OPTUNA_REPORTS = 60
STUDY = Study("bench", make_space({"lr": Float(0, 1)}), "m0", max_steps=100)
METRICS = tuple(f"m{i}" for i in range(N_METRICS))
optuna.logging.set_verbosity(optuna.logging.ERROR)


def reporter(root: Path, number: int, gate: object) -> None:
    """Report as fast as it goes."""
    store_paths = SqliteStore.open(root / "s.db").paths
    run = Run(f"{number}.0", number, {"lr": 0.5}, 1e9)
    paths = store_paths.run(run.id)
    live = LiveRun(Assignment(STUDY, run, None, 0, paths), wire=WireWriter(paths.wire))
    gate.wait()  # type: ignore[attr-defined]
    for step in range(N_REPORTS):
        live.report(m0=1.0 / (step + 1), m1=0.25, m2=float(step), m3=1e-3 * step)


def luthier_writes(root: Path) -> float:
    """Points per second, all committed."""
    store = SqliteStore.create(root / "s.db", STUDY, {})
    gate = multiprocessing.Barrier(N_PROCESSES + 1)
    processes = []
    for number in range(N_PROCESSES):
        run = Run(f"{number}.0", number, {"lr": 0.5}, 1e9)
        store.record([Proposed(run, Trial(number, run.params))])
        processes.append(multiprocessing.Process(target=reporter, args=(root, number, gate)))
    readers = [WireReader(f"{n}.0", store.paths.run(f"{n}.0").wire) for n in range(N_PROCESSES)]
    for process in processes:
        process.start()
    gate.wait()
    began_s = time.perf_counter()
    n_points = 0
    while n_points < N_PROCESSES * N_REPORTS * N_METRICS:
        events = [event for reader in readers for event in reader.read()]
        store.record(events)
        n_points += sum(e.rows.shape[0] * N_METRICS for e in events if isinstance(e, Reported))
        time.sleep(0.02)
    took_s = time.perf_counter() - began_s
    for process in processes:
        process.join()
    store.close()
    return n_points / took_s


def optuna_reporter(url: str, gate: object) -> None:
    """Report to an Optuna storage."""
    study = optuna.load_study(study_name="b", storage=optuna_storage(url))
    trial = study.ask()
    gate.wait()  # type: ignore[attr-defined]
    for step in range(N_OPTUNA_REPORTS):
        trial.report(1.0 / (step + 1), step)
    gate.wait()  # type: ignore[attr-defined]


def optuna_storage(url: str) -> object:
    """SQLite by URL, Journal by file name."""
    if url.startswith("sqlite"):
        return optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})
    backend = optuna.storages.journal.JournalFileBackend(url)
    return optuna.storages.JournalStorage(backend)


def optuna_writes(url: str) -> float:
    """Points per second; an Optuna report is one point."""
    optuna.create_study(study_name="b", storage=optuna_storage(url))
    gate = multiprocessing.Barrier(N_PROCESSES + 1)
    processes = [
        multiprocessing.Process(target=optuna_reporter, args=(url, gate))
        for _ in range(N_PROCESSES)
    ]
    for process in processes:
        process.start()
    gate.wait()
    began_s = time.perf_counter()
    gate.wait()
    took_s = time.perf_counter() - began_s
    for process in processes:
        process.join()
    return N_PROCESSES * N_OPTUNA_REPORTS / took_s


def opening(root: Path, n_trials: int = 10_000, n_steps: int = 100) -> float:
    """Seconds to open and know every trial's state and best value."""
    store = SqliteStore.create(root / "big.db", STUDY, {})
    rng = np.random.default_rng(0)
    steps = np.arange(1.0, n_steps + 1)
    for first in range(0, n_trials, 500):
        events: list[object] = []
        for n in range(first, first + 500):
            run = Run(f"{n}.0", n, {"lr": n / n_trials}, n_steps)
            rows = np.column_stack([steps, steps, rng.random((n_steps, N_METRICS))])
            events += [
                Proposed(run, Trial(n, run.params)),
                Reported(run.id, METRICS, rows),
                Ended(run.id, RunState.COMPLETED, n_steps, 1.0, "done"),
            ]
        store.record(events)  # type: ignore[arg-type]
    store.close()
    began_s = time.perf_counter()
    result = open_study(root / "big.db")
    assert len(result.view.runs) == n_trials
    assert result.best.value >= 0
    return time.perf_counter() - began_s


def report_us(root: Path, n: int = 20_000) -> float:
    """Median microseconds of one report of 4 metrics."""
    run = Run("0.0", 0, {"lr": 0.5}, 1e9)
    paths = SqliteStore.open(root / "s.db").paths.run("alone")
    live = LiveRun(Assignment(STUDY, run, None, 0, paths), wire=WireWriter(paths.wire))
    took = []
    for step in range(n):
        began = time.perf_counter_ns()
        live.report(m0=1.0 / (step + 1), m1=0.25, m2=float(step), m3=1e-3 * step)
        took.append(time.perf_counter_ns() - began)
    return float(np.median(took)) / 1000


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ours = luthier_writes(root)
        sqlite = optuna_writes(f"sqlite:///{root / 'optuna.db'}")
        journal = optuna_writes(str(root / "optuna.log"))
        print(f"points/s from {N_PROCESSES} processes, all in the store:")
        print(f"  luthier {ours:12,.0f}")
        print(f"  optuna {optuna.__version__} SQLite  {sqlite:12,.0f}   ({ours / sqlite:,.0f}x)")
        print(f"  optuna {optuna.__version__} Journal {journal:12,.0f}   ({ours / journal:,.0f}x)")
        print(f"one report() of 4 metrics: {report_us(root):.1f} us (median)")
        print(f"opening 10,000 trials x 100 steps x 4 metrics: {opening(root):.2f} s")
