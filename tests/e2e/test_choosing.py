"""A study that nobody gave a policy: measured on the real script, chosen, and gone on with."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from luthier.api import StudyResult, Tunable, open_study, resume
from luthier.core.budget import Budget
from luthier.core.choose import Facts
from luthier.core.errors import OptionError, PolicyError
from luthier.core.study import RunState
from luthier.executors.copies import Copies
from luthier.registry import POLICIES
from luthier.worker.target import load_target

AUTOPILOT = "autopilot" in POLICIES


def search(script: Path, **options: Any) -> StudyResult:
    tunable = load_target(str(script))
    assert isinstance(tunable, Tunable)
    return tunable.search(**{"store": script.parent / "s.db", **options})


def luthier(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "luthier", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def trained(script: Path) -> list[tuple[int, int]]:
    lines = (script.parent / "steps.log").read_text().splitlines()
    return [(int(line.split()[0]), int(line.split()[1])) for line in lines]


def test_many_are_chosen_and_the_measured_run_is_the_first_trial(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEP_S", "0.005")
    result = search(script, time="20s", trials=6)
    choice = result.store.recipe["choice"]
    assert choice["mode"] == "caviar"
    assert len(choice["why"]) == 5
    facts = choice["facts"]
    assert 0.004 < facts["step_s"] < 0.2
    assert facts["own_mb"] > 0
    assert facts["checkpoint_mb"] > 0
    view = result.view
    assert view.trials[0].params == result.store.study.space.default()
    first = result.store.diary()[0].action
    assert first.reason.startswith("probe: measures")
    assert len(view.trials) == 6
    assert result.store.recipe["workers"] == choice["workers"]
    assert result.store.recipe["policy"] is not None
    assert view.runs["0.0"].step >= 1  # what the first trial trained before the choice was kept


def test_copies_tell_what_runs_side_by_side_are_worth(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs that sleep get in nobody's way: two do twice as much as one."""
    monkeypatch.setenv("STEP_S", "0.02")
    monkeypatch.setattr("luthier.core.choose.SHARE", 0.3)
    monkeypatch.setattr("luthier.calibration.SHARE", 0.3)
    monkeypatch.setattr("luthier.calibration.n_cores", lambda: 2)
    tunable = load_target(str(script))
    choice = tunable.choose("9s", lint=False)
    assert choice["facts"]["n_together"] == 2
    assert 1.5 < choice["facts"]["together_gain"] < 2.5
    assert choice["workers"] == 2
    assert "side by side do" in choice["why"][2]


