"""The range test: what it suggests, when it declines, and that it leaves no trace."""

import copy
import math

import numpy as np
import torch

from luthier.core.lr_find import diverged, suggest
from luthier.worker.run import LiveRun


def test_suggests_on_a_clean_fall_and_declines_on_noise_and_flat() -> None:
    lrs = list(np.geomspace(1e-6, 1.0, 100))
    fall = [2.0 - 1.5 / (1.0 + (1e-3 / lr) ** 2) for lr in lrs]
    found = suggest(lrs, fall).suggestions
    assert 3e-4 < found["steepest"] < 1e-2
    assert found.keys() == {"steepest", "valley", "minimum/10"}
    noises = [list(2.0 + np.random.default_rng(i).normal(0.0, 0.3, 100)) for i in range(5)]
    for losses in (*noises, [2.0] * 100, [math.nan]):
        declined = suggest(lrs, losses)
        assert not declined.suggestions
        assert declined.why_not


def test_divergence() -> None:
    assert diverged([1.0, math.inf])
    assert diverged([1.0] * 5 + [9.0] * 3)
    assert not diverged([1.0, 0.9, 1.1])
    assert not diverged([])
    falling = [-1.0 - n / 10 for n in range(40)]  # of a likelihood, say
    assert not any(diverged(falling[:n]) for n in range(1, 40))
    assert diverged([*falling, 20.0, 40.0, 80.0])
    assert diverged([-1.0] * 5 + [9.0] * 3)


def test_everything_is_put_back_bit_by_bit() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(64, 5), torch.randn(64, 1)
    model = torch.nn.Sequential(
        torch.nn.Linear(5, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> torch.Tensor:
        loss = torch.nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    step()
    run = LiveRun()
    run.attach(model=model, optimizer=optimizer)
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict(), torch.get_rng_state()))
    assert len(run.find_lr(step).losses) > 20
    after = (model.state_dict(), optimizer.state_dict(), torch.get_rng_state())
    torch.testing.assert_close(after, before, rtol=0.0, atol=0.0)
