import numpy as np

from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.retention import least_promising, n_bytes, spare, superseded
from luthier.core.space import make_space
from luthier.core.study import Checkpoint, Run, RunState, Study, StudyView


def run(trial: int, losses: list[float], state: RunState, saved: list[int], **more: object) -> Run:
    steps = np.arange(1.0, len(losses) + 1)
    checkpoints = tuple(
        Checkpoint(f"{trial}.0", step, f"{step}", 100, 0, losses[step - 1]) for step in saved
    )
    return Run(f"{trial}.0", trial, {"x": 0.5}, 9, state=state, step=len(losses),
               curve=Curve(steps, np.array(losses)), checkpoints=checkpoints, **more)  # type: ignore[arg-type]  # fmt: skip


def view(*runs: Run) -> StudyView:
    study = Study("s", make_space({"x": Float(0, 1)}), "loss", max_steps=9)
    return StudyView(study, {}, {r.id: r for r in runs})


def test_the_newest_the_best_and_the_parents_stay() -> None:
    a = run(0, [3.0, 1.0, 2.0, 4.0], RunState.PAUSED, [1, 2, 3, 4])
    child = run(1, [3.0], RunState.PAUSED, [], parent=a.checkpoints[0])
    assert [c.step for c in superseded(view(a, child), "0.0")] == [3]
    assert superseded(view(a, child), "0.0", {("0.0", 3)}) == []


def test_a_run_that_trains_keeps_three() -> None:
    a = run(0, [9.0, 8.0, 7.0, 6.0, 5.0], RunState.RUNNING, [1, 2, 3, 4, 5])
    assert [c.step for c in superseded(view(a), "0.0")] == [1, 2]


def test_room_is_made_from_the_worst_ended_run_up() -> None:
    best = run(0, [3.0, 1.0, 2.0], RunState.COMPLETED, [2, 3])
    middle = run(1, [4.0, 2.0], RunState.STOPPED, [1, 2])
    worst = run(2, [9.0], RunState.COMPLETED, [1])
    waiting = run(3, [5.0, 4.0], RunState.PAUSED, [1, 2])
    picture = view(best, middle, worst, waiting)
    assert n_bytes(picture) == 700
    gone = [(c.run_id, c.step) for c in spare(picture, 0)]
    # what stays: where the paused run goes on, and the best of all
    assert gone == [("2.0", 1), ("1.0", 1), ("1.0", 2), ("0.0", 3), ("3.0", 1)]
    assert [(c.run_id, c.step) for c in spare(picture, 600)] == [("2.0", 1)]
    assert spare(picture, 700) == []
    assert least_promising(picture) is waiting
    assert least_promising(view(best)) is None


def test_what_a_policy_forks_from_stays() -> None:
    a = run(0, [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0], RunState.PAUSED, [2, 5, 6, 7])
    assert [c.step for c in superseded(view(a), "0.0")] == [2, 5, 6]
    assert [c.step for c in superseded(view(a), "0.0", forks_before=0.6)] == [2, 6]
