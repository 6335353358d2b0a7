"""What a user writes: `@luthier.tune(…)` on a training function, then `search()`, then `best`."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from luthier.asktell import AskTell
from luthier.contracts import Executor, Policy, Sampler, Store
from luthier.core.action import Author, Stop
from luthier.core.budget import Budget, parse_seconds
from luthier.core.curve import Curve
from luthier.core.domain import Value
from luthier.core.errors import BusyError, OptionError, StudyError, TargetError
from luthier.core.event import Ended, Event
from luthier.core.space import Space, make_space
from luthier.core.study import Checkpoint, Run, RunState, Study, StudyView
from luthier.registry import from_recipe, make_policy, to_recipe
from luthier.stores.sqlite import SqliteStore
from luthier.tuner import TUNER_LOST, Tuner
from luthier.worker.inbox import post
from luthier.worker.lock import ProcessLock
from luthier.worker.run import LiveRun, set_current
from luthier.worker.target import load_target
from luthier.worker.wire import WireReader

DEFAULT_STORE = "luthier.db"
Observer = Callable[[Store, StudyView], None]


@final
class Tunable:
    """A training function with its space; call it to train once, `search` to tune it."""

    is_luthier_tunable = True

    def __init__(
        self,
        function: Callable[[Any], object],
        space: Space,
        metric: str,
        goal: str,
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
        """Train once without a tuner, with the defaults where nothing is given."""
        point = self.space.cast({**self.space.default(), **params})
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
        sampler: str | Sampler = "random",
        store: str | Path = DEFAULT_STORE,
        name: str | None = None,
        seed: int = 0,
        fixed: Mapping[str, Value] | None = None,
        executor: str = "local",
        memory_gb: float | None = None,
        timeout: str | float | None = None,
        observe: Observer | None = None,
    ) -> "StudyResult":
        """Tune within the budget: `time` ("10m"), `trials`, total training `steps`; the first ends.

        `workers`: runs at a time (default: one per core). `policy`: a name or an object (default:
        "asha" with `max_steps`, else "full"). `executor`: "local" processes, or "inline" in this
        one. `memory_gb` and `timeout` limit each run.
        """
        if os.environ.get("LUTHIER_WORKER"):
            raise TargetError(
                "search() was called while a worker imported the script; put it under "
                '`if __name__ == "__main__":`.'
            )
        budget = Budget(parse_seconds(time) if time is not None else None, trials, steps)
        if budget == Budget():
            raise OptionError('search() without an end; give time="10m", trials=50 or steps=1000.')
        if workers is not None and workers < 1:
            raise OptionError(f"workers={workers}; expected 1 or more.")
        player = make_policy(policy or ("asha" if self.max_steps else "full"), sampler)
        path = Path(store)
        study = Study(
            _free_name(path, name, self._stem()),
            self.space.fix(fixed or {}),
            self.metric,
            "maximize" if self.goal == "maximize" else "minimize",
            self.max_steps,
            seed,
            budget,
        )
        recipe = {
            "target": self._target(path, study.name),
            "policy": to_recipe(player),
            "executor": executor,
            "workers": workers or os.cpu_count() or 1,
            "memory_gb": memory_gb,
            "timeout_s": parse_seconds(timeout) if timeout is not None else None,
        }
        made = SqliteStore.create(path, study, recipe)
        return _tune(made, player, self.function, recipe, observe)

    def _stem(self) -> str:
        file = getattr(sys.modules.get(self.function.__module__), "__file__", None)
        return Path(file).stem if file else self.__name__

    def _target(self, store: Path, study: str) -> str:
        """The text that finds this function again; pickled where no file has it."""
        file = getattr(sys.modules.get(self.function.__module__), "__file__", None)
        module = sys.modules.get(self.function.__module__)
        for name, value in vars(module).items() if file and module else ():
            if value is self:
                return f"{Path(str(file)).resolve()}:{name}"
        import cloudpickle

        from luthier.core.paths import StudyPaths

        path = StudyPaths.beside(store, study).function
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cloudpickle.dumps(self.function))
        return f"pickle:{path}"


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
    metric = minimize or maximize
    if metric is None or (minimize and maximize):
        raise OptionError(f"minimize={minimize!r}, maximize={maximize!r}; expected one of them.")
    if max_steps is not None and max_steps < 1:
        raise OptionError(f"max_steps={max_steps}; expected 1 or more.")
    made, goal = make_space(space, constraints), "minimize" if minimize else "maximize"
    return lambda function: Tunable(function, made, metric, goal, max_steps)


@final
class StudyResult:
    """A study to look at: `best`, `trials`, `curves()`, `run(id)`."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store

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

    def curves(self) -> Any:  # noqa: ANN401
        """All reports in long form, a pandas DataFrame."""
        from luthier.frames import curves_frame

        return curves_frame(self.store)

    def stop(self, run_id: str | None = None) -> None:
        """Ask the tuner of the study to stop a run for good, or all that train."""
        runs = self.view.runs
        if run_id is not None and run_id not in runs:
            raise StudyError(f"no run {run_id!r} in study {self.name!r}; it has {[*runs]}.")
        for run in runs.values() if run_id is None else [runs[run_id]]:
            if run.active or run_id:
                post(self.store.paths.orders, Stop(
                    run_id=run.id, reason="human", author=Author.HUMAN))  # fmt: skip


