"""Studies of Optuna become studies of ours: trials, curves, states, numbers that are none."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from luthier.core.action import Author, Start, Stop
from luthier.core.budget import Budget
from luthier.core.domain import as_tuple
from luthier.core.errors import OptionError, StudyError
from luthier.core.event import (
    Asked,
    Closed,
    Ended,
    Event,
    Obeyed,
    Proposed,
    Reported,
    Started,
    Ticked,
)
from luthier.core.study import Goal, Run, RunState, Study, Trial
from luthier.exchange.optuna_file import Found, read_studies
from luthier.exchange.optuna_space import plain, space_of
from luthier.policies.hand import Hand
from luthier.registry import to_recipe
from luthier.stores.sqlite import SqliteStore
from luthier.stores.sqlite_file import names_in

SEPARATE = "intermediate"  # metric of reports that the final values are not among
_NO_ERROR = "failed in Optuna, which keeps no message"
_STATES = {
    "COMPLETE": (RunState.COMPLETED, "complete in Optuna"),
    "PRUNED": (RunState.STOPPED, "pruned in Optuna"),
    "FAIL": (RunState.FAILED, "failed in Optuna"),
    "RUNNING": (RunState.LOST, "still running in Optuna when it was imported"),
}


@final
@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one study; `told`: what could not be kept as it was."""

    name: str
    n_trials: int
    told: tuple[str, ...]


def import_optuna(
    place: str, store: Path, study: str | None = None, name: str | None = None
) -> list[Imported]:
    """Bring the studies of an Optuna storage, or the one named `study`, into a store.

    `name` is the new name of a single study. Studies with several objectives are left out, and
    OptionError says so when there is no other. StudyError when a name is taken: then nothing is
    imported.
    """
    found = read_studies(place, study)
    several = [one.name for one in found if len(one.directions) != 1]
    single = [one for one in found if len(one.directions) == 1]
    if not single:
        raise OptionError(
            f"{', '.join(several)}: studies with several objectives are not imported, since a "
            "study here has one metric. Make one number of them in Optuna and import that."
        )
    if name is not None and len(single) > 1:
        raise OptionError(f"--name {name!r} for {len(single)} studies; choose one with --study.")
    names = [name or _usable(one.name) for one in single]
    taken = names_in(store)
    if twice := sorted({n for n in names if n in taken or names.count(n) > 1}):
        raise StudyError(
            f"{store} has {', '.join(map(repr, twice))} already; import one study at a time under "
            "another name (--study NAME --name NEW), or into another --store."
        )
    imported = [_import(one, called, store) for one, called in zip(single, names, strict=True)]
    left_out = [
        Imported(one, 0, ("not imported: it has several objectives; a study here has one metric",))
        for one in several
    ]
    return imported + left_out


def _import(found: Found, name: str, store: Path) -> Imported:
    trials = [t for t in found.trials if t.state.name in _STATES]
    space, told = space_of(trials)
    metric = found.metrics[0] if found.metrics else "value"
    separate = _is_separate(trials)
    if separate:
        told.append(
            f"final values are not among the intermediate ones, so these are kept as the metric "
            f"{SEPARATE!r}, and {metric!r} has the final values alone"
        )
    if n_waiting := len(found.trials) - len(trials):
        told.append(f"{n_waiting} waiting trials had not begun and are left out")
    last = [max(t.intermediate_values, default=1) for t in trials if t.state.name == "COMPLETE"]
    goal: Goal = "maximize" if found.directions[0] == "maximize" else "minimize"
    budget = Budget(n_trials=len(trials) or None)
    study = Study(name, space, metric, goal, max(last, default=0) or None, budget=budget)
    words = {str(t.number): other for t in trials if (other := _other_attributes(t))}
    recipe = {
        "target": "",
        "policy": to_recipe(Hand()),
        "environment": {},  # where it was trained is not known
        "imported": {"from": "Optuna", "study": found.name,
                     "attributes": _json(found.attributes), "trial_attributes": words},
    }  # fmt: skip
    made = SqliteStore.create(store, study, recipe)
    try:
        made.record(list(_events(trials, metric, separate)))
        told += _other_best(made, trials)
    finally:
        made.close()
    if words:
        names = sorted({key for attributes in words.values() for key in attributes})
        told.append(f"user attributes that are no numbers are kept in the recipe: {names}")
    return Imported(name, len(trials), tuple(told))


