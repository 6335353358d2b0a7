"""Every policy through the real tuner, and the look back at what it left."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import luthier
from luthier.api import StudyResult, Tunable, create, open_study, resume
from luthier.cli import luthier as command
from luthier.core.action import Pause, Stop
from luthier.core.budget import Budget
from luthier.core.event import Ended, Proposed, Reported, Started
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, Trial
from luthier.policies.one_epoch import OneEpoch
from luthier.policies.pbt import PopulationBased, Replay, schedule
from luthier.samplers.random import Random
from luthier.stores.sqlite import SqliteStore
from luthier.what_if import balance
from luthier.worker.target import load_target

CODE = '''
import math
import luthier

class Counter:
    """The smallest thing with state."""
    def __init__(self): self.n = 0
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, state): self.n = state["n"]

space = {"lr": luthier.Float(1e-4, 1.0, log=True, live=True), "net": luthier.Choice((1, 2), (3, 4)),
         "drop": luthier.Float(0, 1, when={"net": (1, 2)})}

@luthier.tune(minimize="loss", max_steps=9, space=space)
def train(run):
    counter = Counter()
    run.attach(counter=counter)
    for step in run.steps():
        counter.n += 1
        assert counter.n == step
        good = (math.log10(run.params.lr) + 2) ** 2 + 1 / counter.n
        run.report(loss=math.nan if run.params.lr > 0.5 else good)

@luthier.tune(minimize="loss", max_steps=9, space=space)
def unpausable(run):
    for step in range(9):
        run.report(loss=(math.log10(run.params.lr) + 2) ** 2 + 1 / (step + 1))
'''
POLICIES = ["asha", "asha-stopping", "halving", "hyperband", "bohb", "pasha", "median",
            "one-epoch", "pbt"]  # fmt: skip
SAMPLERS = ["tpe", "gp", "cma-es", "de", "optuna"]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "players.py"
    path.write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return path


def search(job: Path, function: str = "train", **options: object) -> StudyResult:
    tunable = load_target(f"{job}:{function}")
    assert isinstance(tunable, Tunable)
    given = {"store": job.parent / "s.db", "executor": "inline", "workers": 1, **options}
    return tunable.search(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_tunes(job: Path, policy: str) -> None:
    result = search(job, trials=30, policy=policy)
    assert result.store.closed == "finished"
    assert math.isfinite(result.best.value)
    runs = result.view.current().values()
    assert any(run.state is RunState.COMPLETED for run in runs)
    assert not any(run.active for run in runs)
    spent = sum(run.step - (run.parent.step if run.parent else 0) for run in runs)
    assert spent < 0.9 * 30 * 9
    left = [run for run in runs if run.state in (RunState.PAUSED, RunState.STOPPED)]
    actions = [entry.action for entry in open_study(job.parent / "s.db").store.diary()]
    told = Counter(a.run_id for a in actions if isinstance(a, Pause | Stop))
    assert {run.id for run in left} == {run_id for run_id in told if run_id in {r.id for r in left}}
    chances = [a.p_best for a in actions if isinstance(a, Pause | Stop)]
    assert all(chance is not None and 0 <= chance <= 1 for chance in chances)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_goes_on_after_an_end(job: Path, policy: str) -> None:
    """A study that was cut short and resumed makes the same decisions as one that was not."""
    whole = search(job, trials=12, policy=policy, name="whole", seed=1)
    search(job, trials=12, steps=15, policy=policy, name="cut", seed=1)
    rest = resume(job.parent / "s.db", "cut", budget=Budget(n_trials=12))
    assert [dict(t.params) for t in rest.view.trials.values()] == [
        dict(t.params) for t in whole.view.trials.values()
    ]
    assert rest.best.value == whole.best.value


@pytest.mark.parametrize("policy", ["asha", "asha-stopping", "hyperband", "median", "pasha"])
def test_what_cannot_pause_is_stopped(job: Path, policy: str) -> None:
    result = search(job, "unpausable", trials=20, policy=policy)
    states = Counter(run.state for run in result.view.current().values())
    assert states[RunState.STOPPED] > 3
    assert states[RunState.STOPPED] + states[RunState.COMPLETED] == 20


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_tunes(job: Path, sampler: str) -> None:
    result = search(job, trials=15, policy="full", sampler=sampler)
    assert {run.state for run in result.view.runs.values()} == {RunState.COMPLETED}
    assert len({tuple(t.params.items()) for t in result.view.trials.values()}) == 15


def test_population_gives_a_schedule_that_can_be_trained_again(job: Path) -> None:
    policy = PopulationBased(Random(), n_population=4, interval=2)
    result = search(job, trials=16, policy=policy)
    forks = [run for run in result.view.runs.values() if run.parent]
    assert forks
    for fork in forks:
        assert fork.parent is not None
        parent = result.view.runs[fork.parent.run_id]
        assert {k for k in fork.params if fork.params[k] != parent.params[k]} == {"lr"}
    longest = max(forks, key=lambda run: (run.step, len(schedule(result.view, run))))
    parts = schedule(result.view, longest)
    again = search(job, trials=1, policy=Replay(parts), name="again")
    (run,) = again.view.runs.values()
    assert run.state is RunState.COMPLETED
    assert run.params["lr"] == longest.params["lr"]
    curve = longest.curve.values
    assert run.curve.values[: len(curve)] == pytest.approx(curve, nan_ok=True)


def test_what_if(job: Path) -> None:
    result = search(job, trials=40, policy=OneEpoch(Random(), 10, 2), name="early")
    told = balance(result.store)
    assert told.n_finished + told.n_left == 40
    assert told.steps_spent + told.steps_saved == 40 * 9
    assert told.p_better is not None
    # the curves of this script never cross: nothing better was left
    assert told.p_better < 0.2
    assert told.recorded_p_best is not None
    assert told.recorded_p_best == pytest.approx(sum(r.recorded_p_best or 0 for r in told.left))
    run = CliRunner().invoke(command, ["what-if", "early", "--store", "s.db", "--json"])
    data = json.loads(run.output)
    assert (data["n_left"], data["steps_saved"]) == (told.n_left, told.steps_saved)
    assert {"recorded_p_best", "p_better", "missed", "missed_90", "seconds_saved"} <= data.keys()
    shown = CliRunner().invoke(command, ["what-if", "early", "--store", "s.db"]).output
    assert "steps saved" in shown
    assert "outside-best" in shown


def test_what_if_knows_when_it_cannot_know(job: Path) -> None:
    search(job, trials=9, policy="asha")
    shown = CliRunner().invoke(command, ["what-if", "--store", "s.db"]).output
    assert "cannot be told" in shown
    search(job, trials=3, policy="random", name="full")
    told = json.loads(
        CliRunner().invoke(command, ["what-if", "full", "--store", "s.db", "--json"]).output
    )
    assert (told["n_left"], told["steps_saved"], told["p_better"]) == (0, 0, None)


def test_asking_and_telling_with_pauses(tmp_path: Path) -> None:
    from luthier.core.domain import Float

    study = create(space={"x": Float(0, 1)}, minimize="loss", max_steps=9, trials=9,
                   policy="asha", store=tmp_path / "s.db")  # fmt: skip
    while (task := study.ask()) is not None:
        study.tell(task, float(task.params["x"]))
    result = open_study(tmp_path / "s.db")
    paused = [r for r in result.view.runs.values() if r.state is RunState.PAUSED]
    recorded = {e.run_id for e in result.store.diary() if isinstance(e.action, Pause)}
    assert {run.id for run in paused} <= recorded


def test_what_if_gives_no_chance_to_runs_that_said_nothing(tmp_path: Path) -> None:
    study = Study("s", make_space({"x": luthier.Float(0.0, 1.0)}), "loss", max_steps=3)
    store = SqliteStore.create(tmp_path / "s.db", study, {})
    for trial in range(8):
        run = Run(f"{trial}.0", trial, {"x": 0.5}, 3.0)
        store.record([Proposed(run, Trial(trial, run.params)), Started(run.id, 0.0, True)])
        row = np.array([[3.0, 1.0, float(trial)]])
        silent = [Ended(run.id, RunState.PAUSED, 1.0, None, "outside-best")]
        told = [Reported(run.id, ("loss",), row), Ended(run.id, RunState.COMPLETED, 3.0, None, "")]
        store.record(silent if trial == 7 else told)
    balanced = balance(store)
    assert (balanced.n_left, balanced.p_better) == (1, None)
    assert (balanced.left[0].value, balanced.left[0].p_better) == (None, None)
    store.close()
    shown = CliRunner().invoke(command, ["what-if", "--store", str(tmp_path / "s.db")]).output
    assert "nan" not in shown
    assert "what was left had reported nothing" in shown
