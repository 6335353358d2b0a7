"""Tuning by importance: which parameters move when, and around what."""

import itertools
import math
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from luthier.contracts import Sampler
from luthier.core.budget import Budget
from luthier.core.domain import Choice, Float, Int
from luthier.core.errors import OptionError
from luthier.core.space import Space, make_space
from luthier.core.study import RunState, Study, StudyView
from luthier.knowledge.stages import stage_of, stages
from luthier.policies.asha import Asha
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.full import Full
from luthier.policies.halving import SuccessiveHalving
from luthier.registry import POLICIES, from_recipe, in_stages, make_policy, make_sampler, to_recipe
from luthier.samplers.fixed import Fixed
from luthier.samplers.gp import Gp
from luthier.samplers.grid import Grid
from luthier.samplers.random import Random
from luthier.samplers.sobol import Sobol
from luthier.samplers.staged import Staged
from luthier.samplers.tpe import Tpe
from luthier.stores.memory import MemoryStore
from luthier.testing import SamplerContract
from luthier.testing.paper import PaperExecutor
from luthier.tuner import Tuner

SPACE = make_space(
    {
        "lr": Float(1e-4, 1.0, log=True, prior=1e-3),
        "batch_size": Int(16, 512, log=True, prior=64),
        "dropout": Float(0.0, 0.5),
        "weight_decay": Float(1e-6, 1e-2, log=True),
        "n_layers": Int(1, 6, prior=2),
    }
)


class TestStaged(SamplerContract):
    def make(self) -> Sampler:
        return Staged(Random())


class TestStagedGp(SamplerContract):
    def make(self) -> Sampler:
        return Staged(Gp(n_start=4))


class TestStagedTpe(SamplerContract):
    def make(self) -> Sampler:
        return Staged(Tpe())


class TestStagedSobol(SamplerContract):
    def make(self) -> Sampler:
        return Staged(Sobol())


def loss(params: object, step: float) -> float:
    p: dict[str, float] = dict(params)  # type: ignore[call-overload]
    return float((math.log10(p["lr"]) + 2) ** 2 + (p["dropout"] - 0.3) ** 2 + 1 / step)


def tuned(policy: object, budget: Budget, space: Space = SPACE, n_workers: int = 1) -> StudyView:
    study = Study("s", space, "loss", max_steps=9, budget=budget)
    paper = PaperExecutor(loss, n_workers, max_steps=9)
    with closing(MemoryStore(study)) as store:
        return Tuner(store, policy, paper, clock=paper.clock).run()  # type: ignore[arg-type]


def test_the_order_is_the_chapters() -> None:
    assert stages(SPACE) == [
        ("lr",), ("batch_size",), ("dropout", "weight_decay"), ("n_layers",)
    ]  # fmt: skip
    mine = make_space({"x": Float(0, 1), "y": Float(0, 1, tier=1), "depth": Int(1, 3, tier=1)})
    assert stages(mine) == [("y",), ("x",), ("depth",)]


def test_a_parent_moves_no_later_than_what_depends_on_it() -> None:
    space = make_space(
        {
            "kind": Choice("a", "b"),
            "deep": Choice("c", "d", when={"kind": "a"}),
            "lr": Float(0.1, 1.0, when={"deep": "c"}),
        }
    )
    assert stages(space) == [("kind", "deep", "lr")]


@pytest.mark.parametrize(
    ("policy", "sampler", "budget"),
    [
        (Full, "random", Budget(n_trials=40)),
        (Full, "grid", Budget(time_s=200)),
        (Asha, "sobol", Budget(n_steps=200)),
        (Asha, "grid", Budget(n_trials=40)),
        (Asha, "random", Budget(time_s=200)),
        (SuccessiveHalving, "random", Budget(n_steps=200)),
        (FreezeThaw, "random", Budget(n_steps=200)),
        (FreezeThaw, "random", Budget(n_trials=40)),
    ],
)
def test_one_stage_after_the_other_for_every_policy_and_sampler(
    policy: type, sampler: str, budget: Budget
) -> None:
    view = tuned(in_stages(policy(make_sampler(sampler)), "importance"), budget)
    default = SPACE.default()
    groups = stages(SPACE)
    last, moved, depths = 0, set(), {default["n_layers"]}
    for number, trial in view.trials.items():
        if number == 0:
            assert trial.params == default
            continue
        earlier = [view.trials[n].params for n in range(number)]
        # what differs from the nearest earlier trial all belongs to one stage
        differing = min(
            ({k for k in default if trial.params[k] != other[k]} for other in earlier), key=len
        )
        stage = next(n for n, g in enumerate(groups) if differing & set(g))
        if last == 3 and len(depths) >= 5:
            break  # all depths were tried: what is left of the budget goes to the whole space
        assert differing <= set(groups[stage]), (number, differing)
        assert stage >= last
        last = stage
        depths.add(trial.params["n_layers"])
        moved |= differing
    assert "lr" in moved
    assert len(view.trials) > 10