def _events(trials: Sequence[Any], metric: str, separate: bool) -> Iterator[Event]:
    number = 0
    for trial in trials:
        params = {name: plain(value) for name, value in trial.params.items()}
        run_id = f"{trial.number}.0"
        state, reason = _STATES[trial.state.name]
        began_s = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
        ended_s = trial.datetime_complete.timestamp() if trial.datetime_complete else began_s
        last = float(max(trial.intermediate_values, default=1))
        number += 1
        yield Asked(number, Start(params=params, to_step=last, reason="Optuna"), began_s)
        yield Proposed(Run(run_id, trial.number, params, last), Trial(trial.number, params))
        yield Started(run_id, 0.0, False)
        yield Obeyed(run_id, number, 0.0)
        yield from _reports(trial, run_id, metric, separate, last)
        if state is RunState.STOPPED:
            number += 1
            stop = Stop(run_id=run_id, reason="pruned in Optuna", author=Author.POLICY)
            yield Asked(number, stop, ended_s)
            yield Obeyed(run_id, number, last)
        yield Ended(run_id, state, last if state is RunState.COMPLETED else None,
                    max(0.0, ended_s - began_s), reason,
                    _NO_ERROR if state is RunState.FAILED else "")  # fmt: skip
    yield Ticked(_busy_s(trials))
    yield Closed("imported from Optuna")


def _reports(
    trial: Any,  # noqa: ANN401
    run_id: str,
    metric: str,
    separate: bool,
    last: float,
) -> Iterator[Event]:
    """The curve, the final value and the attributes that are numbers; the clock is not known."""
    steps = sorted(trial.intermediate_values)
    if steps:
        rows = [[float(step), math.nan, float(trial.intermediate_values[step])] for step in steps]
        yield Reported(run_id, (SEPARATE if separate else metric,), np.array(rows))
    at_end = {k: float(v) for k, v in trial.user_attrs.items() if _is_number(v) and k != metric}
    final = trial.values[0] if trial.values else None
    if final is not None and (not steps or (separate and trial.state.name == "COMPLETE")):
        at_end = {metric: float(final), **at_end}
    if at_end:
        yield Reported(run_id, tuple(at_end), np.array([[last, math.nan, *at_end.values()]]))


def _is_separate(trials: Sequence[Any]) -> bool:
    """Whether some trial ended with a value that is none of those that it had reported."""
    return any(
        not any(_same(trial.values[0], value) for value in trial.intermediate_values.values())
        for trial in trials
        if trial.state.name == "COMPLETE" and trial.intermediate_values
    )


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6) or (math.isnan(one) and math.isnan(other))


def _other_best(store: SqliteStore, trials: Sequence[Any]) -> list[str]:
    """Optuna compares final values, we the best steps: said where that makes a difference."""
    study = store.study
    done = [t for t in trials if t.state.name == "COMPLETE" and math.isfinite(t.values[0])]
    best = store.view().best()
    if not done or best is None:
        return []
    theirs = min(done, key=lambda t: study.loss(t.values[0]))
    if theirs.number == best.trial:
        return []
    return [
        f"the best by its final value is trial {theirs.number} ({theirs.values[0]:.6g}); by its "
        f"best step, which counts here, it is trial {best.trial} "
        f"({study.loss(best.best_loss):.6g} at step {best.best_step:g})"
    ]


def _busy_s(trials: Sequence[Any]) -> float:
    """Seconds in which at least one trial ran."""
    total, reached = 0.0, -math.inf
    for trial in sorted((t for t in trials if t.datetime_start and t.datetime_complete),
                        key=lambda t: t.datetime_start):  # fmt: skip
        began, ended = trial.datetime_start.timestamp(), trial.datetime_complete.timestamp()
        total += max(0.0, ended - max(began, reached))
        reached = max(reached, ended)
    return total


def _other_attributes(trial: Any) -> Mapping[str, Any]:  # noqa: ANN401
    return _json({k: v for k, v in trial.user_attrs.items() if not _is_number(v)})


def _json(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that JSON can hold; others, and numbers that are none, by their text."""
    return {
        str(key): as_tuple(value) if isinstance(value, list) else value
        if isinstance(value, str | int | float | dict | None) else str(value)
        for key, value in attributes.items()
    }  # fmt: skip


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _usable(name: str) -> str:
    """A name that can be a folder's."""
    clean = "".join(c if c.isprintable() and c != "/" else "-" for c in name).lstrip(".")
    return clean or "optuna"
