"""What every sampler must do, and that those that learn have learned."""

import json
import math
from collections.abc import Mapping

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier import registry
from luthier.contracts import Sampler
from luthier.core.curve import Curve
from luthier.core.domain import Choice, Float, Int
from luthier.core.errors import OptionError, UnknownNameError
from luthier.core.space import Space, make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.policies.drawing import draw
from luthier.registry import from_recipe, to_recipe
from luthier.samplers.cma_es import CmaEs
from luthier.samplers.de import DifferentialEvolution
from luthier.samplers.fixed import Fixed
from luthier.samplers.gaussian_process import condition, fit
from luthier.samplers.gp import Gp, log_ei
from luthier.samplers.grid import Grid
from luthier.samplers.observed import active_of, observed, on_grid, units_of
from luthier.samplers.optuna import Optuna
from luthier.samplers.random import Random
from luthier.samplers.sobol import Sobol
from luthier.samplers.tpe import Tpe

MIXED = make_space(
    {
        "lr": Float(1e-4, 1, log=True),
        "width": Int(8, 512, log=True),
        "kernel": Choice((3, 3), (7, 1), (5, 5)),
        "fixed": 7,
        "momentum": Float(0, 1, when={"opt": "sgd"}),
        "beta": Float(0, 1, when={"opt": ["adam", "lion"]}),
        "opt": Choice("sgd", "adam", "lion"),
    }
)
PLAIN = make_space({"a": Float(0, 1), "b": Float(-5, 5)})
SINGLE = make_space({"n": Int(1, 20)})
NOTHING = make_space({"a": 1})
POINTS = ({"a": 0.1, "b": 1.0}, {"a": 0.5, "b": -1.0})
LEARNING: list[Sampler] = [
    Tpe(n_start=4), Gp(n_start=4), CmaEs(n_population=4), DifferentialEvolution(n_population=5),
    Optuna("TPESampler", {"multivariate": True, "n_startup_trials": 4}), Optuna("CmaEsSampler"),
]  # fmt: skip
SAMPLERS: list[Sampler] = [Random(), Sobol(), Grid(), *LEARNING]
LOSSES = (0.3, math.nan, 2.0, 1.0, math.inf, 0.5, -math.inf, 1.5, 0.2, 0.9, 1.1, 0.7)


def name_of(sampler: Sampler) -> str:
    return f"{type(sampler).__name__}-{getattr(sampler, 'sampler', '')}"


def finished(number: int, point: Mapping[str, object], *losses: float) -> Run:
    curve = Curve(np.arange(1.0, len(losses) + 1), np.array(losses))
    step = float(len(losses))
    return Run(f"{number}.0", number, point, step, None, RunState.COMPLETED, step, curve=curve)


def view_of(space: Space, *runs: Run, seed: int = 0) -> StudyView:
    study = Study("s", space, "loss", max_steps=9, seed=seed)
    trials = {run.trial: Trial(run.trial, run.params) for run in runs}
    return StudyView(study, trials, {run.id: run for run in runs}, 2, 2)


def lived_in(space: Space) -> StudyView:
    """Results of all kinds, runs that broke, wait, train, or were stopped, and trials without."""
    points = [
        space.from_unit(row) for row in np.random.default_rng(3).random((18, space.dimension))
    ]
    runs = [finished(k, points[k], loss) for k, loss in enumerate(LOSSES)]
    states = [RunState.FAILED, RunState.PAUSED, RunState.RUNNING, RunState.STOPPED, RunState.LOST]
    for k, state in enumerate(states, len(runs)):
        losses = Curve(np.array([0.5]), np.array([0.1 * k]))
        runs.append(Run(f"{k}.0", k, points[k], 1, None, state, 0.5, curve=losses))
    runs.append(Run("17.0", 17, points[17], 1))
    return view_of(space, *runs)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=name_of)
@pytest.mark.parametrize("space", [MIXED, PLAIN, SINGLE, NOTHING], ids=["mixed", "", "one", "none"])
def test_every_sampler(sampler: Sampler, space: Space) -> None:
    hopeless = [finished(k, space.from_unit(np.full(space.dimension, k / 8)), math.nan)
                for k in range(8)]  # fmt: skip
    for picture in (view_of(space), lived_in(space), view_of(space, *hopeless)):
        for n in (1, 7):
            rows = sampler.suggest(picture, n, np.random.default_rng(1))
            again = sampler.suggest(picture, n, np.random.default_rng(1))
            assert rows.shape[0] <= n
            assert rows.shape[1] == space.dimension
            assert ((rows >= 0) & (rows <= 1)).all()
            np.testing.assert_array_equal(rows, again)
            for row in rows:
                space.cast(space.from_unit(row))


