"""How soon a rollback of a running 10 M-parameter model is obeyed, from the order to the diary.

python benchmarks/rollback.py
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

import luthier


@luthier.tune(minimize="loss", max_steps=100_000, space={"lr": luthier.Float(1e-5, 1, live=True)})
def train(run: luthier.LiveRun) -> None:
    """A step is one batch of noise."""
    model = nn.Sequential(nn.Linear(2200, 2200), nn.ReLU(), nn.Linear(2200, 2200))
    optimizer = torch.optim.Adam(model.parameters(), lr=run.params.lr)
    run.attach(model=model, optimizer=optimizer)
    for _ in run.steps():
        loss = model(torch.randn(8, 2200)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.report(loss=loss.item())


def trains(store: Path) -> bool:
    """Whether there is a run, and well under way."""
    try:
        runs = luthier.open(store).view.runs
    except luthier.LuthierError:
        return False
    return any(run.step >= 20 for run in runs.values())


def measure(folder: Path) -> None:
    """Tune in another process, and act on its run from here."""
    store = folder / "r.db"
    command = [sys.executable, "-m", "luthier", "tune", __file__, "--trials", "1", "--no-lint"]
    tuner = subprocess.Popen(
        [*command, "--workers", "1", "--store", str(store)], stdout=subprocess.DEVNULL
    )
    try:
        while not trains(store):
            time.sleep(0.1)
        run = luthier.open(store).run(0)
        n_params = 2 * (2200 * 2200 + 2200)
        assert run.mark("here").wait(60) is not None
        for attempt in range(5):
            size = next(c.n_bytes for c in run.run.checkpoints if "here" in c.kept)
            began_s = time.perf_counter()
            entry = run.roll_back("here").wait(60)
            took_s = time.perf_counter() - began_s
            assert entry is not None
            assert entry.state == "obeyed", entry.why
            print(
                f"rollback {attempt + 1}: {took_s:.2f} s from order to answer "
                f"({n_params / 1e6:.1f} M parameters, checkpoint {size / 1e6:.0f} MB)",
                flush=True,
            )
        run.stop().wait(60)
    finally:
        tuner.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name))
