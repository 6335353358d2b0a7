"""What a second look has shown of early losses."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from luthier.core.action import Continue, Start
from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.entry import Entry
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.policies.believed import believed_from
from luthier.policies.first_step import SECOND
from luthier.policies.second_look import LOOKS_POOR

LAST = 40
STUDY = Study("s", make_space({"x": Float(0.0, 1.0)}), "loss", max_steps=LAST)
GOOD = 1.0 + 1.0 / np.arange(1.0, LAST + 1)


def jump(step: int, to: float, n: int = LAST // 2) -> np.ndarray:
    """Losses that are poor up to a step, and lower from it on."""
    return np.where(np.arange(1, n + 1) < step, 3.0, to)


def view_of(curves: Sequence[np.ndarray], looked: Sequence[int]) -> StudyView:
    """Runs of two steps each, which then went on in the order given: to the end, or on a look."""
    runs, trials, begun, went_on = {}, {}, [], []
    for n, losses in enumerate(curves):
        point, name, n_steps = {"x": n / 99}, f"{n}.0", len(losses)
        curve = Curve(np.arange(1.0, n_steps + 1), losses)
        runs[name] = Run(name, n, point, n_steps, state=RunState.PAUSED, step=n_steps, curve=curve)
        trials[n] = Trial(n, point)
        begun.append(Entry(n, Start(params=point, to_step=2, reason="new-point"), 0.0, name))
        to_step, reason = (LAST // 2, LOOKS_POOR) if n in looked else (LAST, "most-promising")
        action = Continue(run_id=name, to_step=to_step, reason=reason)
        went_on.append(Entry(99 + n, action, 0.0, name, step=2))
    return StudyView(STUDY, trials, runs, 1, 1, 0.0, (*begun, *went_on))


def from_step(view: StudyView) -> int:
    return believed_from(view, list(view.current().values()))


def test_losses_are_believed_from_where_a_run_that_looked_poor_took_the_lead() -> None:
    assert from_step(view_of([GOOD, jump(10, 0.9)], looked=[1])) == 10
    assert from_step(view_of([GOOD, jump(11, 0.9)], looked=[1])) == 13, "the next of the grid"
    assert from_step(view_of([GOOD, jump(20, 0.9)], looked=[1])) == 20
    both = view_of([GOOD, jump(18, 0.9), jump(7, 0.8)], looked=[1, 2])
    assert from_step(both) == 7, "the earliest of several"


def test_they_are_believed_as_before_where_it_did_not() -> None:
    assert from_step(view_of([GOOD, jump(10, 1.2)], looked=[1])) == SECOND
    assert from_step(view_of([GOOD, jump(10, 0.9)], looked=[])) == SECOND, "it looked good"
    assert from_step(view_of([jump(10, 0.9)], looked=[0])) == SECOND, "nothing is beside it"
    assert from_step(view_of([GOOD, jump(10, 0.9, n=12)], looked=[1])) == SECOND, "on its way"
    lost = np.where(np.arange(20) < 9, 3.0, np.nan)
    assert from_step(view_of([GOOD, lost], looked=[1])) == SECOND


def test_who_comes_later_does_not_change_what_was_seen() -> None:
    before = view_of([GOOD, jump(10, 0.9)], looked=[1])
    after = view_of([GOOD, jump(10, 0.9), GOOD - 0.5], looked=[1])
    assert from_step(before) == from_step(after) == 10


def test_noise_that_is_soon_over_does_not_hide_it() -> None:
    losses = jump(10, 0.9)
    losses[14] = 2.0
    assert from_step(view_of([GOOD, losses], looked=[1])) == 10
    view = view_of([GOOD, losses], looked=[1])
    other = replace(view.runs["1.0"], id="1.1")
    retried = replace(view, runs=view.runs | {"1.1": other})
    assert from_step(retried) == SECOND, "a new attempt is another curve"
