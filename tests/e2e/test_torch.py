"""A resumed run equals one that was never paused, to the last bit; live values are read back."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from luthier.api import Tunable, load_checkpoint  # noqa: E402
from luthier.contracts import Store  # noqa: E402
from luthier.core.action import Continue  # noqa: E402
from luthier.worker.target import load_target  # noqa: E402

SCRIPT = """
import torch
from torch import nn
import luthier

X = torch.randn(256, 8, generator=torch.Generator().manual_seed(0))
Y = X.sum(1, keepdim=True)
DATA = torch.utils.data.TensorDataset(X, Y)

@luthier.tune(minimize="loss", max_steps=9, space={
    "lr": luthier.Float(1e-3, 1e-1, log=True, live=True), "p": luthier.Float(0.1, 0.5)})
def train(run):
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(run.params.p),
                          nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=run.params.lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5)
    loader = torch.utils.data.DataLoader(DATA, batch_size=32, shuffle=True)
    run.attach(model=model, optimizer=optimizer, schedule=schedule, loader=loader)
    for _ in run.steps():
        total = 0.0
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        run.report(loss=total)
        schedule.step()
"""


@pytest.fixture
def tunable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tunable:
    path = tmp_path / "net.py"
    path.write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    loaded = load_target(str(path))
    assert isinstance(loaded, Tunable)
    return loaded


def test_paused_and_resumed_equals_never_paused(tunable: Tunable) -> None:
    straight = tunable.search(trials=4, policy="full", workers=2, seed=1, name="straight")
    paused = tunable.search(trials=4, policy="asha", workers=2, seed=1, name="paused")
    best = paused.best.run
    assert best.step == 9
    entries = [e for e in paused.store.diary() if e.run_id == best.id]
    assert len([e for e in entries if isinstance(e.action, Continue)]) == 2
    twin = straight.view.runs[best.id]
    assert best.params == twin.params
    assert best.curve.values.tolist() == twin.curve.values.tolist()
    paths = [
        r.store.paths.run(best.id).checkpoints / r.view.runs[best.id].checkpoints[-1].file
        for r in (straight, paused)
    ]
    a, b = (load_checkpoint(path)["model"] for path in paths)
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_fork_with_another_rate_really_has_it(tunable: Tunable) -> None:
    from luthier.core.action import Change, Fork, Start
    from luthier.executors.local import LocalExecutor
    from luthier.policies.hand import Hand
    from luthier.stores.sqlite import SqliteStore
    from luthier.tuner import Tuner

    result = tunable.search(trials=1, policy="full", workers=1, name="s")
    lr = result.best.params["lr"]
    store = SqliteStore.open(result.store.path, "s", read_only=False)
    executor = LocalExecutor(store.recipe["target"], 1)
    tuner = Tuner(store, Hand(), executor)
    tuner.enact(Start(params=result.best.params, to_step=6, reason="test"))
    tuner.run()
    tuner.enact(Fork(run_id="1.0", at_step=6, to_step=9, params={"lr": lr / 2}, reason="test"))
    tuner.enact(Change(run_id="0.0", params={"lr": 5.0}, reason="test"))
    tuner.run()
    executor.close()
    fork = store.view().runs["2.0"]
    assert fork.step == 9
    assert fork.params["lr"] == pytest.approx(lr / 2)
    line = next(
        line for line in store.paths.run("2.0").wire.read_text().splitlines() if "started" in line
    )
    # the schedule halved the rate at 3 and 6; the fork halves it once more
    import json

    assert json.loads(line)[3]["lr"] == pytest.approx(lr / 4 / 2)
    assert [e.state for e in store.diary()][-1] == "refused"
    assert "ended" in store.diary()[-1].why


def test_a_running_run_is_changed_and_rolled_back(tunable: Tunable) -> None:
    import time

    from luthier.core.action import Author, Change, RollBack
    from luthier.core.study import StudyView
    from luthier.worker.inbox import post

    asked: list[str] = []

    def observe(store: Store, view: StudyView) -> None:
        run = view.runs.get("0.0")
        if run is None or not run.active:
            return
        time.sleep(0.25)  # the inbox is looked at five times a second
        if run.step >= 2 and "change" not in asked:
            asked.append("change")
            lr = run.params["lr"] / 2
            order = Change(run_id="0.0", params={"lr": lr}, reason="test", author=Author.HUMAN)
            post(store.paths.orders, order)
        elif run.checkpoints and run.step > run.checkpoints[0].step and "back" not in asked:
            asked.append("back")
            to_step = run.checkpoints[0].step
            back = RollBack(run_id="0.0", to_step=to_step, reason="test", author=Author.HUMAN)
            post(store.paths.orders, back)

    result = tunable.search(
        trials=1, policy="full", executor="inline", name="nursed", observe=observe
    )
    run = result.view.runs["0.0"]
    assert asked == ["change", "back"]
    assert run.state == "completed"
    assert run.curve.steps.tolist() == list(range(1, 10))
    start, change, back = result.store.diary()
    assert [e.state for e in (start, change, back)] == ["obeyed"] * 3
    assert run.params["lr"] == change.action.params["lr"]
    assert back.read_back["lr"] <= run.params["lr"] * 1.000001
    assert (result.curves().metric == "loss").sum() == 9
