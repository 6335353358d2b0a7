"""200 trials of one second on 2 workers: what tuning adds to the pure training time.

The same trials through Optuna (2 processes, its SQLite storage) and Ray Tune (2 concurrent), each
including its own start-up. A peer that is not installed is named as such.

    python benchmarks/overhead.py [N_TRIALS]
"""

import importlib.util
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import luthier

TRIAL_S, N_WORKERS = 1.0, 2


@luthier.tune(minimize="loss", space={"x": luthier.Float(0, 1)})
def train(run: luthier.LiveRun) -> None:
    """One second of nothing."""
    time.sleep(TRIAL_S)
    run.report(loss=run.params.x)


def with_luthier(n_trials: int, folder: Path) -> None:
    """The local executor, a process per trial."""
    train.search(trials=n_trials, workers=N_WORKERS, store=folder / "l.db", policy="random")


def optuna_worker(url: str, n_trials: int) -> None:
    """One of the processes of Optuna."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        time.sleep(TRIAL_S)
        return x

    sampler = optuna.samplers.RandomSampler()
    study = optuna.create_study(study_name="o", storage=url, load_if_exists=True, sampler=sampler)
    study.optimize(objective, n_trials=n_trials)


def with_optuna(n_trials: int, folder: Path) -> None:
    """Processes that share an SQLite file, as its documentation shows."""
    import optuna

    url = f"sqlite:///{folder / 'o.db'}"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(study_name="o", storage=url)
    processes = [
        multiprocessing.Process(target=optuna_worker, args=(url, n_trials // N_WORKERS))
        for _ in range(N_WORKERS)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def with_ray(n_trials: int, folder: Path) -> None:
    """Ray Tune's own tuner."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray import tune

    def objective(config: dict[str, float]) -> None:
        time.sleep(TRIAL_S)
        tune.report({"loss": config["x"]})

    ray.init(num_cpus=N_WORKERS, logging_level="ERROR", include_dashboard=False)
    tune.Tuner(
        objective,
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(num_samples=n_trials, max_concurrent_trials=N_WORKERS),
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
    ).fit()
    ray.shutdown()


def measure(name: str, run: Callable[[int, Path], None], n_trials: int) -> None:
    """Print the wall time and what it is over the pure training time."""
    if name != "luthier" and importlib.util.find_spec(name) is None:
        print(f"{name:8} not installed, not measured")
        return
    pure_s = n_trials * TRIAL_S / N_WORKERS
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.perf_counter()
        run(n_trials, Path(folder))
        took_s = time.perf_counter() - began_s
    print(f"{name:8} {took_s:7.1f} s for {pure_s:.0f} s of training: {took_s / pure_s - 1:+.1%}")


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    measure("luthier", with_luthier, n)
    measure("optuna", with_optuna, n)
    measure("ray", with_ray, n)
