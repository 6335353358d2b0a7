"""The freeze-thaw policy: on pictures of studies, and on synthetic tables."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from luthier.cli.simulate import with_priors
from luthier.contracts import Policy
from luthier.core.action import Action, Continue, Pause, Start, Stop
from luthier.core.curve import Curve
from luthier.core.domain import Choice, Float, Int
from luthier.core.errors import PolicyError
from luthier.core.space import Space, make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.models import curves, readings
from luthier.models.check import standard_scores
from luthier.models.curves import Z80
from luthier.policies import places
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.odds import AGAINST
from luthier.policies.picture import Picture
from luthier.samplers.pool import Pool
from luthier.samplers.random import Random
from luthier.simulation import policy_on, simulate
from luthier.tables import Table

SPACE = make_space(
    {
        "lr": Float(1e-5, 1e-1, log=True),
        "layers": Int(1, 4),
        "optimizer": Choice("sgd", "adam", "lion"),
        "momentum": Float(0.0, 0.99, when={"optimizer": "sgd"}),
        "width": Int(8, 256, log=True),
    },
    ["layers * width <= 512"],
)


def forget() -> None:
    """As after a kill: nothing that was worked out is left."""
    curves._kernels.clear()
    readings._known.clear()
    places._encodings.clear()
    places._lists.clear()


def study_view(
    n: int, *, seed: int = 0, n_free: int = 1, n_new: int = 9, space: Space = SPACE
) -> StudyView:
    """A study under way: a third of the runs crashed or diverged, some are far, one trains."""
    study = Study("s", space, "loss", max_steps=27, seed=seed)
    rng = np.random.default_rng(seed)
    trials, runs = {}, {}
    while len(runs) < n:
        number = len(runs)
        point = space.from_unit(rng.random(space.dimension))
        if not space.feasible(point):
            continue
        length = int(rng.choice([1, 2, 3, 4, 9]))
        floor = (np.log10(point["lr"]) + 3) ** 2 / 4
        values = floor + 1.0 / np.arange(1, length + 1)
        state = RunState.PAUSED
        if number % 3 == 1:
            values = values[:0] if number % 2 else np.append(values[:-1], np.nan)
            state = RunState.FAILED
        elif number == n - 1:
            state = RunState.RUNNING
        steps = len(values)
        trials[number] = Trial(number, point)
        runs[f"{number}.0"] = Run(
            f"{number}.0", number, point, max(steps, 1), state=state, step=steps,
            curve=Curve(np.arange(1.0, steps + 1), values),
        )  # fmt: skip
    return StudyView(study, trials, runs, n_free, n_new)


@pytest.mark.parametrize("n", [0, 1, 5, 40, 90])
@pytest.mark.parametrize("n_free", [1, 8])
def test_decisions_follow_from_the_view(n: int, n_free: int) -> None:
    view = study_view(n, n_free=n_free, n_new=n_free)
    policy = FreezeThaw(Random())
    decided = policy.decide(view)
    actions = trained(decided)
    assert 1 <= len(actions) <= n_free
    forget()
    assert FreezeThaw(Random()).decide(view) == decided
    continued = [a.run_id for a in actions if isinstance(a, Continue)]
    assert len(set(continued)) == len(continued)
    started = [a.params for a in actions if isinstance(a, Start)]
    for action in actions:
        if isinstance(action, Continue):
            run = view.runs[action.run_id]
            assert run.state is RunState.PAUSED
            assert run.step < action.to_step <= 27
        else:
            assert isinstance(action, Start)
            assert view.study.space.cast(action.params) == action.params
            assert ("momentum" in action.params) == (action.params["optimizer"] == "sgd")
            assert action.params not in [t.params for t in view.trials.values()]
            assert started.count(action.params) == 1


def trained(actions: Sequence[Action]) -> list[Action]:
    """All but what is said of runs that stay where they are."""
    return [a for a in actions if not isinstance(a, Pause)]


def test_who_stays_behind_is_told_once_with_its_chance() -> None:
    view = study_view(60, n_free=4, n_new=4)
    decided = FreezeThaw(Random()).decide(view)
    going = {a.run_id for a in decided if isinstance(a, Continue)}
    told = {a.run_id: a for a in decided if isinstance(a, Pause)}
    waiting = {r.id for r in view.runs.values() if r.state is RunState.PAUSED}
    assert told.keys() == waiting - going
    assert all(a.p_best is not None and 0.0 <= a.p_best <= 1.0 for a in told.values())
    runs = {
        run.id: replace(run, reason=told[run.id].reason) if run.id in told else run
        for run in view.runs.values()
    }
    again = FreezeThaw(Random()).decide(replace(view, runs=runs))
    assert not any(isinstance(a, Pause) and a.run_id in told for a in again)


def test_limits_are_kept() -> None:
    view = study_view(60, n_free=4, n_new=0)
    actions = FreezeThaw(Random()).decide(view)
    assert all(isinstance(a, Continue) for a in trained(actions))
    assert trained(FreezeThaw(Random()).decide(replace(view, n_free=0))) == []
    done = {
        run.id: replace(run, state=RunState.COMPLETED)
        if run.state is RunState.PAUSED and number % 2
        else replace(run, state=RunState.STOPPED)
        for number, run in enumerate(view.runs.values())
    }
    assert FreezeThaw(Random()).decide(replace(view, runs=done)) == [], "all has been done"
    no_end = replace(view, study=replace(view.study, max_steps=None))
    with pytest.raises(PolicyError, match="max_steps"):
        FreezeThaw(Random()).decide(no_end)


def test_what_cannot_pause_is_stopped() -> None:
    view = study_view(12)
    runs = {
        run.id: replace(run, pausable=False, state=RunState.RUNNING)
        for run in view.runs.values()
        if run.state is RunState.PAUSED
    }
    stops = FreezeThaw(Random()).decide(replace(view, runs=runs, n_free=0))
    assert stops
    assert all(isinstance(action, Stop) for action in stops)


class Recording:
    """A policy whose questions and answers are kept."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.said: list[tuple[StudyView, Sequence[Action]]] = []

    def decide(self, view: StudyView) -> Sequence[Action]:
        actions = self.policy.decide(view)
        if view.n_free:
            self.said.append((view, actions))
        return actions