def test_fixed_points_come_in_order() -> None:
    sampler = Fixed(POINTS)
    assert draw(view_of(PLAIN), sampler, 9) == list(POINTS)
    assert sampler.suggest(view_of(PLAIN, finished(0, POINTS[0], 1.0)), 9, None).shape == (1, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("sampler", LEARNING[:4], ids=name_of)
def test_finite_spaces_are_used_up(sampler: Sampler) -> None:
    space = make_space({"n": Int(1, 3), "o": Choice("a", "b"), "m": Int(1, 2, when={"o": "a"})})
    points = draw(view_of(space, *(finished(k, p, float(k)) for k, p in enumerate(
        [{"n": 1, "o": "b"}, {"n": 2, "o": "b"}, {"n": 3, "o": "b"}, {"n": 1, "o": "a", "m": 1},
         {"n": 2, "o": "a", "m": 1}]))), sampler, 99)  # fmt: skip
    assert len(points) == 4, "of nine, five were tried"


@pytest.mark.parametrize("sampler", SAMPLERS, ids=name_of)
def test_every_sampler_survives_its_recipe(sampler: Sampler) -> None:
    assert from_recipe(json.loads(json.dumps(to_recipe(sampler)))) == sampler


def test_every_name_makes_a_sampler() -> None:
    for name in registry.SAMPLERS.keys() - {"fixed"}:
        rows = registry.make_sampler(name).suggest(view_of(PLAIN), 2, np.random.default_rng(0))
        assert rows.shape == (2, 2)


QUADRATIC = make_space({f"x{k}": Float(0, 1) for k in range(4)})
CENTRE, WEIGHT = np.array([0.2, 0.7, 0.4, 0.9]), np.array([1, 2, 4, 1])


def best_of(sampler: Sampler, seed: int, n_trials: int = 60) -> float:
    """The lowest loss of a bowl in four dimensions of which a corner diverges."""
    runs: list[Run] = []
    losses = []
    for number in range(n_trials):
        (point,) = draw(view_of(QUADRATIC, *runs, seed=seed), sampler, 1)
        x = np.array(list(point.values()))
        loss = float(WEIGHT @ (x - CENTRE) ** 2) if x.sum() < 3 else math.nan
        losses.append(loss)
        runs.append(finished(number, point, loss))
    return float(np.nanmin(losses))


# share of random search's mean best loss that may be left, over the same three seeds
@pytest.mark.parametrize(
    ("sampler", "share"),
    [(Tpe(), 0.25), (Gp(), 0.01), (CmaEs(), 0.5), (DifferentialEvolution(), 0.7),
     (Optuna("TPESampler", {"multivariate": True}), 0.25)],
    ids=lambda x: name_of(x) if not isinstance(x, float) else "",
)  # fmt: skip
def test_what_learns_beats_random(sampler: Sampler, share: float) -> None:
    by_chance = np.mean([best_of(Random(), seed) for seed in range(3)])
    assert np.mean([best_of(sampler, seed) for seed in range(3)]) < share * by_chance


def test_tpe_and_gp_learn_choices_and_conditions() -> None:
    def loss(p: Mapping[str, object]) -> float:
        if p["opt"] == "sgd":
            return 1.0 + abs(float(p["momentum"]) - 0.9)  # type: ignore[arg-type]
        return (0.0 if p["kernel"] == (5, 5) else 0.5) + abs(float(p["beta"]) - 0.3)  # type: ignore[arg-type]

    points = [MIXED.from_unit(u) for u in np.random.default_rng(0).random((60, MIXED.dimension))]
    picture = view_of(MIXED, *(finished(k, p, loss(p)) for k, p in enumerate(points)))
    for sampler in (Tpe(), Gp()):
        rows = sampler.suggest(picture, 20, np.random.default_rng(0))
        drawn = [MIXED.from_unit(row) for row in rows]
        good = [p for p in drawn if p["opt"] != "sgd" and p["kernel"] == (5, 5)]
        assert len(good) >= 15, (sampler, drawn)
        assert np.mean([abs(p["beta"] - 0.3) for p in good]) < 0.2  # 0.29 by chance


def test_points_in_training_are_not_proposed_again() -> None:
    """Eight places at once do not all go to the same spot."""
    space = make_space({"x": Float(0, 1)})
    runs = [finished(k, {"x": k / 5}, loss) for k, loss in enumerate((3.0, 1.0, 2.0, 1.1, 2.5, 3))]
    points = sorted(p["x"] for p in draw(view_of(space, *runs), Gp(n_start=6), 4))
    assert min(np.diff(points)) > 0.01


def test_results_are_compared_at_one_step() -> None:
    """Two runs that came far outweigh many that were left early with a better or worse loss."""
    early = [Run(f"{k}.0", k, {"a": 0.5, "b": 0.0}, 1, None, RunState.PAUSED, 1,
                 curve=Curve(np.array([1.0]), np.array([0.01 * k]))) for k in range(5)]  # fmt: skip
    far = [finished(5, POINTS[0], 3.0, 2.0, 1.0), finished(6, POINTS[1], 3.0, 4.0, math.nan)]
    broken = Run("7.0", 7, POINTS[0], 1, None, RunState.FAILED)
    picture = view_of(PLAIN, *early, *far, broken)
    seen = observed(picture, n_least=2)
    assert seen.numbers.tolist() == [5, 6, 7]
    assert seen.losses.tolist() == [1.0, 3.0, math.inf]
    assert seen.finite_losses.tolist() == [1.0, 3.0, 3.0]
    assert len(seen.pending) == 5
    every = observed(picture, n_least=6)
    assert every.losses.tolist() == [0.0, 0.01, 0.02, 0.03, 0.04, 3.0, 3.0, math.inf]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.floats(0, 1), min_size=6, max_size=6), max_size=5))
