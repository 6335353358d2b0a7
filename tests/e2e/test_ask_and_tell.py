"""A loop of one's own that asks and tells: what it may say, how it goes on, what others may ask."""

import math
from pathlib import Path

import pytest

import luthier
from luthier.asktell import AskTell
from luthier.cli.hand import unanswered_words
from luthier.core.errors import BusyError, MetricError, OptionError, StudyError, TargetError


def test_ask_and_tell_says_what_is_wrong(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    study = luthier.create(space={"x": luthier.Float(0, 1)}, minimize="loss", trials=2, store=store)
    task = study.ask()
    assert task is not None
    assert task.params.x == task.params["x"]  # type: ignore[attr-defined]
    with pytest.raises(MetricError, match="expected the value of 'loss'"):
        study.tell(task)
    for step in (1, 2, 3):
        study.report(task, step, loss=float(step))
    with pytest.raises(MetricError, match="expected numbers"):
        study.tell(task, "low")  # type: ignore[arg-type]
    with pytest.raises(MetricError, match="number of steps"):
        study.report(task, math.nan, loss=1.0)
    study.tell(task, 0.5)
    assert study.view.runs[task.run_id].step == 3
    with pytest.raises(StudyError, match="is over"):
        study.tell(task, 0.4)
    other = study.ask()
    assert other is not None
    assert luthier.open(store).view.runs[other.run_id].active, "looking takes nothing away"
    study.close()
    with pytest.raises(TargetError, match="its own loop goes on with it"):
        luthier.resume(store)


def test_ask_and_tell_goes_on(tmp_path: Path) -> None:
    def created(name: str | None, trials: int) -> AskTell:
        return luthier.create(space={"lr": luthier.Float(0.1, 1.0)}, minimize="loss", name=name,
                              store=tmp_path / "s.db", trials=trials, resume=True)  # fmt: skip

    with pytest.raises(OptionError, match="without a name"):
        created(None, 3)
    first = created("mine", 3)
    for _ in range(2):
        task = first.ask()
        assert task is not None
        first.tell(task, 0.5)
    first.ask()  # out when the process dies
    first.close()
    assert not luthier.open(tmp_path / "s.db").store.closed
    again = created("mine", 5)
    while (task := again.ask()) is not None:
        again.tell(task, 0.4)
    again.close()
    again.close()  # twice is as good as once
    result = luthier.open(tmp_path / "s.db")
    assert result.store.closed == "finished"
    assert [run.state.value for run in result.view.runs.values()] == [
        "completed", "completed", "lost", "completed", "completed"]  # fmt: skip
    with pytest.raises(TargetError, match="resume=True"):
        luthier.resume(tmp_path / "s.db")


def test_what_people_ask_for_are_the_next_tasks(tmp_path: Path) -> None:
    store = tmp_path / "s.db"

    def created() -> AskTell:
        return luthier.create(
            space={"lr": luthier.Float(0.1, 1.0, live=True)}, minimize="loss", max_steps=9,
            name="mine", store=store, trials=2, policy="asha", resume=True,
        )  # fmt: skip

    study = created()
    with pytest.raises(BusyError):
        created()
    task = study.ask()
    assert task is not None
    hand = luthier.open(store).run(0)
    refused = hand.stop()
    assert refused.is_heard()
    study.tell(task, 0.5)
    entry = refused.answer()
    assert entry is not None
    assert (entry.state, "hears no orders" in entry.why) == ("refused", True)
    changed, onward, forked = hand.change(lr=0.3), hand.resume(), hand.fork(0, lr=0.2)
    study.close()
    assert unanswered_words(onward).endswith(
        "waits for luthier.create(…, name='mine', resume=True)"
    )
    study = created()
    task = study.ask()
    assert task is not None
    assert (task.run_id, task.step, math.isinf(task.to_step)) == ("0.0", 1, True)
    assert task.params == {"lr": 0.3}
    study.tell(task, 0.4)
    task = study.ask()
    assert task is not None
    assert (task.run_id, task.params) == ("1.0", {"lr": 0.2})
    study.tell(task, 0.3)
    study.close()
    assert [entry and entry.state for entry in (changed.answer(), forked.answer())] == [
        "obeyed", "obeyed",
    ]  # fmt: skip
    assert [run.state.value for run in luthier.open(store).view.runs.values()] == ["completed"] * 2
