"""Policies and samplers on pictures of a study, without any training."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from luthier import registry
from luthier.contracts import Policy
from luthier.core.action import Change, Continue, Fork, Pause, Start, Stop
from luthier.core.curve import Curve
from luthier.core.domain import Choice, Float, Int
from luthier.core.entry import Entry
from luthier.core.errors import ConstraintError, OptionError, PolicyError
from luthier.core.space import Space, make_space
from luthier.core.study import Checkpoint, Run, RunState, Study, StudyView, Trial
from luthier.policies.asha import Asha
from luthier.policies.asha_stopping import AshaStopping
from luthier.policies.drawing import draw
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.full import Full
from luthier.policies.halving import SuccessiveHalving
from luthier.policies.hyperband import Hyperband, bracket_of, bracket_sizes
from luthier.policies.median import MedianStopping
from luthier.policies.one_epoch import OneEpoch
from luthier.policies.pasha import Pasha, crossing_noise, highest_rung
from luthier.policies.pbt import PopulationBased, Replay, schedule
from luthier.registry import from_recipe, to_recipe
from luthier.samplers.fixed import Fixed
from luthier.samplers.grid import Grid
from luthier.samplers.random import Random
from luthier.samplers.sobol import Sobol

SPACE = make_space(
    {"lr": Float(1e-4, 1, log=True, live=True), "n": Int(1, 4), "opt": Choice("a", "b")}
)
POINTS = ({"lr": 0.1, "n": 1, "opt": "a"}, {"lr": 0.01, "n": 2, "opt": "b"})
POLICIES: list[Policy] = [
    Full(Random()), Asha(Random()), SuccessiveHalving(Random()), AshaStopping(Random()),
    Hyperband(Random()), Pasha(Random()), MedianStopping(Random(), n_least=3),
    OneEpoch(Random(), n_points=6, n_kept=2), PopulationBased(Random(), n_population=4),
]  # fmt: skip


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


def name_of(player: object) -> str:
    return type(player).__name__


@pytest.mark.parametrize("policy", POLICIES, ids=name_of)
def test_every_policy_starts_and_respects_its_limits(policy: Policy) -> None:
    assert len(policy.decide(view())) == 2
    assert len(policy.decide(view(n_new=1))) == 1
    assert policy.decide(view(n_free=0, n_new=0)) == []
    assert policy.decide(view()) == policy.decide(view()), "a function of the view"
    for action in policy.decide(view()):
        assert isinstance(action, Start)
        assert action.reason


@pytest.mark.parametrize("policy", POLICIES, ids=name_of)
def test_every_policy_on_all_kinds_of_runs(policy: Policy) -> None:
    """In whatever state the runs are, decisions repeat, fit in, and leave the ended alone."""
    rng = np.random.default_rng(0)
    steps = [1, 2, 3, 9]
    for n_free, n_new in ((0, 0), (1, 0), (1, 1), (4, 2)):
        for _ in range(20):
            runs = [
                run(i, int(rng.choice(steps)), float(rng.choice([0.5, 1.0, math.nan, math.inf])),
                    RunState(rng.choice([s for s in RunState if s is not RunState.COMPLETED])))
                for i in range(int(rng.integers(1, 12)))
            ]  # fmt: skip
            runs.append(run(99, 9, 1.0, RunState.COMPLETED))
            runs = [replace(r, trial=i, id=f"{i}.0") for i, r in enumerate(runs)]
            picture = view(*runs, n_free=n_free, n_new=n_new)
            actions = policy.decide(picture)
            assert actions == policy.decide(picture), "a function of the view"
            placed = [a for a in actions if isinstance(a, Start | Continue | Fork)]
            assert len(placed) <= n_free
            assert len([a for a in actions if isinstance(a, Start | Fork)]) <= n_new
            moved = [a.run_id for a in actions if isinstance(a, Continue | Pause | Stop)]
            assert len(moved) == len(set(moved))
            assert not any(picture.runs[run_id].state.ended for run_id in moved)
            for action in actions:
                assert action.reason
                if isinstance(action, Stop | Pause):
                    assert action.p_best is not None
                    assert 0 <= action.p_best <= 1
                if isinstance(action, Continue):
                    before = picture.runs[action.run_id]
                    assert before.state is RunState.PAUSED
                    assert before.step < action.to_step <= 9


@pytest.mark.parametrize("policy", POLICIES, ids=name_of)
def test_policies_that_need_a_last_step_say_so(policy: Policy) -> None:
    picture = view(max_steps=None)
    if isinstance(policy, Full | MedianStopping):
        assert len(policy.decide(picture)) == 2
    else:
        with pytest.raises(PolicyError, match="max_steps"):
            policy.decide(picture)


@pytest.mark.parametrize("policy", POLICIES, ids=name_of)
def test_every_policy_survives_its_recipe(policy: Policy) -> None:
    assert from_recipe(json.loads(json.dumps(to_recipe(policy)))) == policy


def test_every_name_makes_a_policy() -> None:
    for name in (*registry.POLICIES, *registry.PAIRS):
        n_starts = 1 if name == "autopilot" else 2  # it raises one run
        assert len(registry.make_policy(name).decide(view())) == n_starts
    bohb = registry.make_policy("bohb")
    assert isinstance(bohb, Hyperband)
    assert name_of(bohb.sampler) == "Tpe"


def test_a_policy_with_a_sampler_of_its_own_takes_no_other() -> None:
    for policy, sampler in (("bohb", "gp"), ("gp", "tpe"), ("bohb", Sobol())):
        with pytest.raises(OptionError, match="has a sampler already"):
            registry.make_policy(policy, sampler)
    assert registry.make_policy("gp", "gp") == registry.make_policy("gp")


def test_asha_promotes_the_best_third() -> None:
    runs = [run(i, 1, float(i)) for i in range(6)]
    actions = Asha(Random()).decide(view(*runs, n_free=3, n_new=3))
    promoted = [a for a in actions if isinstance(a, Continue)]
    assert [(a.run_id, a.to_step) for a in promoted] == [("0.0", 3), ("1.0", 3)]
    assert len([a for a in actions if not isinstance(a, Pause)]) == 3
    assert {a.run_id for a in actions if isinstance(a, Pause)} == {f"{i}.0" for i in range(2, 6)}


def test_asha_never_promotes_what_diverged() -> None:
    runs = [run(i, 1, float("nan")) for i in range(6)]
    actions = Asha(Random()).decide(view(*runs))
    assert not any(isinstance(a, Continue) for a in actions)


def test_asha_trains_the_winner_to_the_end() -> None:
    runs = [run(0, 1, 2.0), run(1, 1, 1.0)]
    action = Asha(Random()).decide(view(*runs, n_new=0))[-1]
    assert isinstance(action, Continue)
    assert (action.run_id, action.to_step) == ("1.0", 3)
    done = [run(0, 1, 2.0), run(1, 9, 1.0, RunState.COMPLETED)]
    assert all(isinstance(a, Pause) for a in Asha(Random()).decide(view(*done, n_new=0)))


def test_the_finale_is_not_for_what_came_to_nothing() -> None:
    lost = curve_run(0, [1.0, math.nan, math.nan])
    waiting = [curve_run(1, [2.0]), curve_run(2, [3.0])]
    policy = Asha(Random())
    (action,) = [a for a in policy.decide(view(lost, *waiting, n_new=0)) if isinstance(a, Continue)]
    assert action.run_id == "1.0"
    assert not [a for a in policy.decide(view(lost, n_new=0)) if isinstance(a, Continue)]


def test_asha_stops_what_cannot_pause() -> None:
    kept = [run(i, 1, float(i), RunState.RUNNING, pausable=False) for i in range(3)]
    stops = [a for a in Asha(Random()).decide(view(*kept, n_free=0)) if isinstance(a, Stop)]
    assert [a.run_id for a in stops] == ["1.0", "2.0"]


def test_halving_waits_for_the_whole_rung() -> None:
    policy = SuccessiveHalving(Random(), n_points=3)
    waiting = [run(0, 1, 0.0), run(1, 1, 1.0), run(2, 0, 0.0, RunState.RUNNING)]
    assert policy.decide(view(*waiting)) == []
    full = [run(0, 1, 0.0), run(1, 1, 1.0), run(2, 1, 2.0)]
    *left, action = policy.decide(view(*full))
    assert isinstance(action, Continue)
    assert action.run_id == "0.0"
    assert {a.run_id for a in left if isinstance(a, Pause)} == {"1.0", "2.0"}


def test_asha_says_once_who_stays() -> None:
    runs = [run(i, 1, float(i)) for i in range(3)]
    first = Asha(Random()).decide(view(*runs))
    pauses = {a.run_id: a for a in first if isinstance(a, Pause)}
    assert set(pauses) == {"1.0", "2.0"}
    noted = [replace(r, reason=pauses[r.id].reason) if r.id in pauses else r for r in runs]
    again = Asha(Random()).decide(view(*noted))
    assert not any(isinstance(a, Pause) for a in again)


def test_what_broke_at_the_first_rung_does_not_count_at_the_next() -> None:
    broken = [run(i, 0, 0.0, RunState.FAILED) for i in range(9)]
    alone = run(9, 3, 1.0)
    actions = Asha(Random()).decide(view(*broken, alone))
    assert not any(isinstance(a, Continue) for a in actions)


def test_stopping_variant_ends_what_is_outside() -> None:
    runs = [run(i, 1, float(i), RunState.RUNNING) for i in range(6)]
    actions = AshaStopping(Random()).decide(view(*runs, n_free=1, n_new=1))
    assert [a.run_id for a in actions if isinstance(a, Stop)] == ["2.0", "3.0", "4.0", "5.0"]
    (start,) = [a for a in actions if isinstance(a, Start)]
    assert start.to_step == 9


def test_hyperband_has_brackets() -> None:
    sizes = bracket_sizes(3, 3)
    assert sizes == [9, 5, 3]
    assert [bracket_of(k, sizes) for k in (0, 8, 9, 13, 14, 16, 17)] == [0, 0, 1, 1, 2, 2, 0]
    policy = Hyperband(Random())
    old = [run(i, 1, 1.0) for i in range(8)]
    starts = [a for a in policy.decide(view(*old, n_free=8, n_new=8)) if isinstance(a, Start)]
    # two of the eight places go to promotions of the first bracket
    assert [a.to_step for a in starts] == [1, 3, 3, 3, 3, 3]
    # a run is compared with its own bracket: trial 9 has nobody beside it yet
    late = [run(i, 1, 0.0) for i in range(9)] + [run(9, 3, 9.0)]
    promoted = [a.run_id for a in policy.decide(view(*late)) if isinstance(a, Continue)]
    assert "9.0" not in promoted


def curve_run(trial: int, losses: list[float], state: RunState = RunState.PAUSED) -> Run:
    steps = np.arange(1.0, len(losses) + 1)
    bare = run(trial, len(losses), 0.0, state)
    return replace(bare, curve=Curve(steps, np.array(losses)))


def test_freeze_thaw_leaves_what_came_to_nothing_alone() -> None:
    rng = np.random.default_rng(0)
    points = [{"lr": float(lr), "n": 1, "opt": "a"} for lr in 10 ** rng.uniform(-4, 0, 24)]
    lost = [[math.nan, math.nan], [1.0, math.nan], [math.inf, math.inf]]
    runs = [
        replace(curve_run(i, lost[i % 3] if i % 2 else [2.0 + i, 1.0 + i]), params=point)
        for i, point in enumerate(points)
    ]
    for n_new in (9, 0):
        for seed in range(8):
            picture = view(*runs, n_free=8, n_new=n_new, max_steps=27)
            picture = replace(picture, study=replace(picture.study, seed=seed))
            for action in FreezeThaw(Random()).decide(picture):
                sent = picture.runs.get(action.run_id) if isinstance(action, Continue) else None
                assert sent is None or sent.trial % 2 == 0, "no chance is left of a number"
    finds_back = replace(runs[1], curve=Curve(np.array([1.0, 2.0]), np.array([math.nan, 0.1])))
    picture = view(*runs[:1], finds_back, *runs[2:], n_free=8, n_new=0, max_steps=27)
    sent_on = [a.run_id for a in FreezeThaw(Random()).decide(picture) if isinstance(a, Continue)]
    assert "1.0" in sent_on, "NaN says there that nothing was measured"


def test_pasha_goes_further_only_while_ranks_change() -> None:
    rungs = [1, 3, 9]
    same = [curve_run(0, [1.0, 0.9, 0.8]), curve_run(1, [2.0, 1.9, 1.8])]
    crossed = [curve_run(0, [1.0, 0.9, 0.8]), curve_run(1, [2.0, 1.5, 0.1])]
    assert highest_rung(same, rungs) == 1
    by_hand = replace(same[0], id="9.0", to_step=math.inf)
    assert highest_rung([*same, by_hand], rungs) == 1, "a person's run opens no rung"
    assert highest_rung(crossed, rungs) == 2
    # curves that cross again and again differ by noise alone
    noisy = [curve_run(0, [1.0, 0.8, 1.0, 0.8]), curve_run(1, [0.9, 0.9, 0.9, 0.9])]
    assert crossing_noise(noisy, 4) == pytest.approx(0.1)
    assert highest_rung([replace(r, to_step=3) for r in noisy], [1, 4, 9]) == 1


def test_median_stops_the_bad_and_spares_the_noisy() -> None:
    others = [curve_run(i, [1.0] * 6) for i in range(5)]
    bad = curve_run(5, [3.0, 2.9, 2.8, 2.7, 2.6, 2.5], RunState.RUNNING)
    noisy = curve_run(6, [1.2, 1.05, 1.25, 1.1, 1.3, 1.05], RunState.RUNNING)
    diverged = curve_run(7, [math.nan] * 6, RunState.RUNNING)
    picture = view(*others, bad, noisy, diverged, n_free=0, n_new=0)
    stopped = [a.run_id for a in MedianStopping(Random()).decide(picture) if isinstance(a, Stop)]
    assert stopped == ["5.0", "7.0"]
    most_diverged = [curve_run(i, [math.nan] * 6) for i in range(1, 5)]
    picture_of_most = view(others[0], *most_diverged, diverged, n_free=0, n_new=0)
    assert [a.run_id for a in MedianStopping(Random()).decide(picture_of_most)] == ["7.0"]
    strict = MedianStopping(Random(), margin=0.0).decide(picture)
    assert "6.0" in [a.run_id for a in strict if isinstance(a, Stop)]
    early = view(*[curve_run(i, [float(i)], RunState.RUNNING) for i in range(9)], n_free=0)
    assert MedianStopping(Random()).decide(early) == []


def test_one_epoch_then_the_best() -> None:
    policy = OneEpoch(Random(), n_points=6, n_kept=2)
    waiting = [run(i, 1, float(i)) for i in range(5)]
    assert not any(isinstance(a, Continue) for a in policy.decide(view(*waiting)))
    full = [run(i, 1, float(i)) for i in range(6)]
    going = [a for a in policy.decide(view(*full)) if isinstance(a, Continue)]
    assert [(a.run_id, a.to_step) for a in going] == [("0.0", 9), ("1.0", 9)]


def saved(of: Run) -> Run:
    return replace(of, checkpoints=(Checkpoint(of.id, of.step, "f", 1, 1),))


def test_population_forks_from_the_best() -> None:
    policy = PopulationBased(Random(), n_population=4, interval=1)
    runs = [saved(run(i, 1, float(i))) for i in range(4)]
    actions = policy.decide(view(*runs, n_free=4, n_new=4))
    (fork,) = [a for a in actions if isinstance(a, Fork)]
    assert (fork.run_id, fork.at_step, fork.to_step) == ("0.0", 1, 2)
    assert set(fork.params) == {"lr"}, "only what is live may change"
    assert fork.params["lr"] != runs[0].params["lr"]
    assert [a.run_id for a in actions if isinstance(a, Stop)] == ["3.0"]
    assert [a.run_id for a in actions if isinstance(a, Continue)] == ["0.0", "1.0", "2.0"]
    frozen = make_space({"lr": Float(1e-4, 1, log=True)})
    with pytest.raises(PolicyError, match="live=True"):
        policy.decide(view(space=frozen))
    with pytest.raises(PolicyError, match="attach"):
        policy.decide(view(run(0, 1, 1.0, RunState.RUNNING, pausable=False)))


def test_a_schedule_is_read_off_and_replayed() -> None:
    first = saved(run(0, 2, 1.0))
    changed = {**first.params, "lr": 0.25}
    fork = Run("1.0", 1, changed, 9, first.latest, RunState.COMPLETED, 9)
    found = schedule(view(first, fork), fork)
    assert found == ((0.0, first.params), (2.0, changed))
    policy = Replay(found)
    (start,) = policy.decide(view())
    assert isinstance(start, Start)
    assert (start.params, start.to_step) == (first.params, 2.0)
    change, go_on = policy.decide(view(first))
    assert isinstance(change, Change)
    assert isinstance(go_on, Continue)
    assert (change.params, go_on.to_step) == ({"lr": 0.25}, 9)


def test_a_schedule_holds_what_was_changed_while_training() -> None:
    first = run(0, 9, 1.0)
    change = Change(run_id="0.0", params={"lr": 0.25}, reason="by-hand")
    by_hand = Entry(1, change, 0.0, "0.0", "obeyed", step=4.0)
    picture = replace(view(first), diary=(by_hand,))
    assert schedule(picture, first) == ((0.0, first.params), (4.0, {**first.params, "lr": 0.25}))
