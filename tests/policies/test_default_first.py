"""A stated default point that looks good trains to its end early."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from luthier.core.action import Continue
from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.policies.default_first import default_goes_on

STATED, BARE = (make_space({"lr": Float(1e-5, 1.0, log=True, prior=p)}) for p in (1e-3, None))


def view_of(*curves: Sequence[float], stated: bool = True) -> StudyView:
    """Paused runs with these losses, of 30 steps; the first is the default point's."""
    trials, runs = {}, {}
    for number, values in enumerate(curves):
        point, n = {"lr": 1e-3 * (number + 1)}, len(values)
        trials[number] = Trial(number, point)
        curve = Curve(np.arange(1.0, n + 1), np.array(values, dtype=np.float64))
        runs[f"{number}.0"] = Run(f"{number}.0", number, point, float(n), state=RunState.PAUSED,
                                  step=float(n), curve=curve)  # fmt: skip
    study = Study("s", STATED if stated else BARE, "loss", max_steps=30)
    return StudyView(study, trials, runs, 1, 9)


def goes_on(view: StudyView) -> Continue | None:
    return default_goes_on(view, list(view.runs.values()))


GOOD, BEST, POOR = (1.0, 0.9), (0.9, 0.5), (1.0, 1.0)


def test_it_goes_on_unless_two_of_three_others_are_better() -> None:
    onward = Continue(run_id="0.0", to_step=3, reason="default-first")
    assert goes_on(view_of(GOOD, POOR, BEST, POOR)) == onward
    assert goes_on(view_of(GOOD, BEST, BEST, POOR)) is None
    assert goes_on(view_of(POOR, POOR, POOR, POOR)) == onward, "nothing speaks against it"
    assert goes_on(view_of(GOOD, POOR, (np.nan, np.nan), POOR)) == onward
    assert goes_on(view_of((np.nan, np.nan), POOR, POOR, POOR)) is None
    unmeasured = replace(view_of(POOR).runs["0.0"], curve=Curve(), step=6.0, to_step=6.0)
    view = view_of(POOR, POOR, POOR, POOR)
    assert goes_on(replace(view, runs={**view.runs, "0.0": unmeasured})) is None


def test_it_waits_for_three_others() -> None:
    assert goes_on(view_of(GOOD, POOR, POOR)) is None
    view = view_of(GOOD, POOR, POOR, ())
    waiting = replace(view.runs["3.0"], state=RunState.RUNNING, to_step=2.0)
    assert goes_on(replace(view, runs={**view.runs, "3.0": waiting})) is None


def test_later_it_has_to_be_the_best() -> None:
    longer = (1.0, 0.9, 0.8, 0.7, 0.65, 0.6, 0.6)
    assert goes_on(view_of(longer, BEST, POOR, POOR)) is None
    onward = goes_on(view_of(longer, POOR, POOR, POOR, GOOD))
    assert onward is not None
    assert onward.to_step == 10
    assert goes_on(view_of(np.linspace(1.0, 0.1, 30), POOR, POOR, POOR)) is None, "at its end"


def test_it_does_not_go_on_once_it_lies_flat() -> None:
    falls, flat = (1.0, 0.5, 0.4, 0.37, 0.35, 0.34), (1.0, 0.4, 0.399, 0.398, 0.397, 0.396)
    assert goes_on(view_of(falls, POOR, POOR, POOR)) is not None
    assert goes_on(view_of(flat, POOR, POOR, POOR)) is None
    assert goes_on(view_of((*falls, np.nan), POOR, POOR, POOR)) is None


def test_only_where_something_was_stated() -> None:
    assert goes_on(view_of(BEST, POOR, POOR, POOR, stated=False)) is None
    view = view_of(BEST, POOR, POOR, POOR)
    training = replace(view.runs["0.0"], state=RunState.RUNNING, to_step=3.0)
    assert goes_on(replace(view, runs={**view.runs, "0.0": training})) is None
