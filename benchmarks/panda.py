"""One run at a wrong rate: the autopilot beside schedules, learning-rate-free optimizers, searches.

python benchmarks/panda.py tune                 # the best rate of linear decay, once per task
python benchmarks/panda.py run [--seeds 5] [--first-seed 0] [--tasks a,b] [--rows a,b]
python benchmarks/panda.py faults [--seeds 5]
python benchmarks/panda.py table                # what is in the file by now

Every row begins from a factor times the best rate, and may train `STEPS` steps in all, probes and
searches included. Results are lines of JSON (--file, panda.jsonl); what is there is not run again.
Needs scikit-learn, mlxtend, prodigyopt, schedulefree, and the files that `archives.py` tells of.
One core, one to three seconds per training. Checkpoints wait for the disk: TMPDIR=/dev/shm helps.
"""

import argparse
import functools
import json
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from panda_tasks import FAULT_AT, FAULTS, STEPS, TASKS, Task, Training

import luthier
from luthier.contracts import Policy
from luthier.core.budget import Budget
from luthier.core.lr_find import diverged, ramp, suggest
from luthier.core.shapes import Shape, shape
from luthier.core.space import make_space
from luthier.core.study import Study, StudyView
from luthier.executors.inline import InlineExecutor
from luthier.policies.asha import Asha
from luthier.policies.autopilot import Autopilot
from luthier.policies.pbt import PopulationBased
from luthier.samplers.random import Random
from luthier.stores.memory import MemoryStore
from luthier.tuner import Tuner
from luthier.worker import saving

FACTORS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
GRID = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0)
TUNING_SEEDS = (1000, 1001, 1002)
N_RANGE = 60  # batches of the range test
saving.SAVE_ASKED_SHARE = math.inf  # else it hangs on the clock which checkpoints there are
WORST = 10.0  # a loss beyond it, or no number, counts as this many times the tuned one


def train(training: Training, how: Shape, n_steps: int, first: int = 0) -> list[float]:
    """A plain loop with a schedule; the losses after each step."""
    losses = []
    bases = [float(group["lr"]) for group in training.optimizer.param_groups]
    for step in range(first, n_steps):
        wrong = 30.0 if training.fault == "rate x30" and step >= FAULT_AT else 1.0
        for i, batch in enumerate(training.batches):
            at = (step - first + i / len(training.batches)) / (n_steps - first)
            for group, base in zip(training.optimizer.param_groups, bases, strict=True):
                group["lr"] = base * how(at) * wrong
            training.train(batch)
        losses.append(training.evaluate())
    return losses


def scheduled(name: str) -> Callable[[Task, float, int, str], float]:
    """A row that follows a shape."""
    return lambda task, rate, seed, fault: train(
        Training(task, seed, rate, fault), shape(name), STEPS
    )[-1]


def plateau(task: Task, rate: float, seed: int, fault: str) -> float:
    """ReduceLROnPlateau as it comes: a tenth after ten reports without gain."""
    training = Training(task, seed, rate, fault)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(training.optimizer)
    loss = math.nan
    for step in range(STEPS):
        if fault == "rate x30" and step == FAULT_AT:
            for group in training.optimizer.param_groups:
                group["lr"] *= 30.0
        for batch in training.batches:
            training.train(batch)
        loss = training.evaluate()
        scheduler.step(loss)
    return loss


def prodigy(task: Task, rate: float, seed: int, fault: str) -> float:
    """Prodigy with cosine decay; the rate given is not looked at, so every start is the same."""
    return _prodigy(task.name, seed, fault)


@functools.cache
def _prodigy(name: str, seed: int, fault: str) -> float:
    from prodigyopt import Prodigy

    task = TASKS[name]
    training = Training(task, seed, 1.0, fault, lambda m, lr: Prodigy(m.parameters(), lr=lr))
    return train(training, shape("cosine"), STEPS)[-1]


