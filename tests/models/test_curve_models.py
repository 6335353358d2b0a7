"""The Gaussian process, what it is told, and what it believes beforehand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.stats import spearmanr

from luthier.core.curve import Curve
from luthier.core.domain import Choice, Float, Int
from luthier.core.space import make_space
from luthier.core.study import Checkpoint, Run, RunState
from luthier.models import curves, fitting
from luthier.models.curves import CurveModel
from luthier.models.encoding import Encoding
from luthier.models.fitting import fit
from luthier.models.kernel import Kernel, covariance_and_slopes, prior
from luthier.models.priors import Belief, doubted, trust
from luthier.models.process import Process
from luthier.models.readings import Readings, log_grid
from luthier.models.reliability import broke, reliability
from luthier.models.warp import WARPS

SPACE = make_space({
    "lr": Float(1e-5, 1e-1, log=True),
    "layers": Int(1, 4),
    "optimizer": Choice("sgd", "adam", "lion"),
    "momentum": Float(0.0, 0.99, when={"optimizer": "sgd"}),
})  # fmt: skip


def run(trial: int, losses: list[float], state: RunState = RunState.PAUSED, **more: object) -> Run:
    curve = Curve(np.arange(1.0, len(losses) + 1), np.array(losses))
    n = len(losses)
    return Run(f"{trial}.0", trial, {}, n, state=state, step=n, curve=curve, **more)  # type: ignore[arg-type]


def test_the_grid_grows_by_a_third() -> None:
    assert log_grid(50).tolist() == [1, 2, 3, 4, 5, 7, 10, 13, 18, 25, 33, 45, 50]
    assert log_grid(1).tolist() == [1]


def test_slopes_of_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    groups = np.array([0, 1, 1])
    x, u, of_run = rng.random((30, 3)), rng.random(30), rng.integers(0, 9, 30)
    same = (of_run[:, None] == of_run).astype(float)
    weights = rng.standard_normal((30, 30))
    weights += weights.T
    means, _ = prior(np.array([0.5, 0.8]), 3)
    place = means + 0.2 * rng.standard_normal(len(means))

    def contracted(at: np.ndarray) -> float:
        k, _ = covariance_and_slopes(at[:-3], at[-3:], groups, x, u, same)
        k = k + np.exp(at[-9]) * np.eye(30)
        return float((weights * k).sum())

    _, slopes = covariance_and_slopes(place[:-3], place[-3:], groups, x, u, same)
    found = slopes.against(weights, float(np.exp(place[-9])), groups, 2)
    np.testing.assert_allclose(found, approx_fprime(place, contracted, 1e-6), rtol=1e-4, atol=1e-3)


def test_what_is_known_of_a_pace_is_fishers_information() -> None:
    rng = np.random.default_rng(0)
    groups, place = np.array([0, 1, 1]), prior(np.array([0.5, 0.8]), 3)[0]
    x, u, of_run = rng.random((30, 3)), rng.random(30), rng.integers(0, 9, 30)
    same = (of_run[:, None] == of_run).astype(float)

    def covariance(pace: np.ndarray) -> np.ndarray:
        return covariance_and_slopes(place[:-3], pace, groups, x, u, same)[0] + 0.1 * np.eye(30)

    inverse = np.linalg.inv(covariance(np.zeros(3)))
    _, slopes = covariance_and_slopes(place[:-3], np.zeros(3), groups, x, u, same)
    expected = []
    for step in 1e-5 * np.eye(3):
        m = inverse @ (covariance(step) - covariance(-step)) / 2e-5
        expected.append(0.5 * np.trace(m @ m))
    np.testing.assert_allclose(slopes.information(inverse), expected, rtol=1e-5)


def process(z: np.ndarray | None = None, pace: float = 0.6) -> Process:
    rng = np.random.default_rng(1)
    x, u = rng.random((6, 2)), np.linspace(0, 1, 5)
    of_run, step = np.repeat(np.arange(6), 3), np.tile(np.arange(3), 6)
    z = rng.standard_normal(18) if z is None else z
    theta = prior(np.array([0.5, 0.5]), 0)[0]
    kernel = Kernel(theta, np.array([pace, 0.0]), np.full(2, 0.4), np.array([0, 1]))
    return Process.condition(kernel, x, u, of_run, step, z)


@pytest.mark.parametrize("pace", [0.0, 0.6])
def test_predictions_are_those_of_the_textbook(pace: float) -> None:
    z = np.random.default_rng(2).standard_normal(18)
    made = process(z, pace)
    own, step = np.array([0, 3, -1]), np.array([4, 3, 4])
    x = np.vstack([made.x[[0, 3]], [[0.3, 0.9]]])
    mean, spread = made.predict(x, own, step)
    kernel = made.kernel

    def k(one: tuple[np.ndarray, ...], two: tuple[np.ndarray, ...]) -> np.ndarray:
        (xa, ra, sa), (xb, rb, sb) = one, two
        ta = (made.u[sa] + pace * (xa[:, 0] - 0.4))[:, None]
        tb = made.u[sb] + pace * (xb[:, 0] - 0.4)
        both = (kernel.between_points(xa, xb) + kernel.common) * kernel.shared(ta, tb)
        total: np.ndarray = both + (ra[:, None] == rb) * kernel.own(ta, tb)
        return total

    data = made.x[made.run], made.run, made.step
    gram = k(data, data) + made.kernel.noise * np.eye(18)
    cross = k((x, own, step), data)
    asked = (x, np.array([0, 3, 99]), step)
    before = np.diag(k(asked, asked))
    np.testing.assert_allclose(mean, cross @ np.linalg.solve(gram, z), rtol=1e-8)
    expected = before - np.einsum("ij,ji->i", cross, np.linalg.solve(gram, cross.T))
    np.testing.assert_allclose(spread, np.sqrt(expected), rtol=1e-6)


def test_several_steps_of_a_point_are_what_each_is_alone() -> None:
    made = process()
    x, own = np.vstack([made.x[:1], [[0.3, 0.9]]]), np.array([0, -1])
    steps = np.array([[3, 3, 4], [0, 3, 4]])
    mean, spread = made.predict(x, own, steps)
    for k in range(3):
        alone = made.predict(x, own, steps[:, k])
        np.testing.assert_allclose(mean[:, k], alone[0])
        np.testing.assert_allclose(spread[:, k], alone[1])
    assert [of.shape for of in made.predict(x[:0], own[:0], steps[:0])] == [(0, 3)] * 2


def test_what_is_pending_narrows_and_does_not_move() -> None:
    made = process()
    grown = made.expecting(np.array([0, 5]), np.array([3, 3]))
    x, own, step = made.x, np.arange(6), np.full(6, 4)
    mean, spread = made.predict(x, own, step)
    mean_after, spread_after = grown.predict(x, own, step)
    np.testing.assert_allclose(mean, mean_after)
    assert (spread_after <= spread + 1e-9).all()
    assert spread_after[0] < 0.95 * spread[0]


def test_few_candidates_are_the_right_ones() -> None:
    made = process()
    rng = np.random.default_rng(3)
    x, own, step = rng.random((200, 2)), np.full(200, -1), np.full(200, 4)
    for target in (-1.0, 0.0, 1.0):
        mean, spread = made.predict(x, own, step)
        few = made.likely_below(x, own, step, target, 40)
        best = int(np.argmax((target - mean) / spread))
        assert len(few) == 40
        if mean.min() > target:  # all have to be lucky: the bound is exact about the best
            assert best in few


@pytest.mark.parametrize("kind", list(WARPS))
def test_gains_are_those_of_many_draws(kind: str) -> None:
    loss = np.random.default_rng(0).gamma(2.0, 1.0, 50)
    warp = WARPS[kind].of(loss, loss, loss)
    here = float(warp(np.array([loss.min()]))[0])
    z = here + 0.2 + 0.3 * np.random.default_rng(1).standard_normal(200_000)
    gain = warp.gain(np.array([here + 0.2]), np.array([0.3]))[0]
    if kind == "rank":
        drawn = np.maximum(here - z, 0.0)
    else:
        offset = np.exp(here * warp.scale + warp.mean)
        drawn = np.maximum(offset - np.exp(z * warp.scale + warp.mean), 0.0)
    assert gain == pytest.approx(drawn.mean(), rel=0.03)


def test_a_fit_finds_what_matters() -> None:
    rng = np.random.default_rng(4)
    x = rng.random((60, 2))
    z = np.sin(6 * x[:, 0])
    kernel = fit(x, np.zeros(60), np.arange(60), z, np.array([0, 1]), np.array([0.5, 0.5]), 30)
    assert kernel.theta[0] + 1 < kernel.theta[1], "the second column does nothing"


def test_a_fit_without_columns() -> None:
    kernel = fit(np.zeros((6, 0)), np.arange(6) / 5, np.arange(6), np.arange(6.0),
                 np.zeros(0, dtype=np.int64), np.zeros(0), 12)  # fmt: skip
    assert len(kernel.pace) == 0


def late_bloomers(pace: float) -> tuple[np.ndarray, ...]:
    """40 curves of up to 27 steps; the larger the second column, the faster and the worse."""
    rng = np.random.default_rng(5)
    x, steps = rng.random((40, 3)), np.array([1, 3, 9, 27])
    length = np.where(np.arange(40) % 4, 2, 4)  # three in four are left after three steps
    run = np.repeat(np.arange(40), length)
    step = np.concatenate([np.arange(n) for n in length])
    u = np.log(steps) / np.log(27)
    lead = pace * (x[:, 1] - 0.5)
    falls = np.exp(-np.exp(5.0 * (u[None, :] + lead[:, None] - 0.2)))
    curves = x[:, 1:2] + 3.0 * falls
    z = curves[run, step] + 0.02 * rng.standard_normal(len(run))
    return x, u, run, step, z - z.mean(), curves[:, -1]


@pytest.mark.parametrize("pace", [0.0, 1.2])
def test_a_fit_finds_what_leads_in_time(pace: float, monkeypatch: pytest.MonkeyPatch) -> None:
    x, u, run, step, z, ends = late_bloomers(pace)
    what = x[run], u[step], run, z, np.arange(3), np.full(3, 0.5), 12
    kernel = fit(*what)
    np.testing.assert_allclose(kernel.pace, [0.0, pace, 0.0], atol=0.2)
    assert pace or not kernel.pace.any()
    left = np.flatnonzero(np.arange(40) % 4)
    last = np.full(len(left), 3)

    def agreement(with_kernel: Kernel) -> float:
        made = Process.condition(with_kernel, x, u, run, step, z)
        return float(spearmanr(made.predict(x[left], left, last)[0], ends[left])[0])

    if pace:
        monkeypatch.setattr(fitting, "_MORE_LIKELY", np.inf)
        blind = fit(*what)
        assert not blind.pace.any()
        assert agreement(kernel) > 0.95 > agreement(blind), "slow runs are told from poor ones"


@pytest.mark.parametrize("seed", range(6))
def test_what_was_never_tried_does_not_lead(seed: int) -> None:
    """Straight curves that cross at one time: another origin of time would explain them better."""
    rng = np.random.default_rng(seed)
    x = np.hstack([rng.random((20, 2)), np.zeros((20, 2))])  # two options that nobody has had
    run, u = np.repeat(np.arange(20), 3), np.tile([0.0, 0.4, 0.8], 20)
    z = x[run, 0] + 3.0 * rng.standard_normal(20)[run] * (u - 0.6)
    kernel = fit(x[run], u, run, z / z.std(), np.array([0, 1, 2, 2]), np.full(3, 0.6), 12)
    assert not kernel.pace[2:].any()


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20), st.booleans())
@settings(max_examples=60, deadline=None)
def test_warps_keep_the_order(losses: list[float], diverged: bool) -> None:
    loss = np.array([*losses, np.inf] if diverged else losses)
    for kind in WARPS.values():
        warp = kind.of(loss, loss, loss)
        z = warp(np.sort(loss))
        assert np.isfinite(z).all()
        assert (np.diff(z) >= -1e-9).all()
        assert float(warp(np.array([warp.best - 1.0]))[0]) <= z[0] + 1e-9


def test_readings_of_curves() -> None:
    grid = log_grid(9)
    nan = float("nan")
    whole = Readings.of([run(0, [9, 8, 7, 6, 5, 4])], grid)
    assert grid[whole.step].tolist() == [1, 2, 3, 4, 5]
    broke = Readings.of([run(0, [3, 2, nan], RunState.FAILED)], grid)
    assert grid[broke.step].tolist() == [1, 2], "what came before stands"
    assert len(Readings.of([run(0, [], RunState.FAILED)], grid).loss) == 0
    short = Readings.of([run(0, [3, 2, 1, 1, 1, 0.5], RunState.COMPLETED)], grid)
    assert grid[short.step].tolist() == [1, 2, 3, 4, 5, 7]
    assert short.loss[-1] == 0.5
    fork = run(1, [3, 2, 1, 0.5], parent=Checkpoint("0.0", 2, "f", 0, 0))
    assert grid[Readings.of([fork], grid).step].tolist() == [3, 4], "its parent's part is not its"


def test_the_lowest_loss_so_far_is_of_what_is_believed() -> None:
    grid = log_grid(9)
    rises = run(0, [1, 5, 6, 4])
    assert Readings.of([rises], grid).low.tolist() == [1, 1, 1, 1]
    assert Readings.of([rises], grid, first_step=2).low.tolist() == [5, 5, 4]
    fork = run(1, [1, 5, 6, 4], parent=Checkpoint("0.0", 2, "f", 0, 0))
    assert Readings.of([fork], grid).low.tolist() == [6, 4]
    diverged = run(2, [3, np.inf, 2, 4], RunState.RUNNING)
    assert Readings.of([diverged], grid).low.tolist() == [3, np.inf, 2, 2]


def test_nan_before_a_number_says_that_nothing_was_measured() -> None:
    grid, nan = log_grid(9), np.nan
    gap = run(0, [3, nan, 2, 4])
    waits, trains = run(1, [3, 2, nan]), run(2, [3, 1, nan], RunState.RUNNING)
    failed, spike = run(3, [3, nan], RunState.FAILED), run(4, [2, np.inf, 1.5])
    assert Readings.of([gap], grid).loss.tolist() == [3, 3, 2, 4]
    assert Readings.of([gap, trains], grid).loss.tolist()[4:] == [3, 1, 1], "of all runs alike"
    assert Readings.of([trains], grid).loss.tolist() == [3, 1, np.inf]
    assert broke([gap, waits, failed]).tolist() == [False, False, True]
    assert broke([spike, waits, failed]).tolist() == [False, True, True], "infinity is a loss"


def test_encoding_of_mixed_and_conditional_points() -> None:
    encoding = Encoding(SPACE)
    points = [
        {"lr": 1e-3, "layers": 1, "optimizer": "sgd", "momentum": 0.9},
        {"lr": 1e-3, "layers": 1, "optimizer": "adam"},
        {"lr": 1e-3, "layers": 1, "optimizer": "lion"},
    ]
    x = encoding.rows(encoding.units(points))
    assert x.shape == (3, 6)
    assert encoding.groups.tolist() == [0, 1, 2, 2, 2, 3]
    assert np.linalg.norm(x[1] - x[2]) == pytest.approx(1.0)
    assert x[1, 5] == x[2, 5] == 0.5, "what is inactive sits in the middle"
    momenta = encoding.rows(encoding.units(
        [{**points[0], "momentum": m} for m in (0.0, 0.9, 0.99)]))[:, 5]  # fmt: skip
    assert momenta[2] - momenta[1] == pytest.approx(momenta[1] - momenta[0], rel=0.05)
    rng = np.random.default_rng(0)
    snapped = encoding.snap(rng.random((50, 4)))
    for unit in snapped:
        np.testing.assert_allclose(SPACE.to_unit(SPACE.from_unit(unit)), unit, atol=1e-9)


def test_listed_places_are_ranked() -> None:
    space = make_space({"beta": Float(0, 1)})
    places = 1 - np.logspace(0, -4, 21)[:, None]
    x = Encoding(space, places).rows(places)[:, 0]
    np.testing.assert_allclose(np.diff(x), 1 / 21)


def test_a_model_is_sure_of_what_it_has_seen() -> None:
    space = make_space({"lr": Float(0, 1)})
    encoding = Encoding(space)
    rates = np.linspace(0, 1, 12)
    curves = [[1 + (r - 0.3) ** 2 - 0.5 * (1 - 1 / t) for t in range(1, 10)] for r in rates]
    curves[3] = curves[3][:3]
    runs = [run(i, curve) for i, curve in enumerate(curves)]
    x = rates[:, None]
    for kind in WARPS:
        model = CurveModel.of(runs, x, encoding, log_grid(9), kind)
        assert model is not None
        last = len(model.readings.grid) - 1
        mean, spread = model.predict(x[3:4], np.array([3]), np.array([last]))
        truth = 1 + (rates[3] - 0.3) ** 2 - 0.5 * (1 - 1 / 9)
        assert abs(model.warp(np.array([truth]))[0] - mean[0]) < 2.5 * spread[0]
        _, far = model.predict(x[3:4], np.array([-1]), np.array([last]))
        assert far[0] > spread[0], "an own curve tells more than neighbours do"
        assert CurveModel.of([run(0, [np.nan])], x[:1], encoding, log_grid(9), kind) is None


def test_a_kernel_is_fitted_to_the_first_losses_that_are_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[np.ndarray] = []

    def heard(x: np.ndarray, u: np.ndarray, of_run: np.ndarray, *rest: object) -> Kernel:
        seen.append(of_run)
        return fit(x, u, of_run, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(curves, "fit", heard)
    losses = [[3.0 + i + 1.0 / t for t in range(1, 41 if i == 0 else 21)] for i in range(8)]
    runs, x = [run(i, of_one) for i, of_one in enumerate(losses)], np.linspace(0, 1, 8)[:, None]
    space = Encoding(make_space({"lr": Float(0, 1)}))
    CurveModel.of(runs, x, space, log_grid(40), "rank", first_step=18)
    assert len(np.unique(seen[0])) > 1, "18 is no power of 3, and one run went further"


@pytest.mark.parametrize("first_step", [1, 18])
def test_the_next_loss_that_is_believed_is_expected_of_a_run_under_way(first_step: int) -> None:
    runs = [run(i, [3.0 + i + 1.0 / t for t in range(1, 41)]) for i in range(4)]
    runs.append(run(4, [3.0, 2.0], RunState.RUNNING))
    grid, x = log_grid(40), np.linspace(0, 1, 5)[:, None]
    model = CurveModel.of(runs, x, Encoding(make_space({"lr": Float(0, 1)})), grid, "rank",
                          first_step)  # fmt: skip
    assert model is not None
    assert model.process.run[-1] == 4
    assert grid[model.process.step[-1]] == max(first_step, 3)


def test_a_prior_draws_and_is_doubted() -> None:
    space = make_space({"lr": Float(1e-5, 1.0, log=True, prior=1e-3, confidence="high"),
                        "wd": Float(0, 1), "opt": Choice("a", "b", prior="b")})  # fmt: skip
    belief = Belief(space)
    rng = np.random.default_rng(0)
    units = belief.draw(2000, rng)
    assert belief.names == ("lr", "opt")
    assert np.quantile(np.abs(units[:, 0] - 0.4), 0.7) < 0.15
    assert 0.08 < np.mean(np.abs(units[:, 0] - 0.4) > 0.2) < 0.17, "no point is out of reach"
    assert np.mean(units[:, 2] > 0.5) > 0.7
    at = np.array([[0.4, 0.5, 0.75], [0.9, 0.5, 0.75], [0.4, 0.5, 0.25]])
    density = belief.log_density(at)
    assert density[0] > density[1]
    assert density[0] > density[2]
    some = units[:40]
    assert doubted(space, some, np.abs(some[:, 0] - 0.4)) == ()
    assert doubted(space, some, -np.abs(some[:, 0] - 0.4)) == ("lr",)
    assert doubted(space, some[:8], -np.abs(some[:8, 0] - 0.4)) == (), "too early to say"
    assert trust(space, some, np.abs(some[:, 0] - 0.4))["lr"] == 1.0
    assert trust(space, some, -np.abs(some[:, 0] - 0.4))["lr"] < 0.01
    assert 0.0 < trust(space, some[:6], -np.abs(some[:6, 0] - 0.4))["lr"] < 0.5
    assert trust(space, some[:3], some[:3, 0]) == {}, "too early even for that"
    waiting = np.where(np.arange(6) < 2, 1.0, np.nan)
    assert trust(space, some[:6], waiting) == {}, "what is not known yet says nothing"
    assert trust(space, some, np.ones(len(some)))["lr"] == 1.0, "nor do equal losses"


def test_broken_runs_warn_of_their_surroundings() -> None:
    nan = float("nan")
    x = np.linspace(0, 1, 20)[:, None]
    runs = [run(i, [nan] if place > 0.6 else [1.0], RunState.FAILED if place > 0.6
                else RunState.PAUSED) for i, place in enumerate(x[:, 0])]  # fmt: skip
    kernel = Kernel(prior(np.array([0.35]), 0)[0], np.zeros(1), np.zeros(1), np.array([0]))
    chances = reliability(kernel, x, broke(runs), np.array([[0.1], [0.6], [0.95]]))
    assert (np.diff(chances) < 0).all()
    assert chances[0] > 0.8
    assert chances[2] < 0.25
    assert (reliability(kernel, x, np.zeros(20, bool), x) == 1).all()


def test_how_near_neighbours_must_be_is_told_by_what_became_of_the_runs() -> None:
    x = np.linspace(0, 1, 33)[:, None]
    wide = Kernel(prior(np.array([0.6]), 0)[0], np.zeros(1), np.zeros(1), np.array([0]))
    here = np.array([[0.2], [0.7], [0.95]])
    striped = reliability(wide, x, (x[:, 0] > 0.6) & (x[:, 0] < 0.8), here)
    assert striped[1] < 0.15
    assert striped[[0, 2]].min() > 0.9
    anywhere = np.random.default_rng(0).random(33) < 0.3
    np.testing.assert_allclose(reliability(wide, x, anywhere, here), 1 - anywhere.mean(), atol=0.1)


def test_a_constant_of_the_space_has_no_length_scale() -> None:
    space = make_space({"lr": Float(1e-5, 1e-1, log=True), "epochs": 30, "layers": Int(1, 4)})
    assert Encoding(space).length_scales().shape == (2,)
