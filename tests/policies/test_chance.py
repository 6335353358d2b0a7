"""The chance of having been the best: against what really came of it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from luthier.core.budget import Budget
from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.policies.chance import PRIOR_R, chance_of_best, correlation, normal_scores

SPACE = make_space({"x": Float(0, 1)})


def picture(early: np.ndarray, late: np.ndarray, finished: list[int], n_trials: int) -> StudyView:
    """Runs at step 1 with losses `early`; those `finished` were trained to step 2."""
    study = Study("s", SPACE, "loss", max_steps=2, budget=Budget(n_trials=n_trials))
    runs = {}
    for i, loss in enumerate(early):
        done = i in finished
        losses = np.array([loss, late[i]] if done else [loss])
        steps = np.arange(1.0, len(losses) + 1)
        state = RunState.COMPLETED if done else RunState.PAUSED
        run = Run(f"{i}.0", i, {"x": 0.5}, 1, None, state, len(losses), curve=Curve(steps, losses))
        runs[run.id] = run
    return StudyView(study, {i: Trial(i, {"x": 0.5}) for i in range(len(early))}, runs)


@pytest.mark.parametrize(
    ("r", "low", "high"), [(0.0, 0.35, 0.8), (0.5, 0.15, 0.45), (0.9, 0.0, 0.1)]
)
def test_chances_are_what_happens(r: float, low: float, high: float) -> None:
    """Of runs left at their first step, as many were the best as the chances had said."""
    rng = np.random.default_rng(1)
    n, said, came, worst_third = 30, 0.0, 0, 0.0
    for _ in range(60):
        early = rng.standard_normal(n)
        late = r * early + math.sqrt(1 - r * r) * rng.standard_normal(n)
        order = np.argsort(early)
        finished, left = order[: n // 3].tolist(), order[n // 3 :]
        # scales and offsets mean nothing to ranks
        view = picture(1e6 + np.exp(early), 50 * late, finished, n)
        chances = [chance_of_best(view, view.runs[f"{i}.0"], 1) for i in left]
        said += sum(chances)
        worst_third += sum(chances[-10:])
        came += int(np.argmin(late) in left)
    # the rest of the difference is the belief held before much was seen, which is PRIOR_R
    assert low <= said / 60 <= high
    assert low <= came / 60 <= high
    assert worst_third < said / 2, "they are half of those left"


def test_chances_fall_with_the_rank_and_count_all_trials() -> None:
    early = np.arange(10.0)
    view = picture(early, early, [0, 1], 10)
    chances = [chance_of_best(view, run, 1) for run in view.runs.values()]
    assert chances == sorted(chances, reverse=True)
    larger = picture(early, early, [0, 1], 100)
    assert chance_of_best(larger, larger.runs["5.0"], 1) < chances[5]
    alone = picture(np.array([1.0]), np.array([1.0]), [], 1)
    assert chance_of_best(alone, alone.runs["0.0"], 1) == 1.0


def test_those_left_before_and_those_to_come_count() -> None:
    """The middle one of three that went on, of thirty, is the second of thirty."""
    early = np.arange(30.0)
    late = early.copy()
    of_all = picture(early, late, [], 30)
    second = chance_of_best(of_all, of_all.runs["1.0"], 1)
    went_on = picture(early, late, [0, 1, 2], 30)
    runs = {i: replace(run, state=RunState.PAUSED) for i, run in went_on.runs.items()}
    view = replace(went_on, runs=runs)
    assert chance_of_best(view, view.runs["1.0"], 2) == pytest.approx(second)
    # half of a budget of steps is spent, and as many trials are to come
    spent = sum(run.step for run in runs.values())
    half = replace(view, study=replace(view.study, budget=Budget(n_steps=2 * spent)))
    sixty = replace(view, study=replace(view.study, budget=Budget(n_trials=60)))
    chances = [chance_of_best(v, v.runs["1.0"], 2) for v in (half, sixty)]
    assert chances[0] == chances[1] < second


def test_nan_and_ties() -> None:
    scores = normal_scores(np.array([1.0, math.inf, 1.0, math.inf, 0.0]))
    assert scores[0] == scores[2]
    assert scores[1] == scores[3] == max(scores)
    view = picture(np.array([1.0, math.nan, 0.5]), np.array([1.0, math.nan, 0.5]), [2], 3)
    p = [chance_of_best(view, run, 1) for run in view.runs.values()]
    assert p[1] == min(p)


def test_correlation_of_selected_runs_is_corrected() -> None:
    rng = np.random.default_rng(0)
    early = rng.standard_normal(3000)
    late = 0.8 * early + 0.6 * rng.standard_normal(3000)
    scores = normal_scores(early)
    done = np.argsort(early)[:300].tolist()
    naive = float(np.corrcoef(scores[done], late[done])[0, 1])
    assert naive < 0.6
    assert correlation(scores, done, late[done]) == pytest.approx(0.8, abs=0.08)
    assert correlation(scores, [], np.empty(0)) == pytest.approx(PRIOR_R)
