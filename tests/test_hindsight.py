"""What results say of the space: priors far from all that was good, ranges that end too soon."""

import math
from dataclasses import replace

import numpy as np
import pytest

from luthier.core.curve import Curve
from luthier.core.domain import Choice, Float, Int
from luthier.core.space import make_space
from luthier.core.study import Checkpoint, Run, RunState, Study, StudyView, Trial
from luthier.hindsight import misjudged


def view(prior: float | None, best: float, n: int = 30, **more: float) -> StudyView:
    """Trials all over the range, the loss being the distance in decades from `best`."""
    decay = Float(more.get("low", 1e-8), more.get("high", 0.1), log=True, prior=prior)
    space = make_space({"decay": decay, "drop": Float(0.0, 1.0), "kind": Choice("a", "b")})
    study, runs = Study("s", space, "loss", max_steps=1), {}
    rng = np.random.default_rng(0)
    for i in range(n):
        params = space.from_unit(rng.random(space.dimension))
        loss = abs(math.log10(params["decay"] / best)) if i else math.nan
        curve = Curve(np.array([1.0]), np.array([loss]))
        runs[f"{i}.0"] = Run(f"{i}.0", i, params, 1, state=RunState.COMPLETED, step=1, curve=curve)
    return StudyView(study, {r.trial: Trial(r.trial, r.params) for r in runs.values()}, runs)


def test_a_prior_far_from_all_that_was_good() -> None:
    (found,) = misjudged(view(prior=5e-2, best=1e-6))
    assert (found.name, found.what, found.stated) == ("decay", "prior", 5e-2)
    assert 1e-8 < found.lowest < 1e-6 < found.highest < 1e-3
    assert "prior for decay looks wrong: 0.05; the best 9 trials lie at" in str(found)
    assert misjudged(view(prior=1e-5, best=1e-6)) == ()
    assert misjudged(view(prior=None, best=1e-6)) == ()


@pytest.mark.parametrize("n", [5, 9])
def test_few_trials_say_nothing(n: int) -> None:
    assert misjudged(view(prior=5e-2, best=1e-6, n=n)) == (), "one of them has no number"


def test_runs_of_one_line_count_once() -> None:
    seen = view(prior=5e-2, best=1e-6)
    runs = dict(seen.runs)
    best = min(runs.values(), key=lambda r: r.best_loss if r.best_loss == r.best_loss else 9.0)
    for i in range(30, 60):  # forks of the best, which would be all of the better third
        parent = Checkpoint(best.id, 1, "f", 0, 0)
        runs[f"{i}.0"] = replace(best, id=f"{i}.0", trial=i, parent=parent)
    trials = {r.trial: Trial(r.trial, r.params) for r in runs.values()}
    assert misjudged(replace(seen, runs=runs, trials=trials)) == misjudged(seen)


def test_a_range_of_few_whole_numbers() -> None:
    space = make_space({"depth": Int(1, 8)})
    runs = {}
    for i in range(40):
        params = {"depth": 1 + i % 8}
        curve = Curve(np.array([1.0]), np.array([9.0 - params["depth"] + i / 100]))
        runs[f"{i}.0"] = Run(f"{i}.0", i, params, 1, state=RunState.COMPLETED, step=1, curve=curve)
    trials = {r.trial: Trial(r.trial, r.params) for r in runs.values()}
    (found,) = misjudged(StudyView(Study("s", space, "loss", max_steps=1), trials, runs))
    assert str(found).endswith("it ends at 8; the best 4 trials lie at 8")


def test_of_what_the_best_trial_does_not_have_nothing_is_said() -> None:
    kind = Choice("full", "probe")
    depth = Int(1, 8, when={"kind": "probe"})
    runs = {}
    for i in range(40):
        params = {"kind": "probe", "depth": 1 + i % 8} if i else {"kind": "full"}
        loss = 9.0 - params["depth"] + i / 100 if i else 0.0
        curve = Curve(np.array([1.0]), np.array([loss]))
        runs[f"{i}.0"] = Run(f"{i}.0", i, params, 1, state=RunState.COMPLETED, step=1, curve=curve)
    trials = {r.trial: Trial(r.trial, r.params) for r in runs.values()}
    space = make_space({"kind": kind, "depth": depth})
    study = Study("s", space, "loss", max_steps=1)
    assert misjudged(StudyView(study, trials, runs)) == ()
    without = {key: run for key, run in runs.items() if run.trial}
    assert len(misjudged(StudyView(study, trials, without))) == 1


def test_a_range_that_ends_too_soon() -> None:
    (low,) = misjudged(view(prior=None, best=1e-12, n=120))
    assert (low.what, low.stated) == ("low", 1e-8)
    assert "range for decay looks too narrow: it ends at 1e-08" in str(low)
    (high,) = misjudged(view(prior=None, best=1e3, n=120))
    assert (high.what, high.stated) == ("high", 0.1)
