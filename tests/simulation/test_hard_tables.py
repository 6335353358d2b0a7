"""Searches and predictions on tables that are made to be hard."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.core.study import Run
from luthier.models.check import standard_scores
from luthier.models.curves import Z80
from luthier.policies.picture import Picture
from luthier.policies.second_look import LOOKS_POOR
from luthier.samplers.random import Random
from luthier.simulation import policy_on, simulate
from luthier.table_folder import load_table
from luthier.tables import Table

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "hard_tables.py"
Maker = Callable[[int, int, int], tuple[dict[str, Any], dict[str, np.ndarray]]]
MAKERS: dict[str, Maker] = {m.__name__: m for m in runpy.run_path(str(SCRIPT))["MAKERS"]}


@pytest.mark.parametrize("made", MAKERS.values(), ids=MAKERS.keys())
def test_never_much_worse_than_halving(made: Maker, write_table: Callable[..., Path]) -> None:
    regrets: dict[str, list[float]] = {"freeze-thaw": [], "asha": []}
    for seed in range(2):
        table = load_table(write_table(*made(200, 27, seed)), "task")
        for name, found in regrets.items():
            outcome = simulate(table, policy_on(table, name), budget_runs=8, seed=seed)
            found.append((outcome.anytime + outcome.at(1.0)) / 2)
    # two seeds of one searcher differ by as much as this margin
    assert np.mean(regrets["freeze-thaw"]) < np.mean(regrets["asha"]) + 0.15


def test_good_runs_that_look_worst_of_all_are_found(write_table: Callable[..., Path]) -> None:
    table = load_table(write_table(*MAKERS["crossing"](200, 27, 0)), "task")
    within_best = np.nanquantile(table.losses[:, -1], 0.05)
    outcomes = [simulate(table, policy_on(table, "freeze-thaw"), budget_runs=20, seed=seed)
                for seed in range(2)]  # fmt: skip
    for outcome in outcomes:
        looks = [e for e in outcome.view.diary if e.action.reason == LOOKS_POOR]
        assert looks, "nothing better had come for long"
        assert all(getattr(e.action, "to_step", 0) == 14 for e in looks)
    deceived = [
        getattr(e.action, "to_step", 0)
        for outcome in outcomes
        for e in outcome.view.diary
        if e.action.reason == "early-deceives"
    ]
    assert set(deceived) == {10}, "the step of the grid after three tenths of 27"
    found = [
        np.nanmin([np.min(run.curve.values) for run in outcome.view.runs.values()])
        for outcome in outcomes
    ]
    assert min(found) < within_best, "without such looks no run of the best third went far"


@pytest.mark.parametrize(("kind", "is_so", "n_seeds"), [("ragged", True, 2), ("brittle", False, 4)])
def test_curves_that_restart_are_read_by_their_lowest(
    kind: str, is_so: bool, n_seeds: int, write_table: Callable[..., Path]
) -> None:
    scores = []
    for seed in range(n_seeds):
        table = load_table(write_table(*MAKERS[kind](200, 27, seed)), "task")

        def truth(run: Run, step: int, table: Table = table) -> float:
            row = table.rows[table.find(run.params) or 0][0]
            return float(table.losses[row, step - 1])

        view = simulate(table, policy_on(table, "asha"), budget_runs=6, seed=seed).view
        runs = list(view.current().values())
        picture = Picture.of(view, Random(), runs, "log")
        assert picture is not None
        assert picture.model.ragged == is_so
        scores += standard_scores(picture.model, runs, picture.x, truth).tolist()
    assert 0.65 <= np.mean(np.abs(scores) <= Z80) <= 0.9
