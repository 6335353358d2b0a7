"""What a pause costs, from what runs told of themselves, and how long slices are for it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from luthier.core.action import Continue, Start
from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.event import Ended, Proposed, Reported, Started
from luthier.core.ledger import Ledger
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.pausing import least_slice, pause_steps
from luthier.samplers.random import Random

STUDY = Study("s", make_space({"x": Float(0, 1)}), "loss", max_steps=27)


def paused(number: int, steps: int, **cost: Any) -> Run:
    curve = Curve(np.arange(1.0, steps + 1), 1.0 + number / 9 + 1.0 / np.arange(1, steps + 1))
    return Run(f"{number}.0", number, {"x": number / 40}, steps, state=RunState.PAUSED, step=steps,
               curve=curve, **cost)  # fmt: skip


def view(**cost: Any) -> StudyView:
    runs = [paused(n, 1 + n % 4, train_s=4.0 * (1 + n % 4), **cost) for n in range(30)]
    trials = {run.trial: Trial(run.trial, run.params) for run in runs}
    return StudyView(STUDY, trials, {run.id: run for run in runs}, 1, 9)


def test_the_ledger_adds_up_what_pausing_took() -> None:
    ledger = Ledger(STUDY)
    ledger.apply([Proposed(Run("0.0", 0, {"x": 0.5}, 2), Trial(0, {"x": 0.5}))])
    ledger.apply([Started("0.0", 0, True, {}, 3.0)])  # the model was built
    ledger.apply([Reported("0.0", ("loss",), np.array([[1.0, 5.0, 0.5], [2.0, 7.0, 0.4]]))])
    ledger.apply([Ended("0.0", RunState.PAUSED, 2, 8.0, "slice-end")])  # saved
    ledger.apply([Started("0.0", 2, True, {}, 12.0)])  # built again and restored
    ledger.apply([Reported("0.0", ("loss",), np.array([[3.0, 14.0, 0.3]]))])
    ledger.apply([Ended("0.0", RunState.FAILED, 3, 15.0, "exception")])
    run = ledger.runs["0.0"]
    assert (run.n_starts, run.pausing_s) == (2, 3.0 + 1.0 + 4.0)
    # 8 s in two starts, 7 s of training in three steps
    assert pause_steps(ledger.view()) == pytest.approx(4.0 / (7.0 / 3.0))


def test_training_since_the_newest_report_is_no_pausing() -> None:
    ledger = Ledger(STUDY)
    ledger.apply([Proposed(Run("0.0", 0, {"x": 0.5}, 7), Trial(0, {"x": 0.5}))])
    ledger.apply([Started("0.0", 0, True, {}, 1.0)])
    ledger.apply([Reported("0.0", ("loss",), np.array([[5.0, 51.0, 0.5]]))])
    ledger.apply([Ended("0.0", RunState.PAUSED, 7, 71.5, "slice-end")])
    assert ledger.runs["0.0"].pausing_s == 1.0


def test_nothing_measured_costs_nothing() -> None:
    assert pause_steps(view()) == 0.0
    assert pause_steps(StudyView(STUDY, {}, {})) == 0.0


def test_no_slice_is_longer_than_what_a_run_has_or_a_ninth() -> None:
    at = np.array([0.0, 2.0, 9.0])
    assert least_slice(0.0, at, 27.0).tolist() == [0.0, 0.0, 0.0]
    assert least_slice(0.5, at, 27.0).tolist() == [1.5, 1.5, 1.5]
    assert least_slice(100.0, at, 27.0).tolist() == [3.0, 3.0, 9.0]


def test_slices_grow_with_the_cost_of_pausing() -> None:
    """One start a run, of 4 s a step: nothing, a second, a minute to start."""
    longest: list[float] = []
    for pausing_s in (0.0, 1.0, 60.0):
        cost = {"pausing_s": pausing_s, "n_starts": 1}
        studied = view(**cost)
        runs = {i: replace(r, train_s=r.train_s + pausing_s) for i, r in studied.runs.items()}
        lengths = set()
        for seed in range(12):
            at_hand = replace(studied, runs=runs, study=replace(STUDY, seed=seed))
            for action in FreezeThaw(Random()).decide(at_hand):
                if isinstance(action, Start):
                    lengths.add(action.to_step)
                elif isinstance(action, Continue):
                    lengths.add(action.to_step - runs[action.run_id].step)
        longest.append(max(lengths))
        shortest = min(lengths)
    assert longest[0] <= 2.0
    assert longest[0] <= longest[1] < longest[2]
    assert shortest >= 3.0, "at 15 steps a pause every slice is as long as may be"
