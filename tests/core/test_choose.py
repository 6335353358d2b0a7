"""The choice at its borders, and that what is given is kept."""

from dataclasses import replace
from typing import Any

import pytest

from luthier.core.auto import DECISION_SHARE, decision_s
from luthier.core.auto import choose as auto_choose
from luthier.core.budget import Budget
from luthier.core.choose import (
    MODES,
    N_CAVIAR,
    N_CHILDREN,
    PLANNED,
    PROBES,
    WORTH,
    Facts,
    choose,
    side_by_side,
    trainings,
)
from luthier.core.domain import Float
from luthier.core.space import make_space
from luthier.registry import policy_of
from luthier.samplers.gp import Gp

FACTS = Facts(
    budget_s=1000.0, spent_s=0.0, max_steps=10, step_s=1.0, start_s=0.1, seen_s=2.0, pausable=True,
    tunable=True, n_parameters=4, n_cores=1, n_gpus=0, free_mb=8000.0, own_mb=100.0, peak_mb=300.0,
)  # fmt: skip


def facts(n_trainings: float, **more: Any) -> Facts:
    """A budget of so many full trainings."""
    return replace(FACTS, budget_s=n_trainings * 10.0, **more)


def test_borders_of_the_modes() -> None:
    def mode(n: float) -> str:
        return choose(facts(n)).mode

    assert mode(N_CHILDREN * 0.99) == "panda"
    assert mode(N_CHILDREN) == "children" if N_CHILDREN < N_CAVIAR else "caviar"
    assert mode(N_CAVIAR * 0.99) != "caviar"
    assert mode(N_CAVIAR) == "caviar"
    assert choose(facts(0.1)).policy == "autopilot"
    assert choose(facts(N_CAVIAR)).n_children is None


def test_what_cannot_be_nursed_is_raised_in_turn() -> None:
    for lacking in ({"tunable": False}, {"pausable": False}):
        choice = choose(facts(0.5, **lacking))
        assert (choice.mode, choice.policy, choice.workers) == ("children", "children", 1)


def test_threads_and_runs_side_by_side_make_more_of_the_budget() -> None:
    cores = {"n_cores": 8, "n_together": 8, "together_gain": 6.0, "thread_gain": 2.0}
    n = N_CAVIAR / 4
    assert choose(facts(n)).mode != "caviar"
    choice = choose(facts(n, **cores))
    assert (choice.mode, choice.workers, choice.threads) == ("caviar", 8, 1)
    assert trainings(facts(1.0, **cores), alone=True) == pytest.approx(2.0)
    alone = choose(facts(0.1, **cores))
    assert (alone.mode, alone.workers, alone.threads) == ("panda", 1, 8)


def test_what_gains_nothing_is_not_used() -> None:
    busy = {"n_cores": 8, "n_together": 8, "together_gain": WORTH - 0.01}
    assert side_by_side(facts(9.0, **busy)) == 1
    assert side_by_side(facts(9.0, **busy | {"together_gain": WORTH})) == 8
    slow = choose(facts(0.1, n_cores=8, thread_gain=WORTH - 0.01))
    assert slow.threads == 1
    assert choose(facts(0.1, n_cores=8, thread_gain=0.0)).threads == 1


def test_memory_limits_the_runs() -> None:
    wide = {"n_cores": 64, "n_together": 64, "together_gain": 50.0}
    assert side_by_side(facts(99.0, **wide)) == 64
    assert side_by_side(facts(99.0, **wide, own_mb=1000.0)) == 6  # 0.8 x 8,000 MB
    assert side_by_side(facts(99.0, **wide, own_mb=90_000.0)) == 1


def test_devices_count_where_nothing_was_measured() -> None:
    assert side_by_side(facts(9.0, n_cores=16, n_gpus=2)) == 2
    assert side_by_side(facts(9.0, n_cores=16)) == 16


def test_the_policy_of_many() -> None:
    slow = decision_s(999.0, 10) / DECISION_SHARE
    assert choose(facts(999.0, step_s=slow)).policy == "freeze-thaw"
    assert choose(facts(999.0, step_s=slow * 0.99)).policy == "asha"
    assert choose(facts(999.0, step_s=slow, pausable=False)).policy == "asha"
    assert choose(facts(999.0, step_s=slow), workers=2).policy == "asha"  # one decides for both
    assert decision_s(3.0, 10) < decision_s(999.0, 10)  # few runs are quickly thought over
    assert choose(facts(999.0, max_steps=None)).policy == "full"


def test_one_rule_names_the_policy_of_many() -> None:
    """Asked with the same, `--policy auto` and the measured choice say the same; only where
    decisions would be too slow, the measured time of a step takes the place of counts."""
    space = make_space({"lr": Float(1e-5, 1e-1, log=True), "wd": Float(0, 1)})
    for max_steps, n, workers in [(30, 50, 4), (30, 1500, 16), (3, 900, 4), (2, 50, 4)]:
        auto = auto_choose(space, max_steps, Budget(n_trials=n), workers)
        measured = facts(0.0, max_steps=max_steps, step_s=1e3, n_parameters=2)
        budget_s = n * max_steps * 1e3 / workers
        choice = choose(replace(measured, budget_s=budget_s), mode="caviar", workers=workers)
        assert (choice.policy, choice.sampler) == (auto.policy, auto.sampler)
    assert policy_of(choice).sampler == Gp()  # type: ignore[attr-defined]


def test_without_a_step_it_goes_by_what_is_known() -> None:
    """The first step did not end within the share of the budget: twice as long is assumed."""
    choice = choose(facts(10.0, step_s=None, seen_s=3.0))
    assert "no step ended" in choice.why[0]
    assert trainings(facts(12.0, step_s=None, seen_s=3.0)) == pytest.approx(2.0)


def test_a_panda_comes_to_its_end_in_time() -> None:
    """Its steps are planned for what the time buys, and no fewer than that where it is enough."""
    assert choose(facts(0.5)).n_steps == 4  # 0.9 x 0.5 trainings of 10 steps
    assert "4 steps" in choose(facts(0.5)).why[-1]
    assert choose(facts(0.01)).n_steps == 1
    assert choose(facts(PROBES / PLANNED), mode="panda").n_steps is None
    assert choose(facts(0.5), mode="children").n_steps is None


def test_nothing_to_search() -> None:
    assert choose(facts(99.0, n_parameters=0)).mode == "panda"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [0.1, 2.0, 500.0])
def test_what_is_given_is_kept(mode: Any, n: float) -> None:
    choice = choose(facts(n, n_cores=8), mode=mode, workers=3)
    assert (choice.mode, choice.workers) == (mode, 3)
    assert "as you asked" in choice.why[-1]


def test_children_that_are_given() -> None:
    assert choose(facts(9.0), mode="children", n_children=4).n_children == 4
    wide = facts(9.0, n_cores=8, n_together=8, together_gain=7.0)
    assert choose(wide, mode="children", n_children=4).workers == 2  # two that learn from two


@pytest.mark.parametrize("n", [0.01, 0.5, 1.7, 2.9, 40.0])
@pytest.mark.parametrize("max_steps", [None, 1, 300])
def test_five_lines_with_numbers(n: float, max_steps: int | None) -> None:
    choice = choose(facts(n, max_steps=max_steps, measured_at="lr=0.1", varying=("width",)))
    assert len(choice.why) == 5
    assert all(line and "None" not in line and "nan" not in line for line in choice.why)
    assert choice.mode in choice.why[-1]
    if max_steps is not None and n * 10 < max_steps:
        assert "--time" in choice.why[3]  # what one training would need
