"""What a user writes: `@luthier.tune(…)` on a training function, then `search()`, then `best`."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

from luthier import notebook
from luthier.asktell import AskTell
from luthier.calibration import asked_of
from luthier.contracts import Policy, Sampler
from luthier.core.action import Author, Fork, Stop
from luthier.core.auto import choose
from luthier.core.budget import Budget, parse_seconds
from luthier.core.choose import MODES
from luthier.core.constraint import Constraint
from luthier.core.curve import Curve
from luthier.core.domain import Value
from luthier.core.errors import LintError, OptionError, StudyError, TargetError
from luthier.core.paths import StudyPaths
from luthier.core.script import root_of, script_of
from luthier.core.space import Space, make_space
from luthier.core.study import Checkpoint, Goal, Run, Study, StudyView, metric_and_goal
from luthier.environment import environment
from luthier.executors.gpus import find_gpus, n_places
from luthier.executors.machine import n_cores
from luthier.handle import RunHandle
from luthier.panda import start
from luthier.policies.children import Children
from luthier.policies.hand import Hand
from luthier.registry import from_recipe, in_stages, make_policy, make_sampler, nursed, to_recipe
from luthier.sitting import DEFAULT_STORE, Observer, bring_in, free_name, sit
from luthier.stores.sqlite import SqliteStore
from luthier.worker.inbox import post
from luthier.worker.lock import ProcessLock
from luthier.worker.run import LiveRun, set_current
from luthier.worker.target import load_target


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
    ) -> "StudyResult":
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
        mode = _checked_mode(mode, children, policy)
        budget = Budget(parse_seconds(time) if time is not None else None, trials, steps)
        if budget == Budget() and children is not None:
            budget = Budget(n_trials=children)
        if budget == Budget():
            raise OptionError(
                "a search without an end; give --time 10m, --trials 50 or --steps 1000 (search: "
                'time="10m", trials=50 or steps=1000).'
            )
        for option, whole in (("workers", workers), ("trials", trials), ("seed", seed)):
            if whole is not None and (not isinstance(whole, int) or isinstance(whole, bool)):
                raise OptionError(f"{option}={whole!r}; expected a whole number.")
        if seed < 0:
            raise OptionError(f"seed={seed}; expected 0 or more.")
        if workers is not None and workers < 1:
            raise OptionError(f"workers={workers}; expected 1 or more.")
        limit_s = parse_seconds(timeout) if timeout is not None else None
        if limit_s is not None and not limit_s > 0:
            raise OptionError(f"timeout={timeout!r}; expected more than 0 seconds.")
        for option, value in (("disk_gb", disk_gb), ("memory_gb", memory_gb)):
            if value is not None and not (isinstance(value, int | float) and value > 0):
                raise OptionError(f"{option}={value}; expected more than 0, or nothing.")
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
        study = Study(
            free_name(path, name, self._stem()),
            self.space.fix(fixed or {}),
            self.metric,
            self.goal,
            self.max_steps,
            seed,
            budget,
        )
        if player is not None:  # an object is taken as it is, unless asked otherwise
            named = policy is None or isinstance(policy, str)
            player = nursed(player, nurse if named else bool(nurse), study)
        findings = self._lint(study.space, trials) if lint else None
        target, pickled = self._target(path, study.name)
        recipe = {
            "target": target,
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
        made = SqliteStore.create(path, study, recipe)
        if pickled is not None:
            made.paths.function.parent.mkdir(parents=True, exist_ok=True)
            made.paths.function.write_bytes(pickled)
        sit(made, player, self.function, recipe, observe, only_look=only_look)
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

    def _target(self, store: Path, study: str) -> tuple[str, bytes | None]:
        """The text that finds this function again; pickled where no file has it."""
        file, module = self._file(), sys.modules.get(self.function.__module__)
        for name, value in vars(module).items() if file and module else ():
            if value is self:
                return f"{file}:{name}", None
        import cloudpickle

        try:
            pickled = cloudpickle.dumps(self.function)
        except Exception as error:
            raise TargetError(
                f"{self.__name__} lives in no file and cannot be pickled: {error}. Put it into a "
                "script, or build what it refers to inside of it."
            ) from error
        return f"pickle:{StudyPaths.beside(store, study).function}", pickled


def _checked_mode(
    mode: str | None, children: int | None, policy: str | Policy | None
) -> str | None:
    """The mode that was asked for; OptionError where options contradict each other."""
    if children is not None and not (isinstance(children, int) and children >= 1):
        raise OptionError(f"children={children!r}; expected a whole number from 1 up.")
    if mode not in (None, *MODES):
        raise OptionError(f"mode={mode!r}; expected one of {MODES}.")
    if children is not None and mode not in (None, "children"):
        raise OptionError(f"children={children} with mode={mode!r}; give one of them.")
    mode = "children" if children is not None else mode
    if mode is not None and policy is not None:
        raise OptionError(f"mode={mode!r} with a policy, which is a choice already; give one.")
    return mode


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
    if max_steps is not None and not (isinstance(max_steps, int) and max_steps >= 1):
        raise OptionError(f"max_steps={max_steps!r}; expected a whole number from 1 up.")
    made = make_space(space, constraints)
    return lambda function: Tunable(function, made, metric, goal, max_steps)


@final
class StudyResult:
    """A study to look at: `best`, `trials`, `curves()`, `run(id)`."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store

    def __repr__(self) -> str:
        return notebook.study_text(self.view)

    def _repr_html_(self) -> str:
        return notebook.study_html(self.view)

    @property
    def name(self) -> str:
        """The study's name in its store."""
        return self.store.study.name

    @property
    def view(self) -> StudyView:
        """Everything, frozen."""
        return self.store.view()

    @property
    def best(self) -> "Best":
        """The run with the best value at any step; StudyError when none has reported a number."""
        run = self.view.best()
        if run is None:
            raise StudyError(f"study {self.name!r} has no run that reported a number yet.")
        return Best(self.store, run)

    @property
    def trials(self) -> Any:  # noqa: ANN401
        """One row per trial, a pandas DataFrame."""
        from luthier.frames import trials_frame

        return trials_frame(self.view)

    def curves(self, *, arrow: bool = False) -> Any:  # noqa: ANN401
        """All reports in long form, a pandas DataFrame or a pyarrow Table."""
        from luthier.frames import curves_arrow, curves_frame

        return curves_arrow(self.store) if arrow else curves_frame(self.store)

    def run(self, name: str | int) -> RunHandle:
        """A hand on a run: "3.1", or the newest run of a trial: 3."""
        run_id = str(name)
        if run_id.isdigit():
            current = self.view.current()
            if int(run_id) not in current:
                raise StudyError(f"study {self.name!r} has no trial {run_id}.")
            run_id = current[int(run_id)].id
        return RunHandle(self.store.path, self.name, run_id)

    def stop(self, run_id: str | None = None) -> int:
        """Ask the tuner to stop a run for good, or all that train; how many were asked."""
        n_asked = 0
        runs = self.view.runs
        if run_id is not None and run_id not in runs:
            raise StudyError(f"no run {run_id!r} in study {self.name!r}; it has {[*runs]}.")
        for run in runs.values() if run_id is None else [runs[run_id]]:
            if run.active or run_id:
                post(self.store.paths.orders, Stop(
                    run_id=run.id, reason="human", author=Author.HUMAN))  # fmt: skip
                n_asked += 1
        return n_asked