@final
class Best:
    """The winner: its parameters, value, curve, and the checkpoint nearest to its best step."""

    def __init__(self, store: SqliteStore, run: Run) -> None:
        self._store = store
        self.run = run

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
            _bring_in(writer)
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
    observe: Observer | None = None,
) -> StudyResult:
    """Go on with a study that was interrupted or killed, or give a finished one another budget."""
    made = SqliteStore.open(Path(store), name, read_only=False)
    recipe = made.recipe
    if workers is not None:
        recipe["workers"] = workers
    if budget is not None:
        made.set_budget(budget)
    loaded = load_target(recipe["target"])
    function = getattr(loaded, "function", loaded)
    return _tune(made, from_recipe(recipe["policy"]), function, recipe, observe)


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
    study = Study(_free_name(path, name, "study"), tunable.space, tunable.metric,
                  "maximize" if maximize else "minimize", max_steps, seed,
                  Budget(n_trials=trials))  # fmt: skip
    player = make_policy(policy)
    return AskTell(SqliteStore.create(path, study, {"policy": to_recipe(player)}), player)


def _free_name(store: Path, name: str | None, stem: str) -> str:
    if name is not None:
        if not name or "/" in name or name.startswith("."):
            raise OptionError(f"name={name!r}; expected a name that can be a folder's.")
        return name
    from luthier.stores.sqlite import list_studies

    taken = {row["name"] for row in list_studies(store)} if store.exists() else set()
    return next(n for i in range(1, len(taken) + 2) if (n := f"{stem}-{i}") not in taken)


def _tune(
    store: SqliteStore,
    policy: Policy,
    function: Callable[[Any], object],
    recipe: Mapping[str, Any],
    observe: Observer | None,
) -> StudyResult:
    lock = ProcessLock(store.paths.lock)
    if not lock.acquire():
        store.close()
        raise BusyError(
            f"study {store.study.name!r} is being tuned by process {lock.owner()}; "
            "wait for it, or stop it."
        )
    executor = _make_executor(recipe, function)
    try:
        _bring_in(store)
        tuner = Tuner(store, policy, executor,
                      observe=lambda view: observe(store, view) if observe else None)  # fmt: skip
        with _pausing_on_interrupt(tuner):
            tuner.run()
    finally:
        executor.close()
        lock.release()
    return StudyResult(store)


def _make_executor(recipe: Mapping[str, Any], function: Callable[[Any], object]) -> Executor:
    if recipe["executor"] == "inline":
        from luthier.executors.inline import InlineExecutor

        return InlineExecutor(function)
    if recipe["executor"] != "local":
        raise OptionError(f"executor={recipe['executor']!r}; expected 'local' or 'inline'.")
    from luthier.executors.local import LocalExecutor, find_gpus

    return LocalExecutor(
        recipe["target"],
        recipe["workers"],
        memory_gb=recipe["memory_gb"],
        timeout_s=recipe["timeout_s"],
        gpus=find_gpus(),
    )


def _bring_in(store: SqliteStore, patience_s: float = 20.0) -> None:
    """Take in what the runs of a dead tuner have said; runs that still train are awaited, then
    killed, since two processes must not train one run."""
    for run in store.view().runs.values():
        if not run.active:
            continue
        lock = ProcessLock(store.paths.run(run.id).lock)
        deadline_s = time.monotonic() + patience_s
        while (owner := lock.owner()) is not None:
            if time.monotonic() > deadline_s:
                os.kill(owner, signal.SIGKILL)
                deadline_s += patience_s
            time.sleep(0.05)
        events: list[Event] = list(
            WireReader(run.id, store.paths.run(run.id).wire, run.heard).read()
        )
        if not any(isinstance(event, Ended) for event in events):
            events.append(Ended(run.id, RunState.LOST, None, None, TUNER_LOST))
        store.record(events)


@contextmanager
def _pausing_on_interrupt(tuner: Tuner) -> Any:  # noqa: ANN401
    def handle(number: int, frame: object) -> None:
        if tuner.interrupt() == 1:
            print("\nPausing every run after its step; once more to stop at once.", file=sys.stderr)

    try:
        before = signal.signal(signal.SIGINT, handle)
    except ValueError:  # not the main thread: whoever owns that decides
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
