"""A training function with its space: `@luthier.tune(…)`, then `search()`."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

from luthier.api.options import (
    check_positive,
    check_whole,
    checked_budget,
    checked_length,
    checked_mode,
    checked_timeout,
)
from luthier.api.result import StudyResult
from luthier.calibration import asked_of
from luthier.contracts import Policy, Sampler
from luthier.core.auto import choose
from luthier.core.domain import Value
from luthier.core.errors import LintError, OptionError, TargetError
from luthier.core.paths import StudyPaths
from luthier.core.space import Space, make_space
from luthier.core.study import Goal, Study, StudyView, metric_and_goal
from luthier.environment import environment
from luthier.executors.gpus import find_gpus, n_places
from luthier.executors.machine import n_cores
from luthier.panda import start
from luthier.policies.children import Children
from luthier.registry import in_stages, make_policy, make_sampler, nursed, to_recipe
from luthier.sitting import DEFAULT_STORE, Observer, begin, sit
from luthier.worker.run import LiveRun, set_current


@final
class Tunable:
    """A training function with its space; call it to train once, `search` to tune it."""

    is_luthier_tunable = True

    def __init__(
        self,
        function: Callable[[Any], object],
        space: Space,
        metric: str,
        goal: Goal,
        max_steps: int | None,
    ) -> None:
        self.function = function
        self.space = space
        self.metric = metric
        self.goal = goal
        self.max_steps = max_steps
        self.__doc__ = function.__doc__
        self.__name__ = getattr(function, "__name__", "train")

    def __call__(self, **params: Value) -> object:
        """Train once without a tuner, with the defaults where nothing is given.

        With LUTHIER_STORE=FILE in the environment the run is recorded there, and open to
        `luthier set`, `watch` and the rest.
        """
        point = self.space.cast({**self.space.defaults(), **params})
        if store := os.environ.get("LUTHIER_STORE"):
            results: list[object] = []  # none when the run is stopped or paused
            with start(
                params=point, space=self.space, max_steps=self.max_steps, store=store,
                minimize=self.metric if self.goal == "minimize" else None,
                maximize=self.metric if self.goal == "maximize" else None,
            ) as live:  # fmt: skip
                results.append(self.function(live))
            return results[0] if results else None
        run = LiveRun(params=point, max_steps=self.max_steps)
        set_current(run)
        try:
            return self.function(run)
        finally:
            set_current(None)

    def search(
        self,
        *,
        time: str | float | None = None,
        trials: int | None = None,
        steps: float | None = None,
        workers: int | None = None,
        policy: str | Policy | None = None,
        mode: str | None = None,
        children: int | None = None,
        sampler: str | Sampler = "random",
        stages: str | None = None,
        nurse: bool | None = None,
        store: str | Path = DEFAULT_STORE,
        name: str | None = None,
        seed: int = 0,
        fixed: Mapping[str, Value] | None = None,
        executor: str = "local",
        memory_gb: float | None = None,
        timeout: str | float | None = None,
        disk_gb: float | None = None,
        gpus_per_run: float | None = None,
        observe: Observer | None = None,
        lint: bool = True,
        only_look: bool = False,
    ) -> StudyResult:
        """Tune within the budget: `time` ("10m"), `trials`, total training `steps`; the first ends.

        With `time`, what is not given is chosen after a measurement (docs/choose.md): `mode`
        ("panda", "children" or "caviar"), `policy`, `workers`. `children`: raise so many, one
        after the other. Without `time`, or with a sampler or stages: `workers` as many as the GPUs
        hold, else one per core; `policy`, a name, "auto" or an object, "asha" with `max_steps`,
        else "full". `stages`:
        "importance" tunes one tier of parameters after the other. `nurse`: the last part of the
        budget anneals the best runs; None: where that was found to pay, unless `policy` is an
        object. `executor`:
        "local" processes, or "inline" in this one. `memory_gb` and `timeout` limit each run;
        `disk_gb` limits all checkpoints of the study together. `gpus_per_run`: 2 for two devices
        a run, 0.5 for two runs a device (default: the devices shared out evenly). `lint`: look at
        space, script and model first; LintError when that finds an error. `only_look`: end after
        the choice.
        """
        if os.environ.get("LUTHIER_WORKER"):
            raise TargetError(
                "search() was called while a worker imported the script; put it under "
                '`if __name__ == "__main__":`.'
            )
        mode = checked_mode(mode, children, policy)
        budget = checked_budget(time, trials, steps, children)
        check_whole(workers=workers, trials=trials, seed=seed)
        if seed < 0:
            raise OptionError(f"seed={seed}; expected 0 or more.")
        if workers is not None and workers < 1:
            raise OptionError(f"workers={workers}; expected 1 or more.")
        limit_s = checked_timeout(timeout)
        check_positive(disk_gb=disk_gb, memory_gb=memory_gb)
        n_workers = workers or n_places(find_gpus(), gpus_per_run) or n_cores()
        if policy == "auto":
            chosen = choose(self.space.fix(fixed or {}), self.max_steps, budget, n_workers)
            policy, sampler = chosen.policy, chosen.sampler if sampler == "random" else sampler
            print(f"auto: {policy}, {sampler}: {chosen.reason}", file=sys.stderr)
        player: Policy | None = None
        plain = sampler == "random" and stages in (None, "none")
        if policy is not None or budget.time_s is None or not plain:
            player = in_stages(self._player(policy, mode, children, sampler), stages)
        path = Path(store)
        study = Study("", self.space.fix(fixed or {}), self.metric, self.goal, self.max_steps,
                      seed, budget)  # fmt: skip
        if player is not None:  # an object is taken as it is, unless asked otherwise
            named = policy is None or isinstance(policy, str)
            player = nursed(player, nurse if named else bool(nurse), study)
        findings = self._lint(study.space, trials) if lint else None
        place = self._place()
        pickled = None if place else self._pickled()
        recipe = {
            "policy": to_recipe(player) if player else None,
            "executor": executor,
            "workers": n_workers,
            "memory_gb": memory_gb,
            "disk_gb": disk_gb,
            "gpus_per_run": gpus_per_run,
            "timeout_s": limit_s,
            "environment": environment(),
            "lint": findings,
        }
        if player is None and mode == "panda":
            self._player(None, mode, None, sampler).decide(StudyView(study, {}, {}))
        if player is None:  # measured with one thread, as runs side by side train
            recipe |= {"asked": asked_of(mode, workers, children), "threads": 1, "nurse": nurse}
        else:
            player.decide(StudyView(study, {}, {}))  # a policy that cannot work here says so now
        made = begin(path, name, self._stem(), lambda name: (
            replace(study, name=name),
            {**recipe, "target": place or f"pickle:{StudyPaths.beside(path, name).function}"},
        ))  # fmt: skip
        if pickled is not None:
            made.paths.function.parent.mkdir(parents=True, exist_ok=True)
            made.paths.function.write_bytes(pickled)
        sit(made, player, self.function, made.recipe, observe, only_look=only_look)
        return StudyResult(made)

    def choose(
        self,
        time: str | float,
        *,
        mode: str | None = None,
        children: int | None = None,
        workers: int | None = None,
        fixed: Mapping[str, Value] | None = None,
        gpus_per_run: float | None = None,
        lint: bool = True,
    ) -> dict[str, Any]:
        """What `search(time=…)` would choose: "mode", "policy", "workers", …, "why", "facts".

        Nothing of the measurement is kept.
        """
        with TemporaryDirectory(prefix="luthier-choose-") as folder:
            found = self.search(
                time=time, mode=mode, children=children, workers=workers, fixed=fixed,
                gpus_per_run=gpus_per_run, store=Path(folder) / "look.db", lint=lint,
                only_look=True,
            )  # fmt: skip
            choice: dict[str, Any] | None = found.store.recipe.get("choice")
            found.store.close()
        if choice is None:
            raise OptionError(
                f"time={time!r} was over before anything could be measured, or the measurement was "
                "interrupted; give more time."
            )
        return choice

    def _player(
        self, policy: str | Policy | None, mode: str | None, children: int | None,
        sampler: str | Sampler,
    ) -> Policy:  # fmt: skip
        """The policy where nothing is measured."""
        if mode == "children":
            return Children(make_sampler(sampler), children)
        if mode == "panda":
            return make_policy("autopilot")
        return make_policy(policy or ("asha" if self.max_steps else "full"), sampler)

    def _lint(self, space: Space, trials: int | None) -> list[dict[str, Any]]:
        """Findings, to be kept; they go to stderr, notes only counted. See docs/lint.md."""
        from luthier.lint import lint
        from luthier.lint.study import case_of_study
        from luthier.lint.words import as_json, before_study

        case, _ = case_of_study(space, sys.modules.get(self.function.__module__), trials)
        report = lint(case)
        if words := before_study(report):
            print(words, file=sys.stderr)
        if report.errors:
            codes = sorted({finding.code for finding in report.errors})
            raise LintError(
                f"{len(report.errors)} findings of severity error ({', '.join(codes)}); correct "
                "them, mark the line with `# luthier: ignore[CODE] reason`, or use --no-lint "
                "(search(lint=False))."
            )
        found: list[dict[str, Any]] = as_json(report)["findings"]
        return found

    def _stem(self) -> str:
        file = self._file()
        return file.stem if file else self.__name__

    def _file(self) -> Path | None:
        """The script that defines the function; None in a notebook and on standard input."""
        module = sys.modules.get(self.function.__module__)
        file = getattr(module, "__file__", None)
        return Path(file).resolve() if file and Path(file).is_file() else None

    def _place(self) -> str:
        """FILE:NAME of it; empty where no file has it."""
        file, module = self._file(), sys.modules.get(self.function.__module__)
        for name, value in vars(module).items() if file and module else ():
            if value is self:
                return f"{file}:{name}"
        return ""

    def _pickled(self) -> bytes:
        """The function, where no file has it."""
        import cloudpickle

        try:
            pickled: bytes = cloudpickle.dumps(self.function)
        except Exception as error:
            raise TargetError(
                f"{self.__name__} lives in no file and cannot be pickled: {error}. Put it into a "
                "script, or build what it refers to inside of it."
            ) from error
        return pickled


def tune(
    *,
    space: Space | Mapping[str, object],
    minimize: str | None = None,
    maximize: str | None = None,
    max_steps: int | None = None,
    constraints: Iterable[str | Callable[[Mapping[str, Value]], bool]] = (),
) -> Callable[[Callable[[Any], object]], Tunable]:
    """Make a function `train(run)` tunable.

    `minimize` or `maximize` names the metric it reports. `max_steps`: the length of a full
    training in steps (usually epochs), which early stopping needs.
    """
    metric, goal = metric_and_goal(minimize, maximize)
    length = checked_length(max_steps)
    made = make_space(space, constraints)
    return lambda function: Tunable(function, made, metric, goal, length)