def test_later_stages_keep_the_best_so_far() -> None:
    view = tuned(Full(Staged(Random())), Budget(n_trials=50))
    by_stage: dict[int, list[int]] = {}
    groups = stages(SPACE)
    for number in range(1, 50):
        view_then = replace(view, trials={n: view.trials[n] for n in range(number)})
        by_stage.setdefault(stage_of(view_then, groups), []).append(number)
    # five parameters share 50 trials
    assert [len(numbers) for numbers in by_stage.values()] == [9, 10, 20, 10]
    first = [0, *by_stage[0]]
    best = min(first, key=lambda n: loss(view.trials[n].params, 9))
    for number in (n for stage in (1, 2) for n in by_stage[stage]):
        assert view.trials[number].params["lr"] == view.trials[best].params["lr"]
    assert {view.trials[n].params["n_layers"] for n in first} == {2}


def test_a_used_up_stage_gives_its_share_to_the_next() -> None:
    space = make_space({"optimizer": Choice("a", "b"), "lr": Float(1e-3, 1, log=True, tier=3),
                        "activation": Choice("relu", "gelu"), "dropout": 0.1})  # fmt: skip
    assert stages(space) == [("optimizer", "lr"), ("activation",)]
    few = make_space(
        {"optimizer": Choice("a", "b"), "kernel": Choice(3, 5), "lr": 0.1, "dropout": 0}
    )
    drawn = tuned(Full(Staged(Grid())), Budget(n_trials=10), few)
    points = [tuple(trial.params.items()) for trial in drawn.trials.values()]
    assert len(points) == len(set(points)) == 4, "every combination, and then no more"


def test_conditions_that_the_best_point_switches_off() -> None:
    space = make_space(
        {
            "optimizer": Choice("adam", "sgd", prior="adam", tier=1),
            "lr": Float(1e-3, 1, log=True),
            "nesterov": Choice(True, False, when={"optimizer": "sgd"}),
            "dropout": Float(0, 0.5),
        }
    )

    def formula(params: object, step: float) -> float:
        return loss(params, step) + (dict(params)["optimizer"] == "sgd")  # type: ignore[call-overload]

    study = Study("s", space, "loss", max_steps=9, budget=Budget(n_trials=40))
    paper = PaperExecutor(formula, 2, max_steps=9)
    with closing(MemoryStore(study)) as store:
        view = Tuner(store, Full(Staged(Random())), paper, clock=paper.clock).run()
    assert len(view.trials) == 40
    assert all(run.state is RunState.COMPLETED for run in view.runs.values())
    assert space.fix({"optimizer": "adam"}).default().keys() == {"optimizer", "lr", "dropout"}


def test_without_a_budget_stages_have_a_length() -> None:
    rng = np.random.default_rng(0)
    study = Study("s", SPACE, "loss", max_steps=9)
    view = StudyView(study, {}, {}, 1, 1)
    rows = Staged(Random()).suggest(view, 3, rng)
    points = [SPACE.from_unit(row) for row in rows]
    for a, b in itertools.combinations(points, 2):
        assert {k for k in a if a[k] != b[k]} == {"lr"}


def test_it_is_remembered_for_resume() -> None:
    policy = in_stages(Asha(Sobol()), "importance")
    assert from_recipe(to_recipe(policy)) == policy == Asha(Staged(Sobol()))
    assert in_stages(Asha(Sobol()), None) == in_stages(Asha(Sobol()), "none") == Asha(Sobol())
    with pytest.raises(OptionError, match="importance"):
        in_stages(Asha(Sobol()), "tiers")


class NoSampler:
    def decide(self, view: StudyView) -> list[object]:
        return []


def test_a_policy_without_a_sampler_is_refused() -> None:
    with pytest.raises(OptionError, match="NoSampler"):
        in_stages(NoSampler(), "importance")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="Children, which proposes its points itself"):
        in_stages(make_policy("children"), "importance")
    with pytest.raises(OptionError, match="a list of points"):
        in_stages(Full(Fixed(({"lr": 0.1},))), "importance")


def test_a_used_up_stage_of_freeze_thaw_gives_its_share_to_the_next() -> None:
    space = make_space({"optimizer": Choice("a", "b"), "lr": 0.1,
                        "dropout": Float(0.0, 0.5, prior=0.1)})  # fmt: skip
    assert stages(space) == [("optimizer",), ("dropout",)]
    view = tuned(in_stages(FreezeThaw(Random()), "importance"), Budget(n_steps=120), space)
    begun = [trial.params for trial in view.trials.values()]
    assert {point["dropout"] for point in begun[:2]} == {0.1}
    assert len({point["dropout"] for point in begun}) > 5


OWN_POINTS = {"children", "autopilot"}


@pytest.mark.parametrize("name", [*sorted(POLICIES.keys() - OWN_POINTS), "bohb", "tpe"])
def test_every_policy_by_name(name: str) -> None:
    policy = in_stages(make_policy(name, "random"), "importance")
    lr = replace(SPACE.domains["lr"], live=True)  # some policies change it while runs train
    view = tuned(policy, Budget(n_trials=25), Space({**SPACE.domains, "lr": lr}))
    assert view.best() is not None
    first = [dict(view.trials[n].params) for n in range(4)]
    for params in first[1:]:
        assert {k for k in params if params[k] != first[0][k]} <= {"lr"}, "tier 1 is first"