def schedule_free(task: Task, rate: float, seed: int, fault: str) -> float:
    """Schedule-free AdamW at the rate given."""
    from schedulefree import AdamWScheduleFree

    training = Training(
        task, seed, rate, fault, lambda m, lr: AdamWScheduleFree(m.parameters(), lr=lr)
    )
    for step in range(STEPS):
        training.optimizer.train()
        if fault == "rate x30" and step == FAULT_AT:
            for group in training.optimizer.param_groups:
                group["lr"] *= 30.0
        for batch in training.batches:
            training.train(batch)
    training.optimizer.eval()
    return training.evaluate()


def range_test(task: Task, rate: float, seed: int, fault: str) -> float:
    """A range test (its batches are paid for), then linear decay from what it suggests."""
    found, first = _ranged(task.name, seed)
    if found is not None:
        return _from_range(task.name, seed, fault)
    return train(Training(task, seed, rate, fault), shape("linear"), STEPS, first)[-1]


@functools.cache
def _from_range(name: str, seed: int, fault: str) -> float:
    found, first = _ranged(name, seed)
    assert found is not None
    training = Training(TASKS[name], seed, found, fault)
    return train(training, shape("linear"), STEPS, first)[-1]


@functools.cache
def _ranged(name: str, seed: int) -> tuple[float | None, int]:
    """What a range test suggests, and the steps that it took."""
    task, rate = TASKS[name], 1e-3
    probe = Training(task, seed, rate)
    rates, losses = [float(r) for r in ramp(1e-6, 10.0, N_RANGE)], list[float]()
    stream = iter([batch for _ in range(STEPS) for batch in probe.batches])
    for lr in rates:
        for group in probe.optimizer.param_groups:
            group["lr"] = lr
        losses.append(probe.train(next(stream)))
        if diverged(losses):
            break
    found = suggest(rates, losses).suggestions.get("valley")
    return found, math.ceil(len(losses) / task.per_step)


def player(task: Task, fault: str, how: str, count: list[int]) -> Callable[[Any], None]:
    """The same training as a function that Luthier calls."""
    happened: list[bool] = []

    def run_it(run: luthier.LiveRun) -> None:
        training = Training(task, run.seed, run.params.lr, fault)
        run.attach(model=training.model, optimizer=training.optimizer, batches=training.batches)
        if how:
            run.schedule(training.optimizer, how)
        for step in run.steps():
            if fault == "rate x30" and step > FAULT_AT and not happened:
                happened.append(True)  # somebody's mistake, once
                for group in training.optimizer.param_groups:
                    group["lr"] *= 30.0
            for batch in run.batches(training.batches):
                training.train(batch)
            count.append(1)
            run.report(loss=training.evaluate())

    return run_it


def tuned(
    task: Task, policy: Policy, rate: float, seed: int, fault: str, *,
    n_steps: int = STEPS, how: str = "", budget: Budget, wide: float = 1e6,
) -> tuple[StudyView, int]:  # fmt: skip
    """A study in this process; the view at its end, and the steps that were really trained."""
    lr = luthier.Float(rate / wide, rate * wide, log=True, prior=rate, live=True)
    study = Study("panda", make_space({"lr": lr}), "loss", max_steps=n_steps, seed=seed,
                  budget=budget)  # fmt: skip
    store = MemoryStore(study)
    count: list[int] = []
    executor = InlineExecutor(player(task, fault, how, count))
    try:
        Tuner(store, policy, executor).run()
        return store.view(), len(count)
    finally:
        executor.close()
        store.close()


def asha(task: Task, rate: float, seed: int, fault: str) -> float:
    """Eight rates within a factor of 100, halved three times: 5, 10, 20, 40 steps, linear decay."""
    view, _ = tuned(task, Asha(Random(), eta=2, first_step=5), rate, seed, fault,
                    n_steps=40, how="linear", budget=Budget(n_trials=8), wide=100)  # fmt: skip
    return lowest(view)


def population(task: Task, rate: float, seed: int, fault: str) -> float:
    """Population-based training of four for a quarter of the steps each."""
    policy = PopulationBased(Random(), n_population=4, interval=5)
    view, _ = tuned(task, policy, rate, seed, fault, n_steps=STEPS // 4,
                    budget=Budget(n_steps=STEPS), wide=100)  # fmt: skip
    return lowest(view)


