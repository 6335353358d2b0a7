"""One run that the caller trains itself, recorded and open to every hand."""

import math
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from luthier.contracts import Policy
from luthier.core.action import Author, Continue
from luthier.core.domain import Float, Int, Value
from luthier.core.errors import StudyError
from luthier.core.space import Space, make_space
from luthier.core.study import RunState, Study, metric_and_goal
from luthier.environment import environment
from luthier.executors.here import HereExecutor
from luthier.policies.hand import Hand
from luthier.registry import to_recipe
from luthier.sitting import DEFAULT_STORE, begin, bring_in, busy, on_interrupt
from luthier.stores.sqlite import SqliteStore
from luthier.stores.sqlite_file import list_studies
from luthier.tuner import Tuner
from luthier.unattended import attend
from luthier.worker.inbox import post
from luthier.worker.lock import ProcessLock
from luthier.worker.run import LiveRun
from luthier.worker.train import training


@contextmanager
def start(
    *,
    params: Mapping[str, Value],
    space: Space | Mapping[str, object] | None = None,
    minimize: str | None = None,
    maximize: str | None = None,
    max_steps: int | None = None,
    store: str | Path = DEFAULT_STORE,
    name: str | None = None,
    seed: int = 0,
    resume: bool = False,
) -> Iterator[LiveRun]:
    """One run, trained by the block itself: recorded, and open to `luthier set`, `watch`, ….

    `space` declares what may change (`live=True`) and within which range; without it every number
    in `params` may, within a factor of a thousand. With `resume` the newest study of that name goes
    on where it was paused. A stop or a pause ends the block; Ctrl-C pauses the run after its step
    and is raised then, a second one at once.
    """
    known = make_space(space or _around(params))
    metric, goal = metric_and_goal(minimize, maximize)
    path = Path(store)
    stem = Path(sys.argv[0]).stem or "run"
    going_on = name or _newest_of(path, stem) if resume else None
    executor = HereExecutor()
    tuners: list[Tuner] = []  # one, as soon as it listens
    policy = Hand(known.cast(params))
    recipe = {"target": "", "policy": to_recipe(policy), "executor": "here",
              "environment": environment()}  # fmt: skip

    def question(name: str) -> tuple[Study, Mapping[str, Any]]:
        return Study(name, known, metric, goal, max_steps, seed), recipe

    def listen() -> None:
        try:
            made = (
                SqliteStore.open(path, going_on, read_only=False)
                if going_on
                else begin(path, name, stem, question)
            )
            _listen(made, policy, executor, tuners)
            words = f"study {made.study.name!r} has no run that could go on."
            executor.assigned.put(StudyError(words))  # read only if nothing was started
        except BaseException as error:
            executor.assigned.put(error)

    thread = threading.Thread(target=listen, name="luthier-tuner", daemon=True)
    thread.start()
    assignment = executor.assigned.get()
    if isinstance(assignment, BaseException):
        raise assignment
    try:
        with (
            _pausing_on_interrupt(tuners[0]),
            training(assignment, executor.link, tell=True) as run,
        ):
            yield run
    finally:
        thread.join()


@contextmanager
def _pausing_on_interrupt(tuner: Tuner) -> Iterator[None]:
    n_interrupts = 0

    def handle(number: int, frame: object) -> None:
        nonlocal n_interrupts
        n_interrupts = tuner.interrupt()
        if n_interrupts > 1:
            raise KeyboardInterrupt
        print("\nPausing the run after its step; once more to stop at once.", file=sys.stderr)

    with on_interrupt(handle):
        yield
    if n_interrupts:
        raise KeyboardInterrupt from None


def _listen(
    store: SqliteStore, policy: Policy, executor: HereExecutor, tuners: list[Tuner]
) -> None:
    lock = ProcessLock(store.paths.lock)
    if not lock.acquire():
        store.close()
        raise busy(store, lock)
    try:
        bring_in(store)
        runs = store.view().current().values()
        for run in runs:
            if run.state is RunState.PAUSED:
                onward = Continue(
                    run_id=run.id, to_step=math.inf, reason="resumed", author=Author.HUMAN
                )
                post(store.paths.orders, onward)
        tuners.append(Tuner(store, policy, executor))
        tuners[0].run()
    finally:
        executor.close()
        lock.release()
        attend(store)  # what was asked for while the run ended
        store.close()


def _around(params: Mapping[str, Value]) -> dict[str, object]:
    """A space in which every number may change while training."""
    space: dict[str, object] = {}
    for name, value in params.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and isinstance(value, float) and value > 0:
            space[name] = Float(value / 1000, value * 1000, log=True, live=True)
        elif number and value > 0:
            space[name] = Int(1, max(2, value * 1000), log=True, live=True)
        elif number and isinstance(value, float):
            space[name] = Float(min(value, 0.0), 1.0, live=True)
        else:
            space[name] = value
    return space


def _newest_of(store: Path, stem: str) -> str | None:
    names = [row["name"] for row in list_studies(store)] if store.exists() else []
    return next((n for n in names if n.rpartition("-")[0] == stem), None)
