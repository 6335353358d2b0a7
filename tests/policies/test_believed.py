"""What a second look has shown of early losses."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from luthier.core.action import Author, Continue, Start
from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.entry import Entry
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.models.process import Process
from luthier.models.readings import Readings, log_grid
from luthier.policies.believed import believed_from
from luthier.policies.first_step import SECOND
from luthier.policies.picture import Picture
from luthier.policies.second_look import LOOKS_POOR
from luthier.samplers.random import Random

LAST = 40
FAR = LAST // 2
STUDY = Study("s", make_space({"x": Float(0.0, 1.0)}), "loss", max_steps=LAST)
GOOD = 1.0 + 1.0 / np.arange(1.0, LAST + 1)


def jump(step: int, to: float, n: int = FAR) -> np.ndarray:
    """Losses that are poor up to a step, and lower from it on."""
    return np.where(np.arange(1, n + 1) < step, 3.0, to)


def view_of(curves: Sequence[np.ndarray], looked: Sequence[int]) -> StudyView:
    """Runs of two steps each, which then went on in the order given: to where they end, or on a
    look."""
    runs, trials, begun, went_on = {}, {}, [], []
    for n, losses in enumerate(curves):
        point, name, n_steps = {"x": n / 99}, f"{n}.0", len(losses)
        curve = Curve(np.arange(1.0, n_steps + 1), losses)
        runs[name] = Run(name, n, point, n_steps, state=RunState.PAUSED, step=n_steps, curve=curve)
        trials[n] = Trial(n, point)
        begun.append(Entry(n, Start(params=point, to_step=2, reason="new-point"), 0.0, name))
        to_step, reason = (FAR, LOOKS_POOR) if n in looked else (n_steps, "most-promising")
        action = Continue(run_id=name, to_step=to_step, reason=reason)
        went_on.append(Entry(99 + n, action, 0.0, name, step=2))
    return StudyView(STUDY, trials, runs, 1, 1, 0.0, (*begun, *went_on))


def from_step(view: StudyView) -> int:
    return believed_from(view, list(view.current().values()))


def with_run(view: StudyView, run: Run) -> StudyView:
    return replace(view, runs=view.runs | {run.id: run})


def test_losses_are_believed_from_where_a_run_that_looked_poor_took_the_lead() -> None:
    assert from_step(view_of([GOOD, jump(10, 0.9)], looked=[1])) == 10
    assert from_step(view_of([GOOD, jump(11, 0.9)], looked=[1])) == 13, "the next of the grid"
    assert from_step(view_of([GOOD, jump(19, 0.9)], looked=[1])) == SECOND, "none before its end"
    both = view_of([GOOD, jump(18, 0.9), jump(7, 0.8)], looked=[1, 2])
    assert from_step(both) == 7, "the earliest of several"


def test_they_are_believed_as_before_where_it_did_not() -> None:
    assert from_step(view_of([GOOD, jump(10, 1.2)], looked=[1])) == SECOND
    assert from_step(view_of([GOOD, jump(10, 0.9)], looked=[])) == SECOND, "it looked good"
    assert from_step(view_of([GOOD, jump(1, 0.9)], looked=[1])) == SECOND, "it led from the first"
    assert from_step(view_of([jump(10, 0.9)], looked=[0])) == SECOND, "nothing is beside it"
    assert from_step(view_of([GOOD[:10], jump(10, 0.9)], looked=[1])) == SECOND, "none so deep"
    assert from_step(view_of([GOOD, jump(10, 0.9, n=12)], looked=[1])) == SECOND, "on its way"
    lost = np.where(np.arange(20) < 9, 3.0, np.nan)
    assert from_step(view_of([GOOD, lost], looked=[1])) == SECOND


def test_a_mediocre_run_that_overtakes_another_does_not_count_beside_a_better_one() -> None:
    best = np.full(13, 0.3)
    assert from_step(view_of([GOOD, best, jump(10, 0.9)], looked=[2])) == SECOND
    assert from_step(view_of([GOOD, best, jump(10, 0.2)], looked=[2])) == 10


def test_what_comes_later_does_not_change_what_was_seen() -> None:
    curves = [GOOD, jump(10, 0.9)]
    assert from_step(view_of([*curves, GOOD - 0.5], looked=[1])) == 10, "a better run"


def test_one_that_was_looked_at_is_no_rival() -> None:
    poor = jump(18, 0.9, LAST), jump(7, 0.8)
    onward = Continue(run_id="0.0", to_step=LAST, reason="goes-on", author=Author.GUARD)
    for curves, step in ((poor, SECOND), ((*poor, GOOD), 7)):
        view = view_of(curves, looked=[0, 1])
        begun, looks = view.diary[: len(curves)], view.diary[len(curves) :]
        diary = (*begun, *looks[2:], looks[0], Entry(300, onward, 0.0, "0.0", step=FAR), looks[1])
        assert from_step(replace(view, diary=diary)) == step


def test_nothing_is_said_while_one_that_was_sent_before_is_on_its_way() -> None:
    view = view_of([GOOD, jump(12, 0.5, LAST), jump(10, 0.9)], looked=[2])
    assert from_step(view) == SECOND, "one was better"
    rival = view.runs["1.0"]
    early = replace(rival, curve=rival.curve.until(4), step=4)
    for state, step in ((RunState.RUNNING, SECOND), (RunState.PAUSED, 10)):
        assert from_step(with_run(view, replace(early, state=state))) == step


def test_runs_that_say_nothing_do_not_speak_against_a_prior() -> None:
    space = make_space({"x": Float(0.0, 1.0, prior=0.5)})
    poor = [np.array([3.0, 2.0])] * 40
    view = view_of([GOOD, jump(10, 0.9), *poor], looked=[1])
    view = replace(view, study=replace(STUDY, space=space))
    runs = [replace(run, params={"x": 0.95}) if i < 2 else replace(run, params={"x": 0.5})
            for i, run in enumerate(view.runs.values())]  # fmt: skip
    for first_step, deceived, doubted in ((SECOND, False, True), (10, True, False)):
        picture = Picture.of(view, Random(), runs, "rank", first_step, deceived=deceived)
        assert picture is not None
        assert (space.domains["x"].prior != picture.belief.space.domains["x"].prior) == doubted


def test_nothing_is_predicted_for_steps_that_are_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view = view_of([GOOD, jump(18, 0.9), *[GOOD[:2] + n for n in range(4)]], looked=[1])
    asked: list[int] = []
    predict = Process.predict

    def heard(self: Process, x: np.ndarray, own: np.ndarray, step: np.ndarray) -> object:
        asked.append(int(step.min()))
        return predict(self, x, own, step)

    runs = list(view.runs.values())
    for deceived, first_asked in ((False, 0), (True, int(np.searchsorted(log_grid(LAST), 18)))):
        picture = Picture.of(view, Random(), runs, "rank", 18, deceived=deceived)
        assert picture is not None
        asked.clear()
        with monkeypatch.context() as patched:
            patched.setattr(Process, "predict", heard)
            picture.best_of_all(np.random.default_rng(0))
        assert min(asked) == first_asked


def test_noise_that_is_soon_over_does_not_hide_it() -> None:
    losses = jump(10, 0.9)
    losses[14] = 2.0
    assert from_step(view_of([GOOD, losses], looked=[1])) == 10


def test_another_attempt_at_the_trial_changes_nothing() -> None:
    view = view_of([GOOD, jump(10, 0.9)], looked=[1])
    run = view.runs["1.0"]
    anew = replace(run, id="1.1", curve=run.curve.until(3), step=3)
    assert from_step(with_run(view, anew)) == 10, "begun again by hand"
    lost = replace(run, curve=run.curve.until(5), step=5, state=RunState.LOST)
    assert from_step(with_run(with_run(view, lost), replace(run, id="1.1"))) == 10, "taken over"


def test_losses_that_are_reported_now_and_then() -> None:
    view = view_of([GOOD, jump(15, 0.9)], looked=[1])
    for run in view.runs.values():
        steps = np.arange(5.0, len(run.curve) + 1, 5.0)
        view = with_run(view, replace(run, curve=Curve(steps, run.curve.values[4::5])))
    assert from_step(view) == 18
    readings = Readings.of(list(view.runs.values()), log_grid(LAST), 18)
    assert np.isfinite(readings.low).all()
    assert (readings.low <= readings.loss).all()