def lowest(view: StudyView) -> float:
    """The lowest newest loss of all runs."""
    found = [run.curve.last for run in view.runs.values() if math.isfinite(run.curve.last)]
    return min(found, default=math.nan)


def autopilot(task: Task, rate: float, seed: int, fault: str) -> tuple[float, int]:
    """Luthier's autopilot, `STEPS` steps in all."""
    policy = Autopilot(Random())
    view, n_steps = tuned(task, policy, rate, seed, fault, budget=Budget(n_steps=STEPS))
    main = max(view.runs.values(), key=lambda run: run.step)
    return main.curve.last, n_steps


ROWS: dict[str, Callable[[Task, float, int, str], Any]] = {
    "constant": scheduled("constant"),
    "cosine": scheduled("cosine"),
    "linear": scheduled("linear"),
    "plateau": plateau,
    "one-cycle": scheduled("one-cycle"),
    "prodigy+cosine": prodigy,
    "schedule-free": schedule_free,
    "lr-find+linear": range_test,
    "asha-8": asha,
    "pbt-4": population,
    "autopilot": autopilot,
}


def load(path: Path) -> list[dict[str, Any]]:
    """What has been measured."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def best_rates(found: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Of each task that was tuned, the rate with the lowest mean logarithm of the loss."""
    sums: dict[str, dict[float, list[float]]] = {}
    for one in found:
        if one["row"] == "tuning":
            value = one["loss"] if math.isfinite(one["loss"]) else 1e3
            sums.setdefault(one["task"], {}).setdefault(one["rate"], []).append(math.log(value))
    return {
        task: min(rates, key=lambda rate: float(np.mean(rates[rate])))
        for task, rates in sums.items()
    }


