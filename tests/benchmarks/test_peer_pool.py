"""What a step costs and which row a suggestion gets, with a searcher that follows a script."""

import math
from collections.abc import Hashable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Rows = Sequence[Sequence[float]]
NAN = math.nan


def curves(losses: Rows, **changed: Any) -> Any:
    """One column; row i at i / n; a second per step."""
    table = np.array(losses, dtype=float)
    n = len(table)
    best = np.nanmin(table, axis=1)
    return import_module("curves").Curves(
        x=changed.get("x", np.arange(n)[:, None] / n), first=np.arange(n + 1), row_of=np.arange(n),
        losses=table, n_steps=np.array(changed.get("n_steps", [table.shape[1]] * n)),
        diverged=np.array(changed.get("diverged", [False] * n)),
        step_s=np.array(changed.get("step_s", np.ones(table.shape))), prior=np.full(1, NAN),
        low=float(best.min()), middle=float(np.median(best)),
    )  # fmt: skip


class Scripted:
    """Asks what it was given, in turn; keeps what it is told."""

    def __init__(
        self, asks: Sequence[tuple[Hashable, int, float | None]], stop_at: int = 0
    ) -> None:
        self.asks = list(asks)
        self.stop_at = stop_at
        self.placed: list[float] = []
        self.reports: list[tuple[Hashable, int, float]] = []
        self.ends: list[tuple[Hashable, int, float, bool]] = []

    def ask(self) -> Any:
        if not self.asks:
            return None
        trial, to_step, place = self.asks.pop(0)
        wanted = None if place is None else np.array([place])
        return import_module("pool").Ask(trial, to_step, wanted)

    def place(self, trial: Hashable, x: NDArray[np.float64]) -> None:
        self.placed.append(float(x[0]))

    def report(self, trial: Hashable, step: int, loss: float) -> bool:
        self.reports.append((trial, step, loss))
        return step != self.stop_at

    def end(self, trial: Hashable, step: int, best: float, *, diverged: bool) -> None:
        self.ends.append((trial, step, best, diverged))


def search(table: Any, searcher: Scripted, budget: int, n_workers: int = 1) -> Any:
    made = import_module("pool").Search(
        table, searcher, budget, n_workers, np.random.default_rng(0)
    )
    made.run()
    return made


def test_the_nearest_row_that_is_free_is_paid_step_by_step() -> None:
    table = curves([[5, 4, 3], [9, 8, 7], [6, 2, 1]])
    player = Scripted([("a", 3, 0.1), ("b", 3, 0.1)])
    done = search(table, player, 6)
    assert player.placed == pytest.approx([0.0, 1 / 3])
    assert done.seen == [5, 4, 3, 9, 8, 7]
    assert player.ends == [("a", 3, 3, False), ("b", 3, 7, False)]
    assert done.regret() == pytest.approx([1, 1, 1, 1, 1, 1])  # 3 is the median of the best


def test_a_resumed_trial_pays_the_difference_only() -> None:
    table = curves([[5, 4, 3], [9, 8, 7]])
    player = Scripted([("a", 1, 0.0), ("b", 1, 0.5), ("a", 3, None), ("a", 3, None)])
    done = search(table, player, 10)
    assert done.seen == [5, 9, 4, 3]
    assert player.ends[-1] == ("a", 3, 3, False)  # asked for once more: an answer, and no cost


def test_a_trial_that_is_stopped_costs_no_more() -> None:
    table = curves([[5, 4, 3], [9, 8, 7]])
    player = Scripted([("a", 3, 0.0), ("b", 3, 0.5)], stop_at=2)
    assert search(table, player, 10).seen == [5, 4, 9, 8]
    assert player.ends == []


def test_when_all_rows_are_used_known_steps_are_free_and_the_search_ends() -> None:
    pool = import_module("pool")
    table = curves([[5, 4], [9, 8]])
    asks = [(f"t{i}", 2, 0.0) for i in range(2 * pool.IDLE)]
    player = Scripted(asks)
    done = search(table, player, 100)
    assert done.seen == [5, 4, 9, 8]
    assert player.ends[2] == ("t2", 2, 4, False)
    assert len(player.asks) > 0
    assert len(done.regret()) == 100


def test_the_budget_is_a_limit() -> None:
    player = Scripted([("a", 3, 0.0), ("b", 3, 0.5)])
    assert len(search(curves([[5, 4, 3], [9, 8, 7]]), player, 4).seen) == 4


def test_a_divergence_is_paid_told_and_no_report() -> None:
    table = curves(
        [[5, 1e30, NAN], [5, 4, 3]],
        n_steps=[3, 3],
        diverged=[True, False],
        x=np.array([[0.0], [1]]),
    )
    player = Scripted([("a", 3, 0.0), ("b", 3, 1.0)])
    done = search(table, player, 6)
    limit = table.limit
    assert [r for r in player.reports if r[0] == "a"] == [("a", 1, 5), ("a", 2, limit)]
    assert player.ends[0] == ("a", 3, limit, True)
    assert len(done.seen) == 6
    assert np.isfinite(done.regret()).all()


def test_a_row_that_ends_early_is_complete_there_and_a_gap_repeats_what_was() -> None:
    table = curves([[5, NAN, 3, NAN], [9, 8, 7, 6]], n_steps=[3, 4])
    player = Scripted([("a", 4, 0.0)])
    search(table, player, 8)
    assert player.reports == [("a", 1, 5), ("a", 2, 5), ("a", 3, 3)]
    assert player.ends == [("a", 3, 3, False)]


def test_workers_go_by_the_seconds_of_the_table() -> None:
    table = curves([[5, 4], [9, 8], [7, 6]], step_s=[[3, 3], [1, 1], [1, 1]])
    player = Scripted([("a", 2, 0.0), ("b", 2, 0.34), ("c", 2, 0.67)])
    assert search(table, player, 6, n_workers=2).seen == [9, 8, 5, 7, 6, 4]


def test_decisions_are_measured_once_for_each_ask() -> None:
    player = Scripted([("a", 2, 0.0), ("b", 2, 0.5)])
    assert len(search(curves([[5, 4], [9, 8]]), player, 4).decision_ms) == 2


def test_a_new_trial_needs_a_place() -> None:
    with pytest.raises(ValueError, match="has no place"):
        search(curves([[5, 4], [9, 8]]), Scripted([("a", 2, None)]), 4)
