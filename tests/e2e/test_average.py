"""The mean of the weights: exact through pause, rollback, fork and replay; nothing when off."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from luthier import api  # noqa: E402
from luthier.api import StudyResult, Tunable  # noqa: E402
from luthier.core.action import Action, Change, Continue, Fork, RollBack, Start  # noqa: E402
from luthier.core.study import RunState, StudyView  # noqa: E402
from luthier.worker.average import Average  # noqa: E402
from luthier.worker.target import load_target  # noqa: E402

SCRIPT = """
import torch
from torch import nn
import luthier

X = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
Y = X.sum(1, keepdim=True)
DATA = torch.utils.data.TensorDataset(X, Y)

@luthier.tune(minimize="loss", max_steps=8, space={
    "lr": luthier.Float(1e-4, 1.0, log=True, prior=0.05, live=True)})
def train(run):
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=run.params.lr)
    loader = torch.utils.data.DataLoader(DATA, batch_size=8, shuffle=True)
    run.attach(model=model, optimizer=optimizer, loader=loader)

    def evaluate():
        model.eval()
        loss = nn.functional.mse_loss(model(X), Y).item()
        model.train()
        return loss

    for _ in run.steps():
        for x, y in run.batches(loader):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        with run.averaged():
            loss = evaluate()
        run.report(loss=loss, plain=evaluate())
"""
AVERAGE = {"weights/average": 2.0}


@dataclass(frozen=True, slots=True)
class Planned:
    """One run with the mean from step 2 on; at step 5 a pause, a rollback or a fork."""

    plan: tuple[Any, ...] = ((2.0, AVERAGE),)
    at_5: str = ""

    def decide(self, view: StudyView) -> Sequence[Action]:
        if not view.runs:
            to_step = 5.0 if self.at_5 else 8.0
            return [Start(params={"lr": 0.05}, to_step=to_step, plan=self.plan, reason="test")]
        run = view.runs["0.0"]
        if not self.at_5 or run.state is not RunState.PAUSED or run.step != 5 or len(view.runs) > 1:
            return []
        onward = Continue(run_id="0.0", to_step=8.0, reason="test")
        if self.at_5 == "fork":
            return [Fork(run_id="0.0", at_step=5.0, to_step=8.0, reason="test", params={})]
        back = RollBack(run_id="0.0", to_step=2.0, params=AVERAGE, reason="test")
        again = any(isinstance(entry.action, RollBack) for entry in view.diary)
        return [onward] if self.at_5 == "pause" or again else [back, onward]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "net.py"
    path.write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    return path


def search(script: Path, policy: Planned, name: str) -> StudyResult:
    tunable = load_target(str(script))
    assert isinstance(tunable, Tunable)
    store = script.parent / "s.db"
    return tunable.search(policy=policy, trials=1, executor="inline", store=store, name=name,
                          workers=1, lint=False, seed=1)  # fmt: skip


def losses(result: StudyResult, run_id: str, metric: str = "loss") -> list[float]:
    found: list[float] = result.store.metrics(run_id)[metric].values.tolist()
    return found


def test_it_begins_when_it_is_turned_on_and_leaves_the_training_alone(script: Path) -> None:
    on, off = search(script, Planned(), "on"), search(script, Planned(plan=()), "off")
    assert losses(on, "0.0", "plain") == losses(off, "0.0", "plain")
    assert losses(on, "0.0")[:2] == losses(off, "0.0")[:2]
    pairs = zip(losses(on, "0.0")[2:], losses(off, "0.0")[2:], strict=True)
    assert all(a != b for a, b in pairs)


@pytest.mark.parametrize("at_5", ["pause", "back", "fork"])
def test_it_goes_on_exactly(script: Path, at_5: str) -> None:
    straight = losses(search(script, Planned(), "straight"), "0.0")
    other = search(script, Planned(at_5=at_5), at_5)
    if at_5 == "fork":
        assert losses(other, "0.1") == straight
    else:
        assert losses(other, "0.0") == straight


def test_a_replay_gives_the_same_means(script: Path) -> None:
    first = search(script, Planned(), "first")
    again, run_id = api.replay(script.parent / "s.db", "first", "0.0")
    assert losses(again, run_id) == losses(first, "0.0")


def test_it_is_the_plain_mean_until_the_window_is_full() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    average = Average()
    average.attach({"model": layer})
    for at, weight in enumerate([9.0, 1.0, 2.0, 6.0]):
        with torch.no_grad():
            layer.weight.fill_(weight)
        average.move(float(at), 100.0)
    with average.in_place():
        assert layer.weight.item() == pytest.approx(3.0)  # of what came after it was turned on
    assert layer.weight.item() == 6.0
    average.move(4.0, 0.0)
    with average.in_place():
        assert layer.weight.item() == 6.0


def test_a_window_without_a_model_is_refused(script: Path) -> None:
    script.write_text(SCRIPT.replace("model=model, ", ""))
    result = search(script, Planned(plan=((2.0, AVERAGE),)), "blind")
    change = next(e for e in result.store.diary() if isinstance(e.action, Change))
    assert change.state == "refused"
    assert "attach(model=model)" in change.why


def test_without_an_end_the_autopilot_turns_it_on_until_the_cooldown(script: Path) -> None:
    endless = SCRIPT.replace("max_steps=8, ", "").replace("run.steps()", "run.steps(400)")
    script.write_text(endless.replace("X.sum(1, keepdim=True)", "torch.zeros(64, 1)"))
    tunable = load_target(str(script))
    assert isinstance(tunable, Tunable)
    result = tunable.search(policy="autopilot", trials=1, executor="inline", name="endless",
                            store=script.parent / "s.db", workers=1, lint=False)  # fmt: skip
    entries = [e for e in result.store.diary() if e.state == "obeyed"]
    obeyed = [e.action.params for e in entries if isinstance(e.action, Change)]
    windows = [params["weights/average"] for params in obeyed if "weights/average" in params]
    assert windows == [1.0, 0.0]
