"""The range test of a whole training function: its own loop, nothing of it edited."""

import json
import random
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch.nn import functional as F

import luthier as luthier_package
from luthier.cli import luthier
from luthier.cli.lr_find import words
from luthier.core.errors import AttachError, TrainingError
from luthier.core.lr_find import LrFinding
from luthier.worker.range_test import range_test

X = torch.randn(512, 8, generator=torch.Generator().manual_seed(0))
Y = X @ torch.arange(8.0)[:, None]


def plain(run: Any) -> None:
    """A loop over batches, with a warm-up that begins at zero and a second parameter group."""
    torch.manual_seed(0)
    body, head = torch.nn.Linear(8, 16), torch.nn.Linear(16, 1)
    optimizer = torch.optim.SGD(
        [{"params": body.parameters()}, {"params": head.parameters(), "lr": 1e-2}], lr=1e-3
    )
    run.attach(body=body, head=head, optimizer=optimizer)
    run.schedule(optimizer, "linear", n_steps=5, warmup=0.5)
    for _ in run.steps():
        order = torch.randperm(len(X))
        for batch in run.batches(order.split(64)):
            loss = F.mse_loss(head(torch.tanh(body(X[batch]))), Y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        run.report(loss=loss.detach())


def test_finds_a_rate_in_a_loop_that_knows_nothing_of_it() -> None:
    found = range_test(plain, {}, low=1e-6, high=100.0, max_steps=5)
    assert found.suggestions
    assert found.diverged_at is not None
    assert found.advised is not None
    assert 1e-4 < found.advised <= found.diverged_at / 2
    assert len(found.losses) > 40  # more than the five steps of the study hold


def test_leaves_no_trace() -> None:
    """Random generators, the model that the function shares, and torch itself."""
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def train(run: Any) -> None:
        run.attach(model=model, optimizer=optimizer)
        for _ in run.steps():
            loss = F.mse_loss(model(X), Y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    before = {name: value.clone() for name, value in model.state_dict().items()}
    states, backward = (torch.get_rng_state(), random.getstate()), torch.autograd.backward
    first, again = (range_test(train, {}, low=1e-6, high=10.0) for _ in range(2))
    assert first == again
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0.0, atol=0.0)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert torch.autograd.backward is backward
    F.mse_loss(model(X), Y).backward()
    optimizer.step()  # no hook is left that would end this


def test_accumulated_gradients_count_as_one_step() -> None:
    def train(run: Any) -> None:
        model = torch.nn.Linear(8, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for _ in run.steps():
            optimizer.zero_grad()
            for part in torch.randperm(len(X)).split(128):
                F.mse_loss(model(X[part]), Y[part]).backward()
            optimizer.step()

    assert 20 < len(range_test(train, {}, n_steps=60).losses) <= 60


def test_noise_gets_no_answer() -> None:
    def train(run: Any) -> None:
        model = torch.nn.Linear(8, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for _ in run.steps():
            loss = F.mse_loss(model(torch.randn(16, 8)), 5.0 * torch.randn(16, 1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    for seed in range(8):
        torch.manual_seed(seed)
        found = range_test(train, {}, low=1e-7, high=1e-3)
        assert found.advised is None
        assert "noise" in found.why_not


def test_says_what_is_missing() -> None:
    def no_optimizer(run: Any) -> None:
        for _ in run.steps():
            run.report(loss=1.0)

    def no_loss(run: Any) -> None:
        weight = torch.nn.Parameter(torch.ones(3))
        optimizer = torch.optim.SGD([weight], lr=1e-3)
        for _ in run.steps():
            weight.grad = torch.ones(3)
            optimizer.step()

    def short(run: Any) -> None:
        model = torch.nn.Linear(8, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for _ in run.steps(7):
            F.mse_loss(model(X), Y).backward()
            optimizer.step()

    with pytest.raises(AttachError, match="no step of a torch optimizer"):
        range_test(no_optimizer, {})
    with pytest.raises(AttachError, match="no loss"):
        range_test(no_loss, {})
    assert "after 7 optimizer steps" in range_test(short, {}).why_not


def test_an_error_of_the_training_code_shows_its_own_lines() -> None:
    def broken(run: Any) -> None:
        raise ValueError("mine")

    with pytest.raises(TrainingError, match="ValueError: mine") as caught:
        range_test(broken, {})
    assert "in broken" in caught.value.trace
    assert "test_range_test.py" in caught.value.trace.splitlines()[1]  # nothing of ours above it


def test_advice_stays_under_the_bound() -> None:
    found = LrFinding((), (), (), {"a": 0.1, "b": 0.5, "c": 0.9}, 0.3)
    assert found.advised == 0.15
    assert found.agree
    assert not LrFinding((), (), (), {"a": 0.001, "b": 0.5}, None).agree


SCRIPT = """
import torch
import luthier
from torch.nn import functional as F

X = torch.randn(256, 8, generator=torch.Generator().manual_seed(0))
Y = X @ torch.arange(8.0)[:, None]
print("loaded")

@luthier.tune(minimize="loss", max_steps=4, space={
    "lr": luthier.Float(1e-3, 1.0, log=True, live=True), "width": luthier.Int(8, 32)})
def train(run):
    model = torch.nn.Sequential(torch.nn.Linear(8, run.params.width), torch.nn.ReLU(),
                                torch.nn.Linear(run.params.width, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=run.params.lr)
    run.attach(model=model, optimizer=optimizer)
    for _ in run.steps():
        for batch in run.batches(torch.randperm(len(X)).split(32)):
            loss = F.mse_loss(model(X[batch]), Y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        run.report(loss=loss.detach())
"""


def test_command(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(textwrap.dedent(SCRIPT))
    command = ["lr-find", str(script), "--from", "1e-6"]
    told = CliRunner().invoke(luthier, [*command, "--set", "width=16"])
    assert told.exit_code == 0, told.output
    assert "valley" in told.stdout
    assert "loaded" not in told.stdout
    more = CliRunner().invoke(luthier, [*command, "--json", "-o", str(tmp_path / "lr.png")])
    found = json.loads(more.stdout)
    assert found["advised"] > 0
    assert len(found["lrs"]) == len(found["losses"])
    assert (tmp_path / "lr.png").stat().st_size > 5000
    # the line that it gives is Python
    line = next(row for row in told.stdout.splitlines() if row.startswith("search near it"))
    space = eval("{" + line.removeprefix("search near it") + "}", {"luthier": luthier_package})
    assert space["lr"].live
    assert space["lr"].low < space["lr"].prior < space["lr"].high


def test_words_for_every_case() -> None:
    found = LrFinding((1e-3, 1.0), (2.0, 1.0), (2.0, 1.5), {"a": 0.1, "b": 0.5, "c": 0.9}, 1.0)
    space = luthier_package.Space({"lr": luthier_package.Float(1e-4, 1e-2, log=True)})
    told = words(found, "job.py", "lr", space)
    assert "0.5 is not in the script's lr: Float(0.0001, 0.01, log=True); widen it" in told
    assert "luthier tune" not in told
    assert "has no lr or learning_rate" in words(found, "job.py", None, space)
    apart = LrFinding((1e-3, 1.0), (2.0, 1.0), (2.0, 1.5), {"a": 1e-3, "b": 0.5}, None)
    assert "differ by more than a factor of ten" in words(apart, "job.py", "lr", space)
    assert "did not diverge" in words(apart, "job.py", "lr", space)
    none = LrFinding((1e-3,), (2.0,), (2.0,), {}, None, "mere noise")
    assert words(none, "job.py", "lr", space).endswith("no reliable answer: mere noise")


def test_what_has_several_losses_a_step_is_refused() -> None:
    def train(run: Any) -> None:
        layer = torch.nn.Linear(2, 1)
        optimizer = torch.optim.LBFGS(layer.parameters())

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = layer(torch.ones(4, 2)).square().mean()
            loss.backward()
            return loss

        optimizer.step(closure)

    with pytest.raises(AttachError, match="LBFGS"):
        range_test(train, {})
