"""Policies and samplers on pictures of a study, without any training."""

import numpy as np
import pytest

from luthier.contracts import Policy, Sampler
from luthier.core.action import Continue, Start, Stop
from luthier.core.curve import Curve
from luthier.core.domain import Choice, Float, Int
from luthier.core.errors import ConstraintError, PolicyError
from luthier.core.space import Space, make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.policies.asha import Asha
from luthier.policies.drawing import draw
from luthier.policies.full import Full
from luthier.policies.halving import SuccessiveHalving
from luthier.samplers.fixed import Fixed
from luthier.samplers.grid import Grid
from luthier.samplers.random import Random
from luthier.samplers.sobol import Sobol

SPACE = make_space({"lr": Float(1e-4, 1, log=True), "n": Int(1, 4), "opt": Choice("a", "b")})
POINTS = ({"lr": 0.1, "n": 1, "opt": "a"}, {"lr": 0.01, "n": 2, "opt": "b"})
SAMPLERS = [Random(), Sobol(), Grid(), Fixed(POINTS)]


def view(
    *runs: Run, n_free: int = 2, n_new: int = 2, space: Space = SPACE, max_steps: int | None = 9
) -> StudyView:
    study = Study("s", space, "loss", max_steps=max_steps)
    trials = {run.trial: Trial(run.trial, run.params) for run in runs}
    return StudyView(study, trials, {run.id: run for run in runs}, n_free, n_new)


def run(
    trial: int, step: int, loss: float, state: RunState = RunState.PAUSED, **more: object
) -> Run:
    curve = Curve(np.arange(1.0, step + 1), np.full(step, loss))
    params = {"lr": 0.5, "n": 1, "opt": "a"}
    return Run(f"{trial}.0", trial, params, step, state=state, step=step, curve=curve, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("n", [1, 7])
def test_every_sampler(sampler: Sampler, n: int) -> None:
    seen = view(run(0, 1, float("nan")), run(1, 1, 1.0, RunState.RUNNING))
    for picture in (view(), seen):
        rows = sampler.suggest(picture, n, np.random.default_rng(1))
        again = sampler.suggest(picture, n, np.random.default_rng(1))
        assert rows.shape[0] <= n
        assert rows.shape[1] == 3
        assert ((rows >= 0) & (rows <= 1)).all()
        np.testing.assert_array_equal(rows, again)


def test_finite_samplers_end() -> None:
    grid = make_space({"n": Int(1, 3), "opt": Choice("a", "b"), "m": Int(1, 2, when={"opt": "a"})})
    points = draw(view(space=grid), Grid(), 99)
    assert len(points) == 3 * (2 + 1)
    assert draw(view(), Fixed(POINTS), 99) == list(POINTS)
    assert len(draw(view(space=grid), Random(), 99)) == 9, "a finite space has no more points"


def test_priors_come_first_and_constraints_hold() -> None:
    space = make_space({"a": Float(0, 1, prior=0.25), "b": Float(0, 1)}, ["a < b"])
    points = draw(view(space=space), Sobol(), 20)
    assert points[0] == {"a": 0.25, "b": 0.5}
    assert all(p["a"] < p["b"] for p in points)
    assert len({tuple(p.items()) for p in points}) == 20
    with pytest.raises(ConstraintError, match="narrow"):
        draw(view(space=make_space({"a": Float(0, 1)}, ["a > 2"])), Random(), 1)


@pytest.mark.parametrize("policy", [Full(Random()), Asha(Random()), SuccessiveHalving(Random())])
def test_every_policy_starts_and_respects_its_limits(policy: Policy) -> None:
    assert len(policy.decide(view())) == 2
    assert len(policy.decide(view(n_new=1))) == 1
    assert policy.decide(view(n_free=0, n_new=0)) == []
    assert policy.decide(view()) == policy.decide(view()), "a function of the view"
    for action in policy.decide(view()):
        assert isinstance(action, Start)
        assert action.reason


def test_asha_promotes_the_best_third() -> None:
    runs = [run(i, 1, float(i)) for i in range(6)]
    actions = Asha(Random()).decide(view(*runs, n_free=3, n_new=3))
    promoted = [a for a in actions if isinstance(a, Continue)]
    assert [(a.run_id, a.to_step) for a in promoted] == [("0.0", 3), ("1.0", 3)]
    assert len(actions) == 3


def test_asha_never_promotes_what_diverged() -> None:
    runs = [run(i, 1, float("nan")) for i in range(6)]
    actions = Asha(Random()).decide(view(*runs))
    assert all(isinstance(a, Start) for a in actions)


def test_asha_trains_the_winner_to_the_end() -> None:
    runs = [run(0, 1, 2.0), run(1, 1, 1.0)]
    (action,) = Asha(Random()).decide(view(*runs, n_new=0))
    assert isinstance(action, Continue)
    assert (action.run_id, action.to_step) == ("1.0", 3)
    done = [run(0, 1, 2.0), run(1, 9, 1.0, RunState.COMPLETED)]
    assert Asha(Random()).decide(view(*done, n_new=0)) == []


def test_asha_stops_what_cannot_pause() -> None:
    kept = [run(i, 1, float(i), RunState.RUNNING, pausable=False) for i in range(3)]
    stops = [a for a in Asha(Random()).decide(view(*kept, n_free=0)) if isinstance(a, Stop)]
    assert [a.run_id for a in stops] == ["1.0", "2.0"]


def test_halving_waits_for_the_whole_rung() -> None:
    policy = SuccessiveHalving(Random(), n_points=3)
    waiting = [run(0, 1, 0.0), run(1, 1, 1.0), run(2, 0, 0.0, RunState.RUNNING)]
    assert policy.decide(view(*waiting)) == []
    full = [run(0, 1, 0.0), run(1, 1, 1.0), run(2, 1, 2.0)]
    (action,) = policy.decide(view(*full))
    assert isinstance(action, Continue)
    assert action.run_id == "0.0"


def test_rungs_need_a_last_step() -> None:
    with pytest.raises(PolicyError, match="max_steps"):
        Asha(Random()).decide(view(max_steps=None))
