"""What single parts of the autopilot are worth: tests in the middle, the mean of weights, a kill.

python benchmarks/panda_parts.py middle  [--seeds 5]   # overfitting, with and without tests
python benchmarks/panda_parts.py average [--seeds 3]   # the mean beside the weights, three shapes
python benchmarks/panda_parts.py killed  [--seeds 5]   # kill -9 of a worker
python benchmarks/panda_parts.py longer  [--seeds 3]   # half as many steps more

Needs what `panda.py` needs, and reads the best rates from its results (--rates, panda.jsonl).
"""

import argparse
import functools
import json
import math
import os
import signal
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from panda import best_rates, interval, load, train
from panda_tasks import STEPS, TASKS, Task, Training, digits
from torch import nn

import luthier
from luthier.contracts import Policy
from luthier.core.action import Action, Start
from luthier.core.budget import Budget
from luthier.core.shapes import shape
from luthier.core.space import make_space
from luthier.core.study import Study, StudyView
from luthier.executors.inline import InlineExecutor
from luthier.policies.autopilot import Autopilot
from luthier.samplers.random import Random
from luthier.stores.memory import MemoryStore
from luthier.tuner import Tuner
from luthier.worker.target import load_target

LONG = 300  # steps
WEAK = 0.1  # weight decay: ten times too little
WINDOW = 1.0  # steps: a hundredth of a training
KILLED_AT = 41


@functools.cache
def few_digits() -> tuple[torch.Tensor, ...]:
    """400 digits, a fifth of them with a wrong label: they are soon learned by heart."""
    x, y, xv, yv = digits()
    x, y = x[:400], y[:400].clone()
    generator = torch.Generator().manual_seed(0)
    y[:80] = torch.randint(10, (80,), generator=generator)
    return x, y, xv, yv


def wide() -> nn.Module:
    """More weights than 400 digits can hold in check."""
    hidden = [nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.0),
              nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.0)]  # fmt: skip
    return nn.Sequential(*hidden, nn.Linear(256, 10))


FEW = Task("few-digits", few_digits, wide)


def run_study(policy: Policy, study: Study, function: Callable[[Any], None]) -> StudyView:
    """A study in this process; the view at its end."""
    store, executor = MemoryStore(study), InlineExecutor(function)
    try:
        Tuner(store, policy, executor).run()
        return store.view()
    finally:
        executor.close()
        store.close()


def middle(n_seeds: int) -> None:
    """Nothing holds the weights back, and the training is long; what the tests make of it."""

    def function(run: luthier.LiveRun) -> None:
        training = Training(FEW, run.seed, run.params.lr)
        for layer in training.model:
            if isinstance(layer, nn.Dropout):
                layer.p = run.params.dropout
        for group in training.optimizer.param_groups:
            group["weight_decay"] = run.params.weight_decay
        run.attach(model=training.model, optimizer=training.optimizer, batches=training.batches)
        for _ in run.steps():
            for batch in run.batches(training.batches):
                training.train(batch)
            run.report(loss=training.evaluate())

    space = make_space(
        {
            "lr": luthier.Float(1e-6, 1.0, log=True, prior=3e-3, live=True),
            "weight_decay": luthier.Float(1e-3, 10.0, log=True, prior=WEAK, live=True),
            "dropout": luthier.Float(0.0, 0.9, prior=0.0, live=True),
        }
    )
    for seed in range(10, 10 + n_seeds):
        for tests in (False, True):
            study = Study("middle", space, "loss", max_steps=LONG, seed=seed,
                          budget=Budget(n_steps=LONG))  # fmt: skip
            view = run_study(Autopilot(Random(), tests=tests), study, function)
            main = max(view.runs.values(), key=lambda run: run.step)
            taken = [e.action.reason for e in view.diary if e.action.reason.startswith("accept")]
            begun = sum(e.action.reason.startswith("arm: control") for e in view.diary)
            say(part="middle", tests=tests, seed=seed, last=main.curve.last,
                best=main.curve.best_loss, taken=taken, begun=begun)  # fmt: skip


@dataclass(frozen=True)
class OneRun:
    """One run with a plan of changes."""

    rate: float
    plan: tuple[Any, ...]

    def decide(self, view: StudyView) -> Sequence[Action]:
        """The run, once."""
        if view.runs:
            return []
        return [Start(params={"lr": self.rate}, to_step=STEPS, plan=self.plan, reason="alone")]


def average(n_seeds: int, rates: dict[str, float]) -> None:
    """The loss of the mean of the weights over that of the weights, at the end."""
    for name in ("digits", "mnist", "diamonds", "reviews"):
        for how in ("linear", "cooldown", "constant"):
            task, rate = TASKS[name], rates[name]
            ratios = [math.log(averaged(task, rate, how, seed)) for seed in range(n_seeds)]
            mean, low, high = (100 * math.expm1(v) for v in interval(ratios))
            say(part="average", task=name, shape=how, percent=[mean, low, high])