def test_arrays_agree_with_the_space(rows: list[list[float]]) -> None:
    units = np.array(rows).reshape(len(rows), 6)
    points = [MIXED.from_unit(row) for row in units]
    expected = np.array([MIXED.to_unit(p) for p in points]).reshape(len(rows), 6)
    np.testing.assert_allclose(units_of(MIXED, points), expected, atol=1e-12)
    moved, active = on_grid(MIXED, units)
    np.testing.assert_array_equal(moved, units_of(MIXED, points))
    np.testing.assert_array_equal(active, active_of(MIXED, points))
    assert all(active[i].tolist() == [n in p for n in MIXED.names] for i, p in enumerate(points))


def test_gaussian_process_predicts_and_knows_its_noise() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((60, 3))
    truth = np.sin(6 * points[:, 0])
    values = truth + 0.1 * rng.standard_normal(60)
    kernel = fit(points, values)
    assert kernel.noise == pytest.approx(0.01, rel=0.8)
    assert kernel.lengths[0] < 0.5 * kernel.lengths[1:].min(), "one input matters"
    new = rng.random((200, 3))
    mean, sd = condition(kernel, points, values).at(new)
    error = mean - np.sin(6 * new[:, 0])
    assert np.sqrt(np.mean(error**2)) < 0.1
    assert np.mean(np.abs(error) < 1.28 * sd) > 0.7


def test_log_expected_improvement_is_exact_in_the_tail() -> None:
    from scipy.stats import norm

    for z in (-0.5, 0.0, 2.0, -3.0):
        exact = math.log(norm.pdf(z) + z * norm.cdf(z))
        assert log_ei(np.array([-z]), np.array([1.0]), 0.0)[0] == pytest.approx(exact, rel=1e-9)
    far = log_ei(np.array([10.0, 30.0, 31.0]), np.ones(3), 0.0)
    assert np.isfinite(far).all()
    assert far[0] > far[1] > far[2]


def test_any_sampler_of_optuna() -> None:
    given_object = Optuna(optuna.samplers.TPESampler(n_startup_trials=2, seed=1))
    rows = given_object.suggest(lived_in(MIXED), 2, np.random.default_rng(0))
    again = given_object.suggest(lived_in(MIXED), 2, np.random.default_rng(0))
    other = given_object.suggest(lived_in(MIXED), 2, np.random.default_rng(1))
    np.testing.assert_array_equal(rows, again)
    assert (rows != other).any(), "the study's random numbers, not the sampler's own seed"
    for name in ("RandomSampler", "NSGAIISampler"):
        rows = Optuna(name).suggest(lived_in(MIXED), 1, np.random.default_rng(0))
        assert rows.shape == (1, 6)
    with pytest.raises(UnknownNameError, match="TPESampler"):
        Optuna("TPSampler").suggest(view_of(PLAIN), 1, np.random.default_rng(0))
    for name, options in (
        ("TPESampler", {"foo": 1}),
        ("GridSampler", {"search_space": {"z": [1]}}),
    ):
        with pytest.raises(OptionError, match=f"Optuna's {name} with "):
            Optuna(name, options).suggest(view_of(PLAIN), 1, np.random.default_rng(0))


def test_optuna_samplers_with_notes_go_on() -> None:
    """The quasi-random sampler counts its own trials: no point comes twice."""
    points = draw(view_of(PLAIN), Optuna("QMCSampler"), 8)
    assert len({tuple(p.values()) for p in points}) == 8
    assert np.std([p["a"] for p in points]) > 0.2
