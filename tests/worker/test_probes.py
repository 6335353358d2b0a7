"""Probes on real trainings: what they see, and that they change nothing."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import luthier
from luthier.core.errors import OptionError
from luthier.worker.probes import Probes


def data(n: int = 256, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, 16, generator=g)
    return x, x[:, :classes].argmax(1)


def net(*more: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4), *more)


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    n: int = 40,
    smoothing: float = 0.0,
    in_order: bool = False,
) -> list[float]:
    x, y = data()
    if in_order:
        order = y.argsort()
        x, y = x[order], y[order]
    g = torch.Generator().manual_seed(1)
    losses = []
    for step in range(n):
        i = (
            torch.arange(32) + 32 * (step % 8)
            if in_order
            else torch.randperm(256, generator=g)[:32]
        )
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i], label_smoothing=smoothing)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def probed(model: nn.Module, optimizer: torch.optim.Optimizer, **how: object) -> dict[str, float]:
    probes = Probes([model, optimizer], every=1)
    fit(model, optimizer, **how)  # type: ignore[arg-type]
    found = probes.collect()
    probes.close()
    return {name.removeprefix("probe/"): value for name, value in found.items()}


@pytest.mark.parametrize("tier", ["economy", "full"])
def test_the_training_is_the_same_to_the_last_bit(tier: str) -> None:
    losses = []
    for with_probes in (False, True):
        model = net(nn.Dropout(0.1))
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
        probes = Probes({"model": model, "optimizer": optimizer}, tier) if with_probes else None
        losses.append(fit(model, optimizer))
        if probes:
            assert probes.collect()
            probes.close()
    assert losses[0] == losses[1]


def test_labels_loss_and_updates_are_as_they_are() -> None:
    model = net()
    with torch.no_grad():
        x, y = data()
        start = float(F.cross_entropy(model(x), y))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    found = probed(model, optimizer, n=40)
    assert found["n_classes"] == 4
    assert found["start_batch_loss"] == pytest.approx(start, abs=0.2)
    counts = torch.bincount(y)
    assert found["class_ratio"] == pytest.approx(float(counts.max() / counts.min()), rel=0.3)
    assert found["label_entropy"] == pytest.approx(math.log(4), abs=0.05)
    assert abs(found["label_order"]) < 0.1
    assert found["nonfinite"] == 0
    assert 1e-4 < found["update_ratio"] < 0.1
    assert found["lr"] == 0.1
    assert found["steps"] == 40
    assert found["memory_bytes"] > 1e7
    assert found["input_rms"] == pytest.approx(1, rel=0.1)
    assert 0.3 < found["start_weight_scale"] < 0.5  # torch.nn's own start


def test_labels_under_smoothing_once_the_model_is_sure() -> None:
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    fit(model, optimizer, n=300, smoothing=0.1)
    found = probed(model, optimizer, n=20, smoothing=0.1)
    assert found["batch_accuracy"] > 0.95
    assert found["loss_p95"] < 1.0


def test_order_of_labels() -> None:
    model = net()
    assert probed(model, torch.optim.Adam(model.parameters()), in_order=True)["label_order"] > 0.6


def test_dead_units_softmax_twice_and_what_does_not_train() -> None:
    model = net(nn.Softmax(1))
    with torch.no_grad():
        model[0].bias[:24] = -100.0
    model[2].bias.requires_grad_(False)
    optimizer = torch.optim.Adam([*model[2].parameters()], 1e-3)
    found = probed(model, optimizer)
    assert found["dead_share"] == pytest.approx(24 / 32)
    assert found["softmax_twice"] == 1
    n = 16 * 32 + 32 + 32 * 4 + 4
    assert found["left_out_share"] == pytest.approx((16 * 32 + 32) / n)
    assert found["frozen_share"] == pytest.approx((16 * 32 + 32 + 4) / n)


def test_frozen_as_drawn_is_told_from_frozen_after_training() -> None:
    model = net()
    model[0].requires_grad_(False)
    assert probed(model, torch.optim.Adam(model.parameters()))["fresh_frozen_share"] > 0.5
    model = net()
    fit(model, torch.optim.Adam(model.parameters(), 1e-2), n=300)
    model[0].requires_grad_(False)
    assert probed(model, torch.optim.Adam(model.parameters()))["fresh_frozen_share"] == 0


def test_saturation_by_module_and_by_function() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(16, 32), nn.Linear(32, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(torch.tanh(20 * self.a(x)))

    model = Functional()
    assert probed(model, torch.optim.SGD(model.parameters(), 1e-3))["saturated_share"] > 0.6
    module = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4))
    assert probed(module, torch.optim.SGD(module.parameters(), 1e-3))["saturated_share"] < 0.1


def test_hooks_come_off_and_probing_is_rare() -> None:
    model = net()
    optimizer = torch.optim.Adam(model.parameters())
    probes = Probes([model, optimizer])
    fit(model, optimizer, n=100)
    assert 1 < probes.n_probed < 60
    probes.close()
    hooks = [*model._forward_pre_hooks, *model._forward_hooks, *model[0]._forward_pre_hooks]
    assert hooks == []
    assert not optimizer._optimizer_step_post_hooks
    assert not optimizer._optimizer_step_pre_hooks
    probes.close()


def test_without_model_or_optimizer_there_is_nothing_to_tell() -> None:
    assert Probes([net()]).collect() == {}
    assert Probes([]).collect() == {}
    with pytest.raises(OptionError, match="economy"):
        Probes([], "luxury")


@luthier.tune(minimize="val_loss", max_steps=6, space={"lr": luthier.Float(1e-4, 1e-1, log=True)})
def train(run: luthier.LiveRun) -> None:
    model = net()
    optimizer = torch.optim.Adam(model[2:].parameters(), run.params.lr)  # forgets a layer
    run.attach(model=model, optimizer=optimizer)
    for _ in run.steps():
        run.report(train_loss=sum(fit(model, optimizer, n=8)) / 8, val_loss=1.0)


def test_a_tuned_run_is_probed_and_diagnosed_from_its_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from luthier.cli import luthier as command

    store = tmp_path / "l.db"
    result = train.search(lint=False, trials=1, executor="inline", store=store, policy="random")
    metrics = result.store.metrics("0.0")
    assert {"probe/update_ratio", "probe/lr", "val_loss"} <= set(metrics)
    for what in ("0", "0.0", f"{result.name}/0"):
        command.main(["diagnose", what, "--store", str(store)], standalone_mode=False)
        assert "D24 frozen-parameters" in capsys.readouterr().out
