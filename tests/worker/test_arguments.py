"""A script that reads its command line, imported by tuner and workers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import argparse, luthier
parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=3)
steps = parser.parse_args().steps
print("imported")

@luthier.tune(minimize="loss", max_steps=steps, space={"lr": luthier.Float(0.1, 1.0)})
def train(run):
    for step in run.steps():
        run.report(loss=steps)

if __name__ == "__main__":
    print(train.search(trials=1, store="s.db").best.value)
"""


def said(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}  # no arrows: they become "?"
    return subprocess.run([sys.executable, *command], cwd=folder, text=True, capture_output=True,
                          check=False, env=environment)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(SCRIPT)
    return tmp_path


def test_it_finds_no_options_of_ours(folder: Path) -> None:
    done = said(folder, "-m", "luthier", "tune", "net.py", "--trials", "1", "--seed", "7", "--json")
    assert json.loads(done.stdout)["trials"][0]["values"] == [3.0] * 3, done.stderr
    plain = said(folder, "-m", "luthier", "tune", "net.py", "--trials", "1")
    assert plain.returncode == 0, plain.stderr
    assert "best so far" in plain.stdout


def test_workers_of_a_script_that_runs_find_what_was_typed(folder: Path) -> None:
    done = said(folder, "net.py", "--steps", "5")
    assert done.stdout.splitlines()[-1] == "5.0", done.stderr


def test_a_script_that_needs_arguments_is_told_why(folder: Path) -> None:
    (folder / "net.py").write_text(SCRIPT.replace('"--steps"', '"steps"'))
    done = said(folder, "-m", "luthier", "tune", "net.py", "--trials", "1")
    assert done.returncode == 1
    assert "reads its command line" in done.stderr
