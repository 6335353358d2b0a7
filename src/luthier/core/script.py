"""The live changes that made a run what it is: what replay repeats and a schedule exports."""

from collections.abc import Sequence

from luthier.core.action import Change, Fork, Plan, RollBack
from luthier.core.course import extras
from luthier.core.domain import Value
from luthier.core.ledger import Entry
from luthier.core.study import Run, StudyView


def root_of(view: StudyView, run_id: str) -> Run:
    """The run that began from nothing, of which this one is a continuation."""
    run = view.runs[run_id]
    return root_of(view, run.parent.run_id) if run.parent else run


def script_of(view: StudyView, diary: Sequence[Entry], run_id: str) -> Plan:
    """Every change that still holds, in the order of its step, parents' changes included.

    What was trained in vain before a rollback is not in it, nor a parent's life after the fork.
    """
    run = view.runs[run_id]
    found: list[tuple[float, dict[str, Value]]] = []
    if run.parent is not None:
        parent = view.runs[run.parent.run_id]
        found = [
            (step, dict(params))
            for step, params in script_of(view, diary, parent.id)
            if step < run.parent.step
        ]
        before = _after(dict(view.trials[root_of(view, parent.id).trial].params), found)
        first = view.trials[run.trial].params if run.trial != parent.trial else before
        changed = {k: v for k, v in first.items() if before.get(k) != v}
        if changed:
            found.append((run.parent.step, changed))
    start = dict(view.trials[root_of(view, run_id).trial].params)
    for entry in sorted(diary, key=lambda e: (e.obeyed, e.number)):  # one may wait for its step
        if entry.run_id == run_id and entry.state == "obeyed" and isinstance(entry.action, Fork):
            if own := extras(entry.action.params):
                found.append((run.parent.step if run.parent else 0.0, own))
            continue
        if entry.run_id != run_id or entry.state != "obeyed" or entry.step is None:
            continue
        if isinstance(entry.action, Change):
            found.append((entry.step, dict(entry.action.params)))
        elif isinstance(entry.action, RollBack):
            # the checkpoint of a step was taken before the changes at that step; values stay
            now = {**_after(start, found), **entry.action.params}
            found = [(step, params) for step, params in found if step < entry.step]
            then = _after(start, found)
            if kept := {k: v for k, v in now.items() if then.get(k) != v}:
                found.append((entry.step, kept))
    return tuple(found)


def params_at(
    view: StudyView, diary: Sequence[Entry], run_id: str, step: float
) -> dict[str, Value]:
    """The run's parameters as its checkpoint at `step` holds them."""
    script = [(at, dict(p)) for at, p in script_of(view, diary, run_id) if at < step]
    return _after(dict(view.trials[root_of(view, run_id).trial].params), script)


def _after(
    params: dict[str, Value], script: Sequence[tuple[float, dict[str, Value]]]
) -> dict[str, Value]:
    for _, changed in script:
        params = {**params, **changed}
    return params
