"""What every executor must do, with a training script that it runs for real."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from luthier.contracts import Assignment, Executor
from luthier.core.action import Action, Change, Continue, Pause, RollBack, Stop
from luthier.core.domain import Float, Value
from luthier.core.event import Ended, Event, Obeyed, Reported, RolledBack, Saved, Started
from luthier.core.paths import StudyPaths
from luthier.core.space import make_space
from luthier.core.study import Checkpoint, Run, RunState, Study

SCRIPT = '''
import time
import luthier

class Optimizer:
    """As much of an optimizer as live parameters need."""
    def __init__(self, lr): self.param_groups, self.n = [{"lr": lr}], 0
    def state_dict(self): return {"lr": self.param_groups[0]["lr"], "n": self.n}
    def load_state_dict(self, state): self.param_groups[0]["lr"], self.n = state["lr"], state["n"]

@luthier.tune(minimize="loss", max_steps=6, space={"lr": luthier.Float(0.0, 1.0, live=True)})
def train(run):
    optimizer = Optimizer(run.params.lr)
    run.attach(optimizer=optimizer)
    for step in run.steps():
        if run.params.lr == 0.125:
            raise ValueError("this rate is not to be trained with")
        optimizer.n += 1
        assert optimizer.n == step
        time.sleep(0.5 if run.params.lr == 0.9375 else 0.02)
        run.report(loss=optimizer.param_groups[0]["lr"])
'''
STUDY = Study("s", make_space({"lr": Float(0, 1, live=True)}), "loss", max_steps=6)


class ExecutorContract(ABC):
    """Inherit, and give the executor in `make`."""

    @abstractmethod
    def make(self, script: Path) -> Executor:
        """An executor that trains `train` of the script, with one place or more."""

    @pytest.fixture
    def house(self, tmp_path: Path) -> Iterator["House"]:
        """The executor with a folder to work in, closed at the end."""
        script = tmp_path / "contract_job.py"
        script.write_text(SCRIPT)
        executor = self.make(script)
        yield House(executor, StudyPaths(tmp_path / "files"))
        executor.close()
        executor.close()

    def test_a_run_to_its_end(self, house: "House") -> None:
        """Started, six reports, and one end, in order; the place is free again."""
        free = house.executor.n_free
        assert free >= 1
        house.start("0.0", 0.5)
        assert house.executor.n_free == free - 1
        house.until_end("0.0")
        assert house.executor.n_free == free
        kinds = [type(e) for e in house.seen if isinstance(e, Started | Reported | Ended)]
        assert kinds[0] is Started
        assert kinds.count(Ended) == 1
        assert kinds[-1] is Ended
        assert house.losses("0.0") == [0.5] * 6
        assert house.end("0.0").state is RunState.COMPLETED

    def test_pause_and_go_on(self, house: "House") -> None:
        """A slice ends with a checkpoint, from which another start trains the rest."""
        house.start("0.0", 0.5, to_step=2)
        house.until_end("0.0")
        assert house.end("0.0").state is RunState.PAUSED
        saved = house.checkpoint("0.0", 2)
        house.start("0.0", 0.5, resume_from=saved)
        house.until_end("0.0")
        assert house.end("0.0").state is RunState.COMPLETED
        assert house.losses("0.0") == [0.5] * 6

    def test_orders(self, house: "House") -> None:
        """More room, a change, a pause: each obeyed, with the values read back."""
        house.start("0.0", 0.5, to_step=2)
        house.send(1, Continue(run_id="0.0", to_step=5, reason="r"))
        house.send(2, Change(run_id="0.0", params={"lr": 0.25}, reason="r"))
        house.until_end("0.0")
        assert house.end("0.0").step == 5
        obeyed = house.obeyed(2)
        assert obeyed.read_back["lr"] == 0.25
        assert house.losses("0.0")[-1] == 0.25
        house.start("0.1", 0.5)
        house.until(lambda: bool(house.losses("0.1")))
        house.send(3, Pause(run_id="0.1", reason="enough"))
        house.until_end("0.1")
        assert (house.end("0.1").state, house.end("0.1").reason) == (RunState.PAUSED, "enough")
        assert house.checkpoint("0.1", house.obeyed(3).step)

    def test_roll_back(self, house: "House") -> None:
        """The run stands at the earlier step again, and trains on from there."""
        house.start("0.0", 0.5, to_step=1)
        house.until_end("0.0")
        saved = house.checkpoint("0.0", 1)
        house.start("0.0", 0.5, resume_from=saved)
        house.until(lambda: len(house.losses("0.0")) >= 3)
        back = RollBack(run_id="0.0", to_step=1, params={"lr": 0.75}, reason="r")
        house.send(1, back, checkpoint=asdict(saved), path=house.path(saved))
        house.until_end("0.0")
        assert any(isinstance(e, RolledBack) and e.step == 1 for e in house.seen)
        assert house.obeyed(1).step == 1
        assert house.losses("0.0")[-5:] == [0.75] * 5

    def test_stop(self, house: "House") -> None:
        """Obeyed at the next report."""
        house.start("0.0", 0.5)
        house.send(1, Stop(run_id="0.0", reason="enough"))
        house.until_end("0.0")
        assert (house.end("0.0").state, house.end("0.0").reason) == (RunState.STOPPED, "enough")
        assert house.obeyed(1)

    def test_the_users_error(self, house: "House") -> None:
        """FAILED, with the user's traceback; the next run is not harmed."""
        house.start("0.0", 0.125)
        house.until_end("0.0")
        end = house.end("0.0")
        assert end.state is RunState.FAILED
        assert "this rate is not to be trained with" in end.error
        house.start("1.0", 0.5)
        house.until_end("1.0")
        assert house.end("1.0").state is RunState.COMPLETED

    def test_orders_for_nobody(self, house: "House") -> None:
        """A run that is not there hears nothing, and nothing happens."""
        house.send(1, Stop(run_id="9.9", reason="r"))
        assert list(house.executor.events(0.0)) == []

    def test_kill(self, house: "House") -> None:
        """Every run ends, and says so once."""
        house.start("0.0", 0.9375)  # a slow one: it must not be done before
        house.until(lambda: any(isinstance(e, Started) for e in house.seen))
        house.executor.kill()
        house.until_end("0.0")
        assert house.end("0.0").state in (RunState.LOST, RunState.STOPPED)
        assert house.executor.n_free >= 1


