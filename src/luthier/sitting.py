"""One sitting of tuning: a lock, what a dead tuner left behind, the loop, Ctrl-C."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from luthier.calibration import Calibration, choice_to_json, say
from luthier.contracts import Executor, Policy, Store
from luthier.core.choose import Choice, Facts
from luthier.core.errors import BusyError, OptionError, StudyError
from luthier.core.event import Ended, Event
from luthier.core.paths import StudyPaths
from luthier.core.study import RunState, Study, StudyView
from luthier.core.unfinished import TUNER_LOST
from luthier.executors.gpus import find_gpus, n_places
from luthier.registry import nursed, policy_of, to_recipe
from luthier.stores.sqlite import SqliteStore
from luthier.stores.sqlite_file import names_in
from luthier.tuner import Tuner
from luthier.unattended import attend
from luthier.worker.lock import ProcessLock
from luthier.worker.wire import WireReader

DEFAULT_STORE = "luthier.db"
Observer = Callable[[Store, StudyView], None]


def free_name(store: Path, name: str | None, stem: str) -> str:
    """The name that was given, checked, or the stem with the first number that is free."""
    if name is not None:
        if not name.isprintable() or not name or "/" in name or name.startswith("."):
            raise OptionError(f"name={name!r}; expected a name that can be a folder's.")
        if name.replace(".", "", 1).isdigit():
            raise OptionError(
                f"name={name!r}; expected a name that is no number: those are trials."
            )
        return name
    taken = names_in(store)
    folder = StudyPaths.beside(store, "").root  # of a store that was deleted, files may be left
    taken |= {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return next(n for i in range(1, len(taken) + 2) if (n := f"{stem}-{i}") not in taken)


def begin(
    store: Path,
    name: str | None,
    stem: str,
    make: Callable[[str], tuple[Study, Mapping[str, Any]]],
) -> SqliteStore:
    """A new study under the name that was given, or the first that is free: study and recipe as
    `make` says for that name. Of two processes that begin at once, both get one of their own."""
    while True:
        study, recipe = make(free_name(store, name, stem))
        try:
            return SqliteStore.create(store, study, recipe)
        except StudyError:
            if name is not None or study.name not in names_in(store):
                raise


def sit(
    store: SqliteStore,
    policy: Policy | None,
    function: Callable[[Any], object],
    recipe: Mapping[str, Any],
    observe: Observer | None,
    *,
    only_look: bool = False,
) -> None:
    """Tune until the end, or until Ctrl-C; BusyError when another process does.

    Without a policy one is chosen after a calibration, and is the recipe's from then on; with
    `only_look` that is all.
    """
    lock = ProcessLock(store.paths.lock)
    if not lock.acquire():
        store.close()
        raise busy(store, lock)
    executor: Executor | None = None
    try:
        executor = _make_executor(recipe, function)
        policy = policy or _calibration(store, executor, recipe, only_look=only_look)
        bring_in(store)
        disk_gb = recipe.get("disk_gb")
        tuner = Tuner(
            store,
            policy,
            executor,
            disk_bytes=disk_gb * 1e9 if disk_gb else None,
            observe=lambda view: observe(store, view) if observe else None,
        )
        with _pausing_on_interrupt(tuner, executor, policy):
            tuner.run()
            executor.close()  # here too: whoever presses Ctrl-C again meanwhile loses nothing
    finally:
        if executor is not None:
            executor.close()
        lock.release()
        attend(store)  # what was asked for while the executor closed


def _calibration(
    store: SqliteStore, executor: Executor, recipe: Mapping[str, Any], *, only_look: bool
) -> Policy:
    asked = recipe["asked"]

    def made(choice: Choice, facts: Facts) -> Policy:
        nurse = recipe.get("nurse") if choice.mode == "caviar" else False
        policy = nursed(policy_of(choice), nurse, store.study)
        budget = store.study.budget
        if choice.n_steps is not None and budget.n_steps is None:
            store.set_budget(replace(budget, n_steps=choice.n_steps))
        store.set_recipe({
            **recipe, "policy": to_recipe(policy), "workers": choice.workers,
            "threads": choice.threads, "choice": choice_to_json(choice, facts),
        })  # fmt: skip
        if not only_look:
            say(choice)
        return policy

    n_gpus = n_places(find_gpus(), recipe.get("gpus_per_run"))
    return Calibration(store.study, executor, made, asked=asked, n_gpus=n_gpus, only_look=only_look)


def busy(store: SqliteStore, lock: ProcessLock) -> BusyError:
    """The error of a study that another process tunes."""
    return BusyError(
        f"study {store.study.name!r} is being tuned by process {lock.owner()}; "
        "wait for it, or stop it."
    )


def _make_executor(recipe: Mapping[str, Any], function: Callable[[Any], object]) -> Executor:
    if recipe["executor"] == "inline":
        from luthier.executors.inline import InlineExecutor

        return InlineExecutor(function)
    if recipe["executor"] != "local":
        raise OptionError(f"executor={recipe['executor']!r}; expected 'local' or 'inline'.")
    from luthier.executors.local import LocalExecutor

    return LocalExecutor(
        recipe["target"],
        recipe["workers"],
        memory_gb=recipe["memory_gb"],
        timeout_s=recipe["timeout_s"],
        gpus=find_gpus(),
        gpus_per_run=recipe.get("gpus_per_run"),
        n_threads=recipe.get("threads"),
    )


def bring_in(store: SqliteStore, *, patience_s: float | None = 20.0) -> None:
    """Take in what the runs of a dead tuner have said.

    Runs that still train are awaited, then killed, since two processes must not train one run; with
    `patience_s` None, as for looking only, they are left alone and stay as they are.
    """
    for run in store.view().runs.values():
        if not run.active:
            continue
        lock = ProcessLock(store.paths.run(run.id).lock)
        trains = lock.owner() is not None
        if trains and patience_s is not None:
            print(f"run {run.id} still trains in process {lock.owner()}; waiting for it to save "
                  f"and leave, {patience_s:.0f} s at most", file=sys.stderr)  # fmt: skip
            _await(lock, patience_s)
        events: list[Event] = list(
            WireReader(run.id, store.paths.run(run.id).wire, run.heard).read()
        )
        ended = any(isinstance(event, Ended) for event in events)
        if not ended and not (trains and patience_s is None):
            events.append(Ended(run.id, RunState.LOST, None, None, TUNER_LOST))
        store.record(events)


def _await(lock: ProcessLock, patience_s: float) -> None:
    deadline_s = time.monotonic() + patience_s
    while (owner := lock.owner()) is not None:
        if time.monotonic() > deadline_s:
            with suppress(ProcessLookupError):
                os.kill(owner, signal.SIGKILL)
            deadline_s += patience_s
        time.sleep(0.05)


@contextmanager
def _pausing_on_interrupt(tuner: Tuner, executor: Executor, policy: Policy) -> Iterator[None]:
    def handle(number: int, frame: object) -> None:
        if isinstance(policy, Calibration):
            policy.interrupt()
        if tuner.interrupt() == 1:
            print("\nPausing every run after its step; once more to stop at once.", file=sys.stderr)
        else:
            executor.kill()

    with on_interrupt(handle):
        yield


@contextmanager
def on_interrupt(handle: Callable[[int, object], None]) -> Iterator[None]:
    """Have Ctrl-C call `handle` in the block; not outside of the main thread, whose it is."""
    try:
        before = signal.signal(signal.SIGINT, handle)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
