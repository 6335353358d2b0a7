"""Train on: a study that was interrupted or killed, or one of its runs from nothing."""

from pathlib import Path

from luthier.api.result import StudyResult, open_study
from luthier.api.tunable import Tunable
from luthier.core.action import Author, Fork
from luthier.core.budget import Budget
from luthier.core.constraint import Constraint
from luthier.core.errors import OptionError, StudyError, TargetError
from luthier.core.onward import onward
from luthier.core.script import root_of, script_of
from luthier.executors.machine import n_threads_each
from luthier.handle import check_writable
from luthier.policies.hand import Hand
from luthier.registry import from_recipe, make_policy, to_recipe
from luthier.sitting import DEFAULT_STORE, Observer, busy, sit
from luthier.stores.sqlite import SqliteStore
from luthier.stores.sqlite_file import list_studies
from luthier.worker.inbox import post
from luthier.worker.lock import ProcessLock
from luthier.worker.target import function_of, load_target


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

    Without a name it is the newest that is open, or with a budget the newest. With `by_hand` the
    policy is not asked: only what humans ask for is trained.
    """
    name = name or (None if budget else _newest_open(Path(store)))
    made = SqliteStore.open(Path(store), name, read_only=False)
    recipe = made.recipe
    if not recipe.get("target"):
        how = onward(made.study.name, recipe)
        raise TargetError(
            f"study {made.study.name!r} was not trained by a script of luthier tune; "
            + (f"its own loop goes on with it: {how}." if how else "imported, it cannot go on.")
        )
    if workers is not None:
        if by_hand:  # with other threads than a run had before, its last bits differ
            recipe["threads"] = recipe.get("threads") or n_threads_each(recipe["workers"])
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
    try:
        loaded = load_target(recipe["target"])
    except TargetError as error:
        raise TargetError(
            f"study {made.study.name!r} was trained by {recipe['target']}, "
            f"and goes on only with that: {error.args[0]}"
        ) from error
    made.set_constraints(_constraints(made, loaded))
    stored = recipe["policy"]  # none: the study died before it had chosen
    policy = Hand() if by_hand else from_recipe(stored) if stored else None
    if policy is None and made.study.budget.time_s is None:  # nothing to measure for
        policy = make_policy("asha" if made.study.max_steps else "full")
        recipe["policy"] = to_recipe(policy)
        made.set_recipe(recipe)
    sit(made, policy, function_of(loaded), recipe, observe)
    return StudyResult(made)


def _newest_open(store: Path) -> str | None:
    rows = list_studies(store) if store.exists() else []
    return next((row["name"] for row in rows if not row["closed"]), None)


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
    check_writable(study.store.path)
    lock = ProcessLock(study.store.paths.lock)
    if lock.owner() is not None:  # before anything is asked for, or its tuner would train it
        raise busy(study.store, lock)
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
