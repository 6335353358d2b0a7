"""`--nurse` as it is typed, on processes that train."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from luthier.api import open_study
from luthier.core.action import Fork
from luthier.core.errors import OptionError
from luthier.policies.nursing import CODE
from luthier.report.players import command, policy_words
from luthier.worker.target import load_target

SCRIPT = """
import luthier

class Optimizer:
    def __init__(self, lr): self.param_groups = [{"lr": lr, "params": []}]
    def state_dict(self): return {"lr": self.param_groups[0]["lr"]}
    def load_state_dict(self, state): self.param_groups[0]["lr"] = state["lr"]

@luthier.tune(minimize="loss", max_steps=12, space={
    "lr": luthier.Float(1e-3, 1.0, log=True, live=True), "x": luthier.Float(0, 1)})
def train(run):
    optimizer = Optimizer(run.params.lr)
    run.attach(optimizer=optimizer)
    if False:  # "anneals"
        run.schedule(optimizer, "linear")
    for step in run.steps():
        run.report(loss=run.params.x + 3 / step + optimizer.param_groups[0]["lr"])
"""


def tune(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "luthier", "tune", "job.py", "--no-lint", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def test_the_best_are_annealed_and_the_report_says_so(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(SCRIPT)
    done = tune(tmp_path, "--nurse", "--policy", "asha", "--trials", "12", "--workers", "1",
                "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    study = open_study(tmp_path / "luthier.db")
    made = [e for e in study.store.diary() if isinstance(e.action, Fork)]
    assert made
    assert all(e.action.reason.startswith(f"{CODE}: loss ") for e in made)
    fork = study.view.runs[made[0].run_id]
    assert tuple(fork.params["lr/course"][-1]) == (fork.step, 0.0)
    recipe = study.store.recipe
    assert policy_words(recipe) == "asha (random), nursed"
    line, as_it_was = command(study.store.study, recipe, "job.py")
    assert "--policy asha --sampler random --nurse" in line
    assert as_it_was
    assert json.loads(done.stdout.splitlines()[-1])


def test_a_script_that_anneals_itself_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(SCRIPT.replace("if False:", "if True:"))
    assert tune(tmp_path, "--nurse", "--policy", "asha", "--trials", "12", "--workers", "1",
                "--json").returncode == 0  # fmt: skip
    study = open_study(tmp_path / "luthier.db")
    assert sum(isinstance(e.action, Fork) for e in study.store.diary()) == 1


def test_where_nothing_can_be_nursed_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(SCRIPT)
    tunable = load_target(str(tmp_path / "job.py"))
    for options in ({"children": 2}, {"policy": "asha", "fixed": {"lr": 0.1}}):
        with pytest.raises(OptionError, match="nurse=True"):
            tunable.search(nurse=True, trials=2, store=tmp_path / "s.db", lint=False, **options)
