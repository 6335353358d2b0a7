"""Importances on functions whose variance is known."""

import math

import numpy as np
import pytest

from luthier.core.curve import Curve
from luthier.core.domain import Choice, Float
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.importance import N_LEAST, importances

SPACE = make_space(
    {
        "lr": Float(1e-4, 1, log=True),
        "width": Float(0, 1),
        "kind": Choice("a", "b"),
        "idle": Float(0, 1),
    }
)


def view(n: int, seed: int = 0, n_diverged: int = 0) -> StudyView:
    """3 lr + 2 width + kind, noise 0.1."""
    study = Study("s", SPACE, "loss", seed=seed)
    rng = np.random.default_rng(seed)
    runs, trials = {}, {}
    for number in range(n):
        params = SPACE.from_unit(rng.random(4))
        lr, width, kind, _ = SPACE.to_unit(params)
        loss = 3 * lr + 2 * width + (1 if kind > 0.5 else 0) + 0.1 * rng.normal()
        if number < n_diverged:
            loss = math.nan
        trials[number] = Trial(number, params)
        runs[f"{number}.0"] = Run(
            f"{number}.0", number, params, 9, state=RunState.COMPLETED, step=1.0,
            curve=Curve(np.array([1.0]), np.array([loss])),
        )  # fmt: skip
    return StudyView(study, trials, runs)


def test_the_shares_of_a_known_function() -> None:
    """Variances of the terms: 9/12, 4/12, 1/4 and none."""
    found = importances(view(300))
    exact = dict(zip(SPACE.names, np.array([0.75, 1 / 3, 0.25, 0.0]) / (4 / 3), strict=True))
    assert [one.name for one in found] == ["lr", "width", "kind", "idle"]
    for one in found:
        assert one.value == pytest.approx(exact[one.name], abs=0.08)
        assert 0 < one.error < 0.15
    assert importances(view(300)) == found


def test_runs_that_gave_no_number_count_as_the_worst() -> None:
    assert importances(view(60, n_diverged=5))[0].name == "lr"


def test_more_trials_are_surer() -> None:
    few, many = (np.mean([o.error for o in importances(view(n))]) for n in (20, 400))
    assert many < few


@pytest.mark.parametrize("n", [0, N_LEAST - 1])
def test_few_trials_say_nothing(n: int) -> None:
    assert importances(view(n)) == []