@pytest.mark.parametrize("n_workers", [1, 8])
def test_a_killed_search_goes_on_as_it_would_have(
    make_table: Callable[..., Table], n_workers: int
) -> None:
    table = make_table(n=100, n_steps=9)
    recording = Recording(policy_on(table, "freeze-thaw"))
    simulate(table, recording, budget_runs=10, n_workers=n_workers)
    picked = recording.said[:: max(1, len(recording.said) // 8)]
    for view, actions in reversed(picked):
        forget()
        assert policy_on(table, "freeze-thaw").decide(view) == actions


def test_it_beats_random_search_by_far(make_table: Callable[..., Table]) -> None:
    ours, chance = [], []
    for seed in range(6):
        table = make_table(n=200, n_steps=27, seed=seed)
        for name, regrets in (("freeze-thaw", ours), ("random", chance)):
            outcome = simulate(table, policy_on(table, name), budget_runs=6, seed=seed)
            regrets.append((outcome.anytime, outcome.at(1.0)))
    assert np.mean(ours, axis=0)[0] < 0.9 * np.mean(chance, axis=0)[0]
    assert np.mean(ours, axis=0)[1] < 0.6 * np.mean(chance, axis=0)[1]


def late(table: Table, n_flat: int) -> Table:
    """The same table, but nothing is learnt in the first steps, and the good begin last."""
    losses = np.full_like(table.losses, 3.0)
    finals = np.where(np.isfinite(table.losses), table.losses, 3.0).min(axis=1)
    rank = np.argsort(np.argsort(finals)) / len(finals)
    for row, final in enumerate(finals):
        flat = n_flat if rank[row] < 0.1 else n_flat // 3
        span = table.max_steps - flat
        losses[row, flat:] = 3.0 - (3.0 - final) * np.sqrt(np.arange(1, span + 1) / span)
    losses += 1e-3 * np.random.default_rng(0).standard_normal(losses.shape)
    n = np.full(len(losses), table.max_steps)
    return replace(table, losses=losses, n_steps=n, diverged=np.zeros(len(losses), bool))


def test_late_bloomers_do_not_starve(make_table: Callable[..., Table]) -> None:
    table = late(make_table(n=120, n_steps=18), 6)
    finals = [
        [simulate(table, policy_on(table, name), budget_runs=10, seed=seed).at(1.0)
         for seed in range(2)]
        for name in ("freeze-thaw", "asha")
    ]  # fmt: skip
    assert np.mean(finals[0]) <= np.mean(finals[1]) + 0.05


def test_priors_help_and_wrong_ones_do_little_harm(make_table: Callable[..., Table]) -> None:
    table = make_table(n=200, n_steps=18)

    def anytime(prior: dict[str, object]) -> float:
        space = with_priors(table.space, prior)
        outcomes = [
            simulate(table, policy_on(table, "freeze-thaw"), budget_runs=6, seed=seed, space=space)
            for seed in range(3)
        ]
        return float(np.mean([outcome.anytime for outcome in outcomes]))

    none = anytime({})
    right = {"learning_rate": {"prior": 0.03, "confidence": "high"}, "optimizer": "sgd"}
    assert anytime(right) < none
    assert anytime({"learning_rate": {"prior": 0.9, "confidence": "high"}}) < none + 0.25


def test_it_begins_where_a_stated_prior_is_highest() -> None:
    domains = {"lr": Float(1e-8, 1.0, log=True, prior=1e-6), "width": Int(8, 256, log=True)}
    space = make_space(domains)
    places = np.random.default_rng(0).random((200, 2))
    rates = [float(str(space.from_unit(place)["lr"])) for place in places]
    nearest = min(rates, key=lambda rate: abs(np.log(rate / 1e-6)))
    for seed in range(5):
        study = Study("s", space, "loss", max_steps=27, seed=seed)
        view = StudyView(study, {}, {}, 1, 9)
        (first,) = FreezeThaw(Random()).decide(view)
        assert isinstance(first, Start)
        assert first.params["lr"] == pytest.approx(1e-6), (
            "the default point, whatever the name says"
        )
        (first,) = FreezeThaw(Pool(tuple(map(tuple, places)))).decide(view)
        assert isinstance(first, Start)
        assert first.params["lr"] == nearest


def test_a_stated_default_that_leads_goes_on_first(make_table: Callable[..., Table]) -> None:
    """What is stated is the row that leads after two steps; without a prior nobody is sent on."""
    table = make_table(n=200, n_steps=27)
    lasts = np.isfinite(table.losses).all(axis=1)
    best = table.points[int(np.argmin(np.where(lasts, table.losses[:, 1], np.inf)))]
    stated = {name: {"prior": value, "confidence": "medium"} for name, value in best.items()}
    sent = {}
    for name, space in (("stated", with_priors(table.space, stated)), ("bare", table.space)):
        outcome = simulate(table, policy_on(table, "freeze-thaw"), budget_runs=4, space=space)
        sent[name] = [e.run_id for e in outcome.view.diary if e.action.reason == "default-first"]
    assert sent["bare"] == []
    assert len(sent["stated"]) > 3
    assert set(sent["stated"]) == {"0.0"}


def test_the_search_leaves_a_wrong_prior(make_table: Callable[..., Table]) -> None:
    table = make_table(n=200, n_steps=18)
    space = with_priors(table.space, {"learning_rate": {"prior": 1e-5, "confidence": "medium"}})
    for seed in range(2):
        outcome = simulate(table, policy_on(table, "freeze-thaw"), budget_runs=4, seed=seed,
                           space=space)  # fmt: skip
        trials = outcome.view.trials.values()
        rates = np.array([trial.params["learning_rate"] for trial in trials])
        assert np.mean(rates[-10:] > 1e-4) > 0.5, "the search has moved away"


def test_who_looks_poor_early_gets_its_chance(make_table: Callable[..., Table]) -> None:
    """A table whose good runs look flat for long; its model gives them up."""
    made = make_table(n=150, n_steps=27, seed=3)
    order = np.argsort(made.losses[:, -1], kind="stable")
    slow = np.zeros(len(order), dtype=bool)
    slow[order[: len(order) // 5]] = True
    late = 1.0 / (1.0 + np.exp(9.0 - np.arange(1.0, 28)))
    high = np.nanmax(made.losses)
    losses = np.where(slow[:, None], high - (high - made.losses) * late, made.losses)
    outcome = simulate(
        replace(made, losses=losses), policy_on(made, "freeze-thaw"), budget_runs=12, seed=0
    )
    tests = [e for e in outcome.view.diary if e.action.reason == AGAINST]
    assert tests
    assert len(tests) < len(outcome.view.diary) / 2


def test_intervals_hold_as_often_as_they_say(make_table: Callable[..., Table]) -> None:
    scores = []
    for seed in range(3):
        table = make_table(n=200, n_steps=27, seed=seed)

        def truth(run: Run, step: int, table: Table = table) -> float:
            row = table.rows[table.find(run.params) or 0][0]
            return float(table.losses[row, step - 1])

        view = simulate(table, policy_on(table, "asha"), budget_runs=4, seed=seed).view
        runs = list(view.current().values())
        for kind in ("log", "rank"):
            picture = Picture.of(view, Random(), runs, kind)
            assert picture is not None
            scores += standard_scores(picture.model, runs, picture.x, truth).tolist()
    assert len(scores) > 100
    assert 0.70 <= np.mean(np.abs(scores) <= Z80) <= 0.90


def sitting_view(
    lengths: Sequence[int], *, learned: bool = False, took_off: bool = False
) -> StudyView:
    """Runs that sit at chance, of some lengths; poor ones; one that learns; one that took off."""
    space = make_space({"x": Float(0.0, 1.0)})
    curves_of = [np.full(n, 0.69) + 1e-4 * np.arange(n) for n in lengths]
    curves_of += [np.full(2, 1.2 + k / 10) for k in range(4)]
    curves_of.append(np.array([0.9, 0.8, 0.5 if learned else 0.75]))
    if took_off:  # below the level at step 7
        curves_of.append(np.array([0.69] * 6 + [0.6, 0.55, 0.5, 0.46, 0.43, 0.41, 0.4]))
    trials, runs = {}, {}
    for number, values in enumerate(curves_of):
        point = {"x": (number + 0.5) / len(curves_of)}
        trials[number] = Trial(number, point)
        runs[f"{number}.0"] = Run(
            f"{number}.0", number, point, len(values), state=RunState.PAUSED, step=len(values),
            curve=Curve(np.arange(1.0, len(values) + 1), values),
        )  # fmt: skip
    return StudyView(Study("s", space, "loss", max_steps=50), trials, runs, 1, 9)


def watched(view: StudyView) -> Action | None:
    picture = Picture.of(view, Random(), list(view.runs.values()), "log")
    assert picture is not None
    return picture.longest_sitter()


def test_one_that_sits_at_chance_is_watched_for_taking_off_late() -> None:
    action = watched(sitting_view([2, 2, 7, 2, 2, 3]))
    assert action == Continue(run_id="2.0", to_step=10, reason="may-take-off")


def test_nobody_is_watched_once_another_is_lower_or_six_sat_there_in_vain() -> None:
    assert watched(sitting_view([2, 2, 7, 2, 2, 3], learned=True)) is None
    assert watched(sitting_view([20, 20, 20, 20, 20, 2, 7])) is not None
    assert watched(sitting_view([20, 20, 20, 20, 20, 20, 7])) is None


def test_one_at_a_time_is_watched() -> None:
    view = sitting_view([2, 2, 7, 2, 2, 3])
    training = replace(view.runs["0.0"], state=RunState.RUNNING, to_step=3)
    assert watched(replace(view, runs={**view.runs, "0.0": training})) is None


def test_who_sits_trains_in_one_go_to_where_another_took_off() -> None:
    view = sitting_view([2, 2, 2, 2, 2, 3, 13], took_off=True)
    *_, left = view.runs.values()
    beside = {"x": left.params["x"] - 0.001}
    changed = {
        left.id: replace(left, state=RunState.COMPLETED),
        "0.0": replace(view.runs["0.0"], params=beside),
    }
    view = replace(view, runs={**view.runs, **changed})
    picture = Picture.of(view, Random(), list(view.runs.values()), "log")
    assert picture is not None
    assert not picture.model.idle.any()
    assert np.flatnonzero(picture.model.early).tolist() == [*range(6)]
    actions = [picture.best_of_all(np.random.default_rng(seed)) for seed in range(20)]
    goes_on = [a for a in actions if isinstance(a, Continue) and a.run_id == "0.0"]
    assert goes_on
    assert {a.to_step for a in goes_on} == {7}
    begun = replace(view, runs={i: run for i, run in view.runs.items() if i != "0.0"})
    picture = Picture.of(begun, Random(), list(begun.runs.values()), "log")
    assert picture is not None
    start = picture.best_of_all(np.random.default_rng(0))
    assert isinstance(start, Start)
    assert start.to_step == 1  # most are seen to be no better sooner than that
    # without new points all count by their losses
    last = Picture.of(replace(view, n_new=0), Random(), list(view.runs.values()), "log")
    assert last is not None
    assert not last.model.early.any()
