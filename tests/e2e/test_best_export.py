"""The best is handed over as what it is: a checkpoint of a step, with what it was worth there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

SCRIPT = """
import luthier, torch

@luthier.tune(space={"lr": luthier.Float(0.01, 0.1)}, maximize="score", max_steps=5)
def train(run):
    model = torch.nn.Linear(1, 1)
    run.attach(model=model)
    for step in run.steps():
        model.weight.data.fill_(step)
        run.report(score=[0.0, 0.1, 0.9, 0.4, 0.2, 0.3][step])
"""


def test_what_is_exported_says_of_which_step_it_is(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)

    def luthier(*words: str) -> str:
        command = [sys.executable, "-m", "luthier", *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
        return done.stdout

    luthier("tune", "train.py", "--trials", "1", "--policy", "full", "--no-lint")
    told = luthier("best", "--export", "out")
    told_json = json.loads((tmp_path / "out" / "best.json").read_text())
    from luthier.api import load_checkpoint

    step = int(load_checkpoint(tmp_path / "out" / "best.ckpt")["model"]["weight"].item())
    worth = [0.0, 0.1, 0.9, 0.4, 0.2, 0.3][step]
    assert (told_json["step"], told_json["score"]) == (2, 0.9)
    assert (told_json["checkpoint_step"], told_json["checkpoint_score"]) == (step, worth)
    last = told.splitlines()[-1]
    if step == 2:
        assert last.endswith("checkpoint of step 2")
    else:  # five steps take less than a second: only the last was saved
        assert f"step {step}, by then {worth:g} (step 2 itself was not saved)" in last
