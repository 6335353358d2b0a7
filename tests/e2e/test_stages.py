"""Stages from the command line, on a real study."""

import json
import subprocess
import sys
from pathlib import Path

from luthier.api import open_study

SCRIPT = """
import luthier

@luthier.tune(minimize="loss", max_steps=2, space={
    "lr": luthier.Float(1e-4, 1.0, log=True, prior=1e-3),
    "batch_size": luthier.Int(8, 64, log=True, prior=32),
    "n_layers": luthier.Int(1, 4, prior=2),
})
def train(run):
    for step in run.steps():
        run.report(loss=run.params.lr + run.params.n_layers / step)
"""


def test_luthier_tune_in_stages(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(SCRIPT)
    words = ["tune", "job.py", "--stages", "importance", "--trials", "9", "--policy", "full",
             "--executor", "inline", "--store", "s.db", "--json"]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "luthier", *words], cwd=tmp_path, text=True,
                          capture_output=True, check=True)  # fmt: skip
    assert json.loads(done.stdout)["closed"] == "finished"
    trials = open_study(tmp_path / "s.db").view.trials
    points = [dict(trials[n].params) for n in range(9)]
    assert {(p["batch_size"], p["n_layers"]) for p in points[:3]} == {(32, 2)}
    assert {p["n_layers"] for p in points[:6]} == {2}
    assert len({p["batch_size"] for p in points[3:6]}) > 1
    assert {p["lr"] for p in points[3:]} == {min(p["lr"] for p in points[:3])}
    assert len({p["n_layers"] for p in points[6:]}) > 1