def test_what_is_given_is_kept(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEP_S", "0.01")
    given = search(script, time="20s", trials=3, workers=1)
    assert given.store.recipe["choice"]["workers"] == given.store.recipe["workers"] == 1
    named = search(script, time="20s", trials=2, policy="random", workers=2)
    assert named.store.recipe.get("choice") is None
    assert named.store.recipe["policy"]["class"].endswith("Full")
    mode = search(script, time="20s", trials=3, mode="caviar", workers=1)
    assert mode.store.recipe["choice"]["mode"] == "caviar"
    assert "as you asked" in mode.store.recipe["choice"]["why"][-1]
    for options in ({"mode": "caviar", "policy": "asha"}, {"mode": "penguin"}, {"children": 0},
                    {"mode": "caviar", "children": 3}):  # fmt: skip
        with pytest.raises(OptionError):
            search(script, time="1s", **options)


def test_without_a_budget_of_time_nothing_is_measured(script: Path) -> None:
    result = search(script, trials=4)
    assert result.store.recipe.get("choice") is None
    assert result.store.recipe["policy"]["class"].endswith("Asha")
    few = search(script, trials=9, children=2, workers=1)
    assert len(few.view.trials) == 2
    assert any("child 2: from child 1" in e.action.reason for e in few.store.diary())


def test_children_are_raised_on_from_the_measurement(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEP_S", "0.01")
    result = search(script, time="20s", children=2, workers=1)
    view = result.view
    assert len(view.trials) == 2
    assert view.runs["0.0"].state is RunState.COMPLETED
    assert result.store.recipe["choice"]["n_children"] == 2


def test_a_budget_too_small_to_measure(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No step ends within 3 %: it says so, and goes by what it knows."""
    monkeypatch.setenv("STEP_S", "0.6")
    tunable = load_target(str(script))
    choice = tunable.choose("9s", lint=False, mode="children")
    assert choice["facts"]["step_s"] is None
    assert "no step ended within 3% of the budget" in choice["why"][0]
    assert choice["facts"]["seen_s"] < 0.6


def test_a_run_that_cannot_pause_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "plain.py"
    path.write_text(
        "import time, luthier\n"
        "@luthier.tune(minimize='loss', max_steps=9, space={'x': luthier.Float(0, 1)})\n"
        "def train(run):\n"
        "    for step in run.steps():\n"
        "        time.sleep(0.01)\n"
        "        run.report(loss=run.params.x + 1 / step)\n"
    )
    result = search(path, time="20s", trials=4, workers=2, lint=False)
    assert result.store.recipe["choice"]["facts"]["pausable"] is False
    assert result.view.runs["0.0"].state in (RunState.COMPLETED, RunState.STOPPED)
    assert len(result.view.trials) == 4


def test_inline_too(script: Path) -> None:
    result = search(script, time="20s", trials=3, executor="inline")
    assert result.store.recipe["choice"]["facts"]["n_cores"] == 1
    assert len(result.view.trials) == 3


def test_a_death_before_the_choice_is_resumed_with_it(script: Path) -> None:
    """The recipe of a study that died while it was measured has no policy yet."""
    result = search(script, time="20s", trials=3, workers=1)
    recipe = result.store.recipe
    result.store.close()
    from luthier.stores.sqlite import SqliteStore

    writer = SqliteStore.open(script.parent / "s.db", None, read_only=False)
    writer.set_recipe({**recipe, "policy": None, "choice": None})
    writer.close()
    again = resume(script.parent / "s.db", budget=Budget(time_s=120.0, n_trials=len(
        result.view.trials) + 2))  # fmt: skip
    assert again.store.recipe["policy"] is not None
    assert again.store.recipe["choice"]["mode"] == "caviar"


def test_commands(script: Path) -> None:
    told = luthier("choose", str(script), "--time", "20s", "--no-lint", folder=script.parent)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert len(lines) == 5
    assert "caviar" in lines[-1]
    assert not (script.parent / "luthier.db").exists()
    done = luthier("tune", str(script), "--time", "20s", "--trials", "4", "--no-lint",
                   folder=script.parent)  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = luthier("show", folder=script.parent)
    why = open_study(script.parent / "luthier.db").store.recipe["choice"]["why"]
    for line in why:
        assert line in done.stderr + done.stdout
        assert line in shown.stdout
    as_json = luthier("show", "--json", folder=script.parent)
    assert json.loads(as_json.stdout)["choice"]["mode"] == "caviar"


def test_what_raises_at_once_is_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "raises.py"
    path.write_text(
        "import luthier\n\n"
        "@luthier.tune(space={'x': luthier.Float(0, 1)}, minimize='loss', max_steps=3)\n"
        "def train(run):\n    raise ValueError('mine')\n"
    )
    told = luthier("choose", str(path), "--time", "20s", "--no-lint", folder=tmp_path)
    assert told.returncode == 1
    assert told.stderr.startswith("Traceback")
    assert "raise ValueError('mine')" in told.stderr
    assert "nothing could be measured at x=0.5: " in told.stderr
    assert "full trainings" not in told.stdout


def test_a_point_that_breaks_is_not_measured(tmp_path: Path) -> None:
    """Another is; and where all break, there is the script's traceback and no choice."""
    script = tmp_path / "breaks.py"
    script.write_text(
        "import time, luthier\n"
        "@luthier.tune(minimize='loss', max_steps=3, space={'lr': luthier.Float(0.0, 1.0)})\n"
        "def train(run):\n"
        "    for step in run.steps():\n"
        "        time.sleep(0.01)\n"
        "        if ALL or run.params.lr == 0.5:\n"
        "            raise ValueError('broken on purpose')\n"
        "        run.report(loss=run.params.lr)\n"
        "ALL = False\n"
    )
    result = search(script, time="10s", trials=3)
    facts = result.store.recipe["choice"]["facts"]
    assert "lr=0.5" not in facts["measured_at"]
    assert 0.009 < facts["step_s"] < 0.2
    assert [run.state for run in result.view.runs.values()].count(RunState.FAILED) == 1
    script.write_text(script.read_text().replace("ALL = False", "ALL = True"))
    told = luthier("tune", str(script), "--time", "10s", "--store", "t.db", folder=tmp_path)
    assert told.returncode == 1
    assert "broken on purpose" in told.stderr
    assert "a step takes" not in told.stderr


def test_a_panda_needs_a_live_rate(script: Path) -> None:
    """The script's rate is not live: said before anything trains."""
    error = PolicyError if AUTOPILOT else Exception
    with pytest.raises(error, match="live" if AUTOPILOT else "autopilot"):
        search(script, time="1s", mode="panda")


def test_an_interrupt_ends_the_measurement_at_once(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copies do not train on; nothing is chosen, and the study is measured when it resumes."""
    monkeypatch.setenv("STEP_S", "0.5")
    monkeypatch.setattr("luthier.calibration.n_cores", lambda: 2)
    monkeypatch.setattr("luthier.calibration.SHARE", 0.5)
    measure, took_s = Copies.measure, []

    def interrupted(copies: Copies, most: int) -> Facts:
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        began_s = time.perf_counter()
        facts = measure(copies, most)
        took_s.append(time.perf_counter() - began_s)
        return facts

    monkeypatch.setattr(Copies, "measure", interrupted)
    result = search(script, time="200s", trials=2, workers=2)
    assert len(took_s) == 1
    assert took_s[0] < 4.0  # the copies alone would take 10 s and more
    assert result.store.closed == ""  # it waits to go on
    assert result.store.recipe["policy"] is None
    assert result.view.runs["0.0"].state is RunState.PAUSED
    monkeypatch.setattr(Copies, "measure", measure)
    monkeypatch.setenv("STEP_S", "0.01")
    again = resume(script.parent / "s.db")
    assert again.store.recipe["choice"]["workers"] == 2
    assert len(again.view.trials) == 2
