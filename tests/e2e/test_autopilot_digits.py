"""The autopilot raises a small network on the digits; its run can be trained again exactly."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
datasets = pytest.importorskip("sklearn.datasets")

from luthier import api  # noqa: E402
from luthier.core.budget import Budget  # noqa: E402
from luthier.core.study import RunState  # noqa: E402
from luthier.worker.target import load_target  # noqa: E402

SCRIPT = """
import torch
from sklearn.datasets import load_digits
from torch import nn
import luthier

X, Y = (torch.tensor(a) for a in load_digits(return_X_y=True))
X = (X / 16).float()
TRAIN = torch.utils.data.TensorDataset(X[:1000], Y[:1000])

@luthier.tune(minimize="val_loss", max_steps=40, space={
    "lr": luthier.Float(1e-6, 10.0, log=True, prior=3e-5, live=True)})
def train(run):
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=run.params.lr)
    loader = torch.utils.data.DataLoader(TRAIN, batch_size=100, shuffle=True)
    run.attach(model=model, optimizer=optimizer, loader=loader)
    for _ in run.steps():
        for x, y in run.batches(loader):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        with torch.no_grad():
            run.report(val_loss=nn.functional.cross_entropy(model(X[1000:]), Y[1000:]))
"""


def test_a_rate_thirty_times_too_low_is_mended_and_replayed(tmp_path: Path) -> None:
    script = tmp_path / "digits.py"
    script.write_text(SCRIPT)
    train = load_target(f"{script}:train")
    store = tmp_path / "store.db"
    result = train.search(
        policy="autopilot", trials=1, executor="inline", store=store, lint=False, workers=1
    )
    (main,) = [run for run in result.view.runs.values() if run.state is RunState.COMPLETED]
    assert main.params["lr"] > 3e-4
    assert main.curve.last < 0.5
    assert main.params["lr/course"][-1] == (40.0, 0.0)
    again, run_id = api.replay(store, result.name, main.id)
    replayed = again.view.runs[run_id]
    assert replayed.curve.values.tolist() == main.curve.values.tolist()


def test_a_study_resumed_with_more_steps_rises_and_falls_again(tmp_path: Path) -> None:
    script = tmp_path / "digits.py"
    script.write_text(SCRIPT)
    store = tmp_path / "store.db"
    first = load_target(f"{script}:train").search(
        policy="autopilot", trials=1, steps=20, executor="inline", store=store, lint=False,
        workers=1,
    )  # fmt: skip
    before = max(first.view.runs.values(), key=lambda run: run.step)
    again = api.resume(store, first.name, budget=Budget(n_trials=1, n_steps=32))
    after = max(again.view.runs.values(), key=lambda run: run.step)
    assert after.step == before.step + 12
    assert after.params["lr/course"][-1] == (after.step, 0.0)
    assert max(factor for _, factor in after.params["lr/course"]) == 0.5
    assert after.curve.last < before.curve.last