class House:
    """An executor at work, and what it has said."""

    def __init__(self, executor: Executor, paths: StudyPaths) -> None:
        self.executor = executor
        self.seen: list[Event] = []
        self._paths = paths
        self._heard: dict[str, int] = {}

    def start(
        self,
        run_id: str,
        lr: float,
        *,
        to_step: float = 6,
        resume_from: Checkpoint | None = None,
    ) -> None:
        """Start a run, or start it again from a checkpoint."""
        self.seen = [e for e in self.seen if not _is_end(e, run_id)]
        params: Mapping[str, Value] = {"lr": lr}
        run = Run(run_id, int(run_id.partition(".")[0]), params, to_step)
        run = replace(run, heard=self._heard.get(run_id, 0))
        path = self.path(resume_from) if resume_from else ""
        assignment = Assignment(STUDY, run, resume_from, 1, self._paths.run(run_id), path)
        self.executor.start([assignment])

    def send(self, number: int, action: Action, **more: object) -> None:
        """Pass an action on."""
        run_id: str = getattr(action, "run_id", "")
        self.executor.send(run_id, number, action, **more)

    def until(self, there: Callable[[], bool]) -> None:
        """Let it train until something is true; fails after half a minute."""
        deadline_s = time.monotonic() + 30.0
        while not there():
            assert time.monotonic() < deadline_s, f"nothing more came after {self.seen[-3:]}"
            for event in self.executor.events(0.2):
                self.seen.append(event)
                if type(event).__name__ == "Heard":
                    self._heard[event.run_id] = event.n_bytes  # type: ignore[union-attr]

    def until_end(self, run_id: str) -> None:
        """Let it train until the run has ended."""
        self.until(lambda: any(_is_end(e, run_id) for e in self.seen))

    def end(self, run_id: str) -> Ended:
        """How the run ended."""
        return next(e for e in self.seen if isinstance(e, Ended) and e.run_id == run_id)

    def losses(self, run_id: str) -> list[float]:
        """All it has reported, in order."""
        reports = [e for e in self.seen if isinstance(e, Reported) and e.run_id == run_id]
        return [float(row[2]) for e in reports for row in e.rows]

    def checkpoint(self, run_id: str, step: float) -> Checkpoint:
        """The checkpoint of a step."""
        saved = [e.checkpoint for e in self.seen if isinstance(e, Saved) and e.run_id == run_id]
        return next(c for c in saved if c.step == step)

    def path(self, checkpoint: Checkpoint) -> str:
        """Where its file is."""
        return str(self._paths.run(checkpoint.run_id).checkpoints / checkpoint.file)

    def obeyed(self, number: int) -> Obeyed:
        """What came of an action."""
        return next(e for e in self.seen if isinstance(e, Obeyed) and e.number == number)


def _is_end(event: Event, run_id: str) -> bool:
    return isinstance(event, Ended) and event.run_id == run_id
