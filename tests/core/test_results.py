"""What a trial is worth: of forks their own part, of several runs the best that was trained."""

import math

import numpy as np

from luthier.core.domain import Float
from luthier.core.event import Ended, Event, Proposed, Reported
from luthier.core.ledger import Ledger
from luthier.core.space import make_space
from luthier.core.study import Checkpoint, Run, RunState, Study, Trial

STUDY = Study("s", make_space({"lr": Float(1e-4, 1.0, log=True)}), "loss", max_steps=6)


def trained(
    run_id: str, lr: float, losses: dict[int, float], parent: Checkpoint | None = None,
    state: RunState = RunState.COMPLETED,
) -> list[Event]:  # fmt: skip
    trial = Trial(int(run_id.partition(".")[0]), {"lr": lr})
    rows = np.array([[float(step), 1.0, loss] for step, loss in losses.items()]).reshape(-1, 3)
    events: list[Event] = [Proposed(Run(run_id, trial.number, trial.params, 6.0, parent), trial)]
    events += [Reported(run_id, ("loss",), rows)] if len(rows) else []
    return [*events, Ended(run_id, state, None, None, "")]


def test_a_fork_is_judged_by_what_came_after_it_left() -> None:
    ledger = Ledger(STUDY)
    at_4 = Checkpoint("0.0", 4.0, "4.ckpt", 1, 0)
    ledger.apply(trained("0.0", 0.1, {2: 0.5, 4: 0.7, 6: 0.6}))
    ledger.apply(trained("1.0", 0.9, {5: 0.8, 6: 0.9}, at_4))
    ledger.apply(trained("2.0", 0.8, {}, at_4, RunState.PAUSED))
    retry = Checkpoint("1.0", 5.0, "5.ckpt", 1, 0)
    ledger.apply(trained("1.1", 0.9, {6: 0.75}, retry))
    runs = ledger.view().runs
    assert runs["1.0"].curve.best_loss == 0.5, "it goes on from there"
    assert (runs["1.0"].best_loss, runs["1.0"].best_step) == (0.8, 5)
    assert math.isnan(runs["2.0"].best_loss)
    assert (runs["1.1"].own_from, runs["1.1"].best_loss) == (4, 0.75)
    restored = Ledger(STUDY)
    for run in runs.values():
        restored.restore(run)
    assert [run.own_from for run in restored.runs.values()] == [0, 4, 4, 4]


def test_of_several_runs_of_a_trial_the_best_that_was_trained_counts() -> None:
    ledger = Ledger(STUDY)
    ledger.apply(trained("0.0", 0.1, {2: 0.1}, state=RunState.LOST))
    ledger.apply(trained("0.1", 0.1, {2: 0.3, 6: 0.2}))
    ledger.apply(trained("0.2", 0.1, {2: 0.3, 6: 0.25}))
    ledger.apply(trained("1.0", 0.2, {2: 0.4}, state=RunState.LOST))
    ledger.apply(trained("1.1", 0.2, {}, state=RunState.PAUSED))
    view = ledger.view()
    assert {trial: run.id for trial, run in view.results().items()} == {0: "0.1", 1: "1.1"}
    best = view.best()
    assert best is not None
    assert best.id == "0.1"
