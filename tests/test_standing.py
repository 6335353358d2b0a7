"""How sure it is that the best is the best: against made-up studies whose truth is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.policies.autopilot.logbook import SLOWER
from luthier.standing import standing

STUDY = Study("s", make_space({"x": Float(0, 1)}), "loss")
STEPS = np.arange(1.0, 13.0)


def view_of(losses: list[NDArray[np.float64]], study: Study = STUDY) -> StudyView:
    trials = {i: Trial(i, {"x": i / len(losses)}) for i in range(len(losses))}
    runs = {
        f"{i}.0": Run(f"{i}.0", i, trials[i].params, 12.0, state=RunState.COMPLETED, step=12.0,
                      curve=Curve(STEPS[: len(y)], y))
        for i, y in enumerate(losses)
    }  # fmt: skip
    return StudyView(study, trials, runs)


def noisy(level: float, noise: float, rng: np.random.Generator) -> NDArray[np.float64]:
    return level + np.exp(-STEPS / 3) + noise * rng.standard_normal(len(STEPS))


@pytest.mark.parametrize(("noise", "spread"), [(0.02, 0.5), (0.05, 0.1), (0.1, 0.1)])
def test_the_best_is_the_best_about_as_often_as_is_said(noise: float, spread: float) -> None:
    rng = np.random.default_rng(1)
    told, true = [], []
    for _ in range(150):
        levels = spread * rng.standard_normal(10)
        found = standing(view_of([noisy(level, noise, rng) for level in levels]))
        assert found is not None
        assert found.noise_of == "reports"
        assert found.p_best is not None
        told.append(found.p_best)
        true.append(found.best.trial == levels.argmin())
    # 150 studies: a standard error of 0.04 at most; it is meant to say too little, not too much
    assert -0.2 < np.mean(told) - np.mean(true) < 0.08


def test_repeats_with_other_seeds_tell_the_noise_when_there_are_enough() -> None:
    rng = np.random.default_rng(2)
    view = view_of([noisy(level, 0.001, rng) for level in (0.1, 0.11, 0.5, 0.6)])
    sure = standing(view)
    assert sure is not None
    assert sure.p_best is not None
    assert sure.p_best > 0.95
    runs = dict(view.runs)
    for attempt, shift in enumerate((0.04, -0.03, 0.06), start=1):
        again = replace(runs["1.0"], id=f"1.{attempt}", seed=attempt,
                        curve=Curve(STEPS, runs["1.0"].curve.values + shift))  # fmt: skip
        runs[again.id] = again
    found = standing(StudyView(STUDY, view.trials, runs))
    assert found is not None
    assert found.noise_of == "repeats"
    assert found.noise == pytest.approx(np.std([0, 0.04, -0.03, 0.06], ddof=1), rel=0.05)
    assert found.best.trial == 1
    assert found.second is not None
    assert found.second.trial == 0  # not a repeat of the same point
    assert found.p_best is not None
    assert found.p_best < 0.9


def test_what_cannot_be_told_is_not_told() -> None:
    assert standing(view_of([np.full(12, math.nan)])) is None
    one = standing(view_of([np.array([1.0, 0.5])]))
    assert one is not None
    assert (one.n_rivals, one.noise_of, one.p_best) == (0, "unknown", None)
    flat = standing(view_of([np.full(12, 0.5), np.full(12, 0.5)]))  # counts that do not move
    assert flat is not None
    assert (flat.noise_of, flat.p_best) == ("unknown", None)


def test_the_metric_is_shown_as_reported() -> None:
    rng = np.random.default_rng(3)
    up = Study("s", STUDY.space, "accuracy", "maximize")
    found = standing(view_of([-noisy(a, 0.01, rng) for a in (0.9, 0.7)], up))
    assert found is not None
    assert found.value > found.second_value
    assert found.gap == pytest.approx(found.value - found.second_value)


def test_probes_of_the_autopilot_are_no_rivals() -> None:
    rng = np.random.default_rng(3)
    view = view_of([noisy(level, 0.01, rng) for level in (0.1, 0.5, 0.6)])
    probes = {
        run_id: replace(run, state=RunState.STOPPED, reason=SLOWER) if run.trial else run
        for run_id, run in view.runs.items()
    }
    found = standing(replace(view, runs=probes))
    assert found is not None
    assert (found.n_rivals, found.second, found.p_best) == (0, None, None)
    among = standing(view)
    assert among is not None
    assert among.n_rivals == 2


def test_a_run_that_broke_is_no_rival_but_may_be_the_best() -> None:
    rng = np.random.default_rng(3)
    view = view_of([noisy(level, 0.01, rng) for level in (0.1, 0.5, 0.6)])
    broke = {i: replace(run, state=RunState.FAILED) if run.trial < 2 else run
             for i, run in view.runs.items()}  # fmt: skip
    found = standing(replace(view, runs=broke))
    assert found is not None
    assert found.second is not None
    assert (found.best.trial, found.second.trial, found.n_rivals) == (0, 2, 1)