def averaged(task: Task, rate: float, how: str, seed: int) -> float:
    """Loss of the mean over that of the weights."""
    means: list[float] = []

    def function(run: luthier.LiveRun) -> None:
        training = Training(task, seed, rate)
        run.attach(model=training.model, optimizer=training.optimizer, batches=training.batches)
        run.schedule(training.optimizer, how)
        for _ in run.steps():
            for batch in run.batches(training.batches):
                training.train(batch)
            with run.averaged():
                means.append(training.evaluate())
            run.report(loss=training.evaluate())

    lr = luthier.Float(rate / 10, rate * 10, log=True, live=True)
    study = Study("average", make_space({"lr": lr}), "loss", max_steps=STEPS, seed=seed)
    view = run_study(OneRun(rate, ((0.0, {"weights/average": WINDOW}),)), study, function)
    (run,) = view.runs.values()
    return means[-1] / run.curve.last


def train_killed(run: luthier.LiveRun) -> None:
    """A task of the environment; its process is killed once."""
    task, mark = TASKS[os.environ["PANDA_TASK"]], Path(os.environ["PANDA_MARK"])
    torch.set_num_threads(1)
    training = Training(task, run.seed, run.params.lr)
    run.attach(model=training.model, optimizer=training.optimizer, batches=training.batches)
    for step in run.steps():
        for batch in run.batches(training.batches):
            training.train(batch)
        if step == KILLED_AT and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        run.report(loss=training.evaluate())


def killed(n_seeds: int, rates: dict[str, float]) -> None:
    """Worker processes of the local executor, killed with signal 9 in step 41, beside others."""
    for name in ("digits", "mnist", "diamonds"):
        for seed in range(10, 10 + n_seeds):
            losses = {}
            for kill in (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    losses[kill] = one_killed(Path(folder), name, rates[name], seed, kill=kill)
            say(part="killed", task=name, seed=seed, whole=losses[False], killed=losses[True])


def one_killed(folder: Path, name: str, rate: float, seed: int, *, kill: bool) -> float:
    """The last loss of an autopilot's run in processes of its own."""
    mark, script = folder / "mark", folder / "job.py"
    if not kill:
        mark.touch()
    os.environ |= {"PANDA_TASK": name, "PANDA_MARK": str(mark)}
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import luthier\nimport panda_parts\n"
        f"LR = luthier.Float({rate / 1e3}, {rate * 1e3}, log=True, prior={rate}, live=True)\n"
        f"@luthier.tune(minimize='loss', max_steps={STEPS}, space={{'lr': LR}})\n"
        "def train(run):\n    panda_parts.train_killed(run)\n"
    )
    result = load_target(f"{script}:train").search(
        policy="autopilot", trials=1, steps=STEPS, workers=1, seed=seed, lint=False,
        store=folder / "s.db",
    )  # fmt: skip
    if kill:
        assert any(run.state == "lost" for run in result.view.runs.values()), "nothing was killed"
    return float(max(result.view.runs.values(), key=lambda run: run.step).curve.last)


def longer(n_seeds: int, rates: dict[str, float]) -> None:
    """After linear decay, half as many steps more: how far the rate is to rise for them."""
    more = STEPS // 2
    for name in ("digits", "mnist", "diamonds", "reviews"):
        ratios: dict[str, list[float]] = {}
        for seed in range(n_seeds):
            whole = train(Training(TASKS[name], seed, rates[name]), shape("linear"), STEPS + more)
            for peak in (0.0, 0.1, 0.3, 0.5, 1.0):

                def how(at: float, peak: float = peak) -> float:
                    step = at * (STEPS + more)
                    if step < STEPS:
                        return 1.0 - step / STEPS
                    done = (step - STEPS) / more
                    return peak * (done / 0.1 if done < 0.1 else (1.0 - done) / 0.9)

                last = train(Training(TASKS[name], seed, rates[name]), how, STEPS + more)[-1]
                ratios.setdefault(f"{peak:g}", []).append(math.log(last / whole[-1]))
        percent = {k: round(100 * math.expm1(float(np.mean(v))), 1) for k, v in ratios.items()}
        say(part="longer", task=name, percent_above_planned=percent)


def say(**line: object) -> None:
    """One line of JSON."""
    print(json.dumps(line), flush=True)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("middle", "average", "killed", "longer"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rates", type=Path, default=Path("panda.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.part == "middle":
        middle(options.seeds)
        return
    rates = best_rates(load(options.rates))
    {"average": average, "killed": killed, "longer": longer}[options.part](options.seeds, rates)


if __name__ == "__main__":
    main()