@final
class Best:
    """The winner: its parameters, value, curve, and the checkpoint nearest to its best step."""

    def __init__(self, store: SqliteStore, run: Run) -> None:
        self._store = store
        self.run = run

    def __repr__(self) -> str:
        return notebook.run_text(self._store.study, self.run, "best")

    def _repr_html_(self) -> str:
        return notebook.run_html(self._store.study, self.run, "best")

    @property
    def params(self) -> Mapping[str, Value]:
        """Its point."""
        return self.run.params

    @property
    def value(self) -> float:
        """The best value of the metric."""
        return self._store.study.loss(self.run.curve.best_loss)

    @property
    def step(self) -> float:
        """The step of that value."""
        return self.run.curve.best_step

    @property
    def curves(self) -> Mapping[str, Curve]:
        """All metrics of the run."""
        return self._store.metrics(self.run.id)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint with the lowest loss; None when the run attached nothing."""
        known = [*self.run.checkpoints, *([self.run.parent] if self.run.parent else [])]
        scored = [c for c in known if c.loss is not None]
        return min(scored, key=lambda c: c.loss or 0.0, default=self.run.latest)

    @property
    def checkpoint_path(self) -> Path | None:
        """Its file: `luthier.load_checkpoint(path)` gives the attached states."""
        c = self.checkpoint
        return self._store.paths.run(c.run_id).checkpoints / c.file if c else None

    def export(self, folder: str | Path) -> Path:
        """Copy the checkpoint and write `best.json` (parameters, value, step) beside it."""
        to = Path(folder)
        to.mkdir(parents=True, exist_ok=True)
        metric = self._store.study.metric
        told = {"study": self._store.study.name, "trial": self.run.trial, "run": self.run.id,
                "params": dict(self.params), metric: self.value, "step": self.step}  # fmt: skip
        if (path := self.checkpoint_path) and self.checkpoint:
            shutil.copy2(path, to / "best.ckpt")
            told["checkpoint_step"] = self.checkpoint.step
        (to / "best.json").write_text(json.dumps(told, indent=2) + "\n")
        return to


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """The states that were attached, by name: `model.load_state_dict(load_checkpoint(p)["model"])`.

    Reads a pickle: open only files that you trust.
    """
    from luthier.worker.checkpoint import load_state

    states: dict[str, Any] = load_state(Path(path))["things"]
    return states


def open_study(store: str | Path = DEFAULT_STORE, name: str | None = None) -> StudyResult:
    """A study in a store, the newest by default, to look at. Never disturbs its tuner.

    If its tuner was killed, what the runs had reported by then is brought into the store first.
    """
    path = Path(store)
    found = SqliteStore.open(path, name)
    if any(run.active for run in found.view().runs.values()):
        lock = ProcessLock(found.paths.lock)
        if lock.owner() is None and os.access(path, os.W_OK) and lock.acquire():
            found.close()
            writer = SqliteStore.open(path, found.study.name, read_only=False)
            bring_in(writer, patience_s=None)
            writer.close()
            lock.release()
            found = SqliteStore.open(path, found.study.name)
    return StudyResult(found)


def resume(
    store: str | Path = DEFAULT_STORE,
    name: str | None = None,
    *,
    workers: int | None = None,
    budget: Budget | None = None,
    by_hand: bool = False,
    observe: Observer | None = None,
) -> StudyResult:
    """Go on with a study that was interrupted or killed, or give a finished one another budget.

    With `by_hand` the policy is not asked: only what humans ask for is trained.
    """
    made = SqliteStore.open(Path(store), name, read_only=False)
    recipe = made.recipe
    if not recipe.get("target"):
        raise TargetError(
            f"study {made.study.name!r} was trained by a loop of its own; go on with that: "
            "luthier.start(…, resume=True), or ask and tell."
        )
    if workers is not None:
        recipe["workers"] = workers
        if recipe.get("asked"):
            recipe["asked"]["workers"] = workers
    if budget is not None:
        spent_s = made.view().elapsed_s
        if budget.time_s is not None and budget.time_s <= spent_s:
            raise OptionError(
                f"a budget of {budget.time_s:g} s, and {spent_s:.0f} s are spent: it counts from "
                "the beginning of the study; give more."
            )
        made.set_budget(budget)
    loaded = load_target(recipe["target"])
    function = getattr(loaded, "function", loaded)
    made.set_constraints(_constraints(made, loaded))
    stored = recipe["policy"]  # none: the study died before it had chosen
    policy = Hand() if by_hand else from_recipe(stored) if stored else None
    if policy is None and made.study.budget.time_s is None:  # nothing to measure for
        policy = make_policy("asha" if made.study.max_steps else "full")
        recipe["policy"] = to_recipe(policy)
        made.set_recipe(recipe)
    sit(made, policy, function, recipe, observe)
    return StudyResult(made)


def _constraints(store: SqliteStore, loaded: object) -> tuple[Constraint, ...]:
    """All constraints of the study: those that are functions are known to the script alone."""
    if isinstance(loaded, Tunable):
        return loaded.space.constraints
    lost = store.n_callable_constraints
    if lost:
        raise TargetError(
            f"study {store.study.name!r} has {lost} constraints that are functions, and its "
            "training function lives in no file; they cannot be had back. Write them as text."
        )
    return store.study.space.constraints


def replay(
    store: str | Path,
    name: str | None,
    run_id: str,
    *,
    seed: int | None = None,
    observe: Observer | None = None,
) -> tuple[StudyResult, str]:
    """Train a run again from nothing with the same changes at the same steps; gives the new id.

    With the seed it had (the default), on a CPU, the result is the same to the last bit.
    """
    study = open_study(store, name)
    view = study.view
    root = root_of(view, study.run(run_id).id)
    script = script_of(view, study.store.diary(), study.run(run_id).id)
    again = Fork(
        run_id=root.id,
        at_step=0.0,
        to_step=float("inf"),
        params=view.trials[root.trial].params,
        plan=script,
        seed=root.seed if seed is None else seed,
        reason=f"replay of {run_id}",
        author=Author.HUMAN,
    )
    ticket = post(study.store.paths.orders, again)
    result = resume(store, study.name, workers=1, by_hand=True, observe=observe)
    entry = next(e for e in result.store.diary() if e.ticket == ticket)
    if entry.state == "refused":
        raise StudyError(f"the replay of {run_id} was refused: {entry.why}.")
    return result, entry.run_id


def create(
    *,
    space: Space | Mapping[str, object],
    minimize: str | None = None,
    maximize: str | None = None,
    max_steps: int | None = None,
    trials: int | None = None,
    policy: str | Policy = "random",
    store: str | Path = DEFAULT_STORE,
    name: str | None = None,
    seed: int = 0,
) -> AskTell:
    """A study for a loop of your own: `task = study.ask()`, train, `study.tell(task, value)`."""
    tunable = tune(space=space, minimize=minimize, maximize=maximize, max_steps=max_steps)(print)
    path = Path(store)
    study = Study(free_name(path, name, "study"), tunable.space, tunable.metric,
                  "maximize" if maximize else "minimize", max_steps, seed,
                  Budget(n_trials=trials))  # fmt: skip
    player = make_policy(policy)
    recipe = {"policy": to_recipe(player), "environment": environment()}
    return AskTell(SqliteStore.create(path, study, recipe), player)
