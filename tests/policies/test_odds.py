"""Putting a model to the test that gives nobody a chance."""

import numpy as np

from luthier.core.action import Continue
from luthier.core.domain import Float
from luthier.core.entry import Entry
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.policies.odds import AGAINST, Odds, may_test

MEAN, SPREAD = np.array([3.0, 2.5, 2.4, 1.0]), np.array([1.5, 0.2, 0.2, 0.1])
MAY = np.array([True, True, True, False])


def challengers(chance: float) -> list[object]:
    odds = Odds(MEAN, SPREAD, np.full(4, chance))
    return [odds.challenger(MAY, np.random.default_rng(seed)) for seed in range(40)]


def test_who_might_end_lowest_goes_on_in_some_of_the_decisions() -> None:
    chosen = challengers(0.01)
    assert set(chosen) == {None, 0}, "3 - 1.5 is lower than 2.4 - 0.2; the lowest may not go on"
    assert 8 < chosen.count(0) < 32


def test_not_as_long_as_anybody_has_a_chance_nor_with_nobody_to_send() -> None:
    assert set(challengers(0.2)) == {None}
    odds = Odds(MEAN, SPREAD, np.zeros(4))
    rngs = [np.random.default_rng(seed) for seed in range(10)]
    assert {odds.challenger(np.zeros(4, dtype=bool), rng) for rng in rngs} == {None}


def view_with(*slices: tuple[str, float, float]) -> StudyView:
    """Two runs of 40 of 50 steps; slices that were sent on against the odds."""
    points = [{"x": 0.2}, {"x": 0.7}]
    runs = {
        f"{n}.0": Run(f"{n}.0", n, point, 40.0, state=RunState.PAUSED, step=40.0)
        for n, point in enumerate(points)
    }
    diary = tuple(
        Entry(n, Continue(run_id=run_id, to_step=end, reason=AGAINST), 0.0, run_id, step=start)
        for n, (run_id, start, end) in enumerate(slices)
    )
    study = Study("s", make_space({"x": Float(0.0, 1.0)}), "loss", max_steps=50)
    trials = {n: Trial(n, point) for n, point in enumerate(points)}
    return StudyView(study, trials, runs, 1, 1, 0.0, diary)


def test_tests_cost_half_a_training_at_most_unless_they_pay() -> None:
    best = view_with().runs["0.0"]
    assert may_test(view_with(), best)
    assert may_test(view_with(("1.0", 10, 20), ("1.0", 20, 30)), best)
    assert not may_test(view_with(("1.0", 10, 20), ("1.0", 20, 36)), best)
    assert may_test(view_with(("0.0", 2, 40)), best), "that one is the best now"