def measure(path: Path, wanted: Iterable[dict[str, Any]]) -> None:
    """Train what is not in the file yet; one line each."""
    known = {key(one) for one in load(path)}
    for one in wanted:
        if key(one) in known:
            continue
        began_s, task = time.perf_counter(), TASKS[one["task"]]
        row = ROWS["linear" if one["row"] == "tuning" else one["row"]]
        result = row(task, one["rate"], one["seed"], one["fault"])
        loss, n_steps = result if isinstance(result, tuple) else (result, STEPS)
        line = {**one, "loss": loss, "steps": n_steps, "s": time.perf_counter() - began_s}
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def key(one: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two measurements the same."""
    return one["task"], one["row"], one["factor"], one["seed"], one["fault"]


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and a 95 % bootstrap interval."""
    rng, numbers = np.random.default_rng(0), np.array(values)
    means = rng.choice(numbers, (2000, len(numbers))).mean(axis=1)
    return float(numbers.mean()), *map(float, np.quantile(means, (0.025, 0.975)))


def regrets(found: list[dict[str, Any]], fault: str) -> dict[tuple[str, float, str], list[float]]:
    """Row, factor, task -> log(loss / loss of linear decay at the best rate, same seed)."""
    bound = {
        (one["task"], one["seed"]): one["loss"]
        for one in found
        if one["row"] == "linear" and one["factor"] == 1.0 and one["fault"] == "none"
    }
    out: dict[tuple[str, float, str], list[float]] = {}
    for one in found:
        best = bound.get((one["task"], one["seed"]))
        if one["row"] == "tuning" or one["fault"] != fault or best is None:
            continue
        ratio = one["loss"] / best if math.isfinite(one["loss"]) else WORST
        out.setdefault((one["row"], one["factor"], one["task"]), []).append(
            math.log(min(ratio, WORST))
        )
    return out


def table(found: list[dict[str, Any]]) -> None:
    """Loss above that of linear decay at the best rate, in percent, with bootstrap intervals."""
    for fault in FAULTS:
        data = regrets(found, fault)
        tasks = sorted({task for _, _, task in data})
        if not tasks:
            continue
        own = [o for o in found if o["fault"] == fault and o["row"] != "tuning"]
        n_seeds = len({one["seed"] for one in own})
        print(f"\nfault: {fault}; {len(tasks)} tasks ({', '.join(tasks)}); {n_seeds} seeds at most")
        print(f"{'start x':16}" + "".join(f"{f:>22g}" for f in FACTORS) + f"{'all starts':>22}")
        for row in [name for name in ROWS if any(name == r for r, _, _ in data)]:
            cells = []
            for factor in (*FACTORS, None):
                values = [v for (r, f, _), vs in data.items()
                          if r == row and factor in (None, f) for v in vs]  # fmt: skip
                if not values:
                    cells.append(f"{'':>22}")
                    continue
                mean, low, high = (100 * math.expm1(v) for v in interval(values))
                cells.append(f"{f'{mean:+.0f} [{low:+.0f}, {high:+.0f}]':>22}")
            print(f"{row:16}" + "".join(cells))
    print("\nautopilot, geometric mean by task and start, % above the bound; steps trained:")
    data = regrets(found, "none")
    for task in sorted({t for _, _, t in data}):
        cells = [data.get(("autopilot", f, task), []) for f in FACTORS]
        own = [o for o in found if (o["task"], o["row"]) == (task, "autopilot")]
        steps = [o["steps"] for o in own if o["fault"] == "none"]
        words = "".join(
            f"{100 * math.expm1(np.mean(c)):>+8.0f}" if c else f"{'':>8}" for c in cells
        )
        print(f"{task:18}{words}   steps {min(steps, default=0)} to {max(steps, default=0)}")
    recovered(found)
    print("best rates:", best_rates(found))


def recovered(found: list[dict[str, Any]]) -> None:
    """How many runs with a fault end within 5 % of the same run without, and of the bound."""
    whole = {(o["task"], o["row"], o["seed"]): o["loss"] for o in found
             if o["fault"] == "none" and o["factor"] == 1.0}  # fmt: skip
    for fault in FAULTS[1:]:
        for row in ROWS:
            own = [o for o in found if (o["fault"], o["row"]) == (fault, row)]
            ratios = [(o["loss"] / whole[o["task"], row, o["seed"]],
                       o["loss"] / whole[o["task"], "linear", o["seed"]]) for o in own
                      if (o["task"], row, o["seed"]) in whole]  # fmt: skip
            if ratios:
                near = [sum(ratio[i] <= 1.05 for ratio in ratios) for i in (0, 1)]
                means = [100 * math.expm1(np.mean([math.log(min(r[i], WORST)) if math.isfinite(r[i])
                         else math.log(WORST) for r in ratios])) for i in (0, 1)]  # fmt: skip
                print(f"{fault}, {row}: of {len(ratios)}, {near[0]} within 5 % of the same without "
                      f"(mean {means[0]:+.0f} %), {near[1]} within 5 % of the bound "
                      f"({means[1]:+.0f} %)")  # fmt: skip


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("tune", "run", "faults", "table"))
    parser.add_argument("--file", type=Path, default=Path("panda.jsonl"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--factors", default=",".join(map(str, FACTORS)))
    options = parser.parse_args()
    torch.set_num_threads(1)
    tasks, rows = options.tasks.split(","), options.rows.split(",")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    factors = [float(f) for f in options.factors.split(",")]
    if options.what == "tune":
        measure(options.file, (
            {"task": t, "row": "tuning", "factor": rate, "rate": rate, "seed": s, "fault": "none"}
            for t in tasks for rate in GRID for s in TUNING_SEEDS))  # fmt: skip
    if options.what in ("run", "faults"):
        rates = best_rates(load(options.file))
        faults = FAULTS[:1] if options.what == "run" else FAULTS[1:]
        measure(options.file, (
            {"task": t, "row": row, "factor": f, "rate": f * rates[t], "seed": s, "fault": fault}
            for s in seeds for t in tasks for fault in faults for f in factors
            for row in rows))  # fmt: skip
    table(load(options.file))


if __name__ == "__main__":
    main()
