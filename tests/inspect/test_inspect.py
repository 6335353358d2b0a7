"""What inspect says is compared with what torch does."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from luthier.analysis.case import Case
from luthier.analysis.subject import sort_out
from luthier.cli import luthier
from luthier.inspect.cost import memory_of, operations_of
from luthier.inspect.counts import blocks_of, sharing_of
from luthier.inspect.field import kernels_of
from luthier.inspect.knobs import knobs_of
from luthier.inspect.placement import placements_of


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(4, 4, 3, padding=1)
        self.b = nn.Conv2d(4, 4, 5, padding=4, dilation=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.b(self.a(x).relu())


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 7, stride=2, padding=3), nn.MaxPool2d(3, 2, 1), Residual(),
        nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False),
    )  # fmt: skip


def case_of(model: nn.Module, *inputs: torch.Tensor, **more: object) -> Case:
    return Case(sort_out({"model": model, "inputs": inputs, **more}))


def test_receptive_field_is_what_gradients_reach() -> None:
    class Smooth(nn.Module):  # an average has the window of the maximum, and gradients everywhere
        def __init__(self) -> None:
            super().__init__()
            self.net = network()
            self.net[1] = nn.AvgPool2d(3, 2, 1)
            for p in self.net.parameters():
                nn.init.constant_(p, 0.1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x)

    x = torch.ones(1, 3, 161, 161, requires_grad=True)
    out = Smooth()(x)
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    assert x.grad is not None
    reached = x.grad[0, 0].abs().sum(0).nonzero()
    width = int(reached.max() - reached.min()) + 1
    last = kernels_of(case_of(network(), torch.randn(2, 3, 161, 161)))[-1]
    assert last.receptive_field == (width, width)
    assert last.output_stride == (8.0, 8.0)
    assert last.map == tuple(out.shape[2:])


def test_counts_add_up_and_shared_numbers_count_once() -> None:
    model = nn.ModuleDict({"a": nn.Linear(8, 8), "b": nn.Linear(8, 8), "n": nn.BatchNorm1d(8)})
    model["b"].weight = model["a"].weight
    model["a"].bias.requires_grad_(False)
    case = case_of(model)
    blocks = blocks_of(case)
    assert sum(b.n_trainable + b.n_frozen for b in blocks) == sum(
        p.numel() for p in model.parameters()
    )
    assert [b.n_frozen for b in blocks] == [8, 0, 0]
    assert sum(b.n_buffers for b in blocks) == sum(b.numel() for b in model.buffers())
    (tied,) = sharing_of(case)
    assert (tied.how, tied.n_weights, tied.factor) == ("tied", 64, 2)


def test_modules_called_again_and_the_factor_of_a_convolution() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for _ in range(3):
                x = self.conv(x)
            return x

    shared = sharing_of(case_of(Loop(), torch.randn(2, 2, 8, 8)))
    again = next(s for s in shared if s.how == "called again")
    conv = next(s for s in shared if s.how == "convolution")
    assert (again.path, again.factor) == ("conv", 3)
    assert conv.factor == (2 * 64) * (2 * 64) / (2 * 2 * 9)


def test_operations_of_layers_whose_cost_is_known() -> None:
    dense = operations_of(case_of(nn.Linear(16, 32, bias=False), torch.randn(4, 16)))
    assert dense.forward_flops == 2 * 16 * 32
    assert dense.training_flops == 2 * dense.forward_flops  # no gradient for the inputs
    conv = operations_of(case_of(nn.Conv2d(3, 8, 3, bias=False), torch.randn(4, 3, 10, 10)))
    assert conv.forward_flops == 2 * 3 * 9 * 8 * 64
    attention = nn.MultiheadAttention(16, 2, batch_first=True)
    x = torch.randn(4, 10, 16)
    flops = operations_of(case_of(attention, x, x, x)).forward_flops
    assert flops == 2 * 10 * 16 * 16 * 4 + 2 * 2 * 10 * 10 * 16
    lstm = operations_of(case_of(nn.LSTM(8, 16, batch_first=True), torch.randn(4, 5, 8)))
    assert lstm.forward_flops == 2 * 5 * (8 + 16) * 4 * 16


def test_memory_of_what_is_kept_for_the_backward_pass() -> None:
    model = nn.Sequential(nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    memory = memory_of(case_of(model, torch.randn(8, 100), optimizer=optimizer))
    n = 100 * 50 + 50 + 50 * 10 + 10
    assert memory.parameter_bytes == memory.gradient_bytes == memory.optimizer_bytes == 4 * n
    # the input (kept, and itself in the batch) and the output of the ReLU
    assert memory.activation_bytes_per_example == 4 * (100 + 100 + 50)
    assert memory.total_bytes(10) - memory.total_bytes(0) == 10 * 4 * 250
    frozen = memory_of(case_of(model.requires_grad_(False), torch.randn(8, 100)))
    assert frozen.gradient_bytes == frozen.optimizer_bytes == 0


def test_placement_and_hyperparameters() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.05)
    case = case_of(model, torch.randn(8, 8), optimizer=optimizer, epochs=7, width=8)
    placed = [(p.before, p.layer, p.after) for p in placements_of(case)]
    assert placed == [("Linear", "BatchNorm1d", "ReLU"), ("ReLU", "Dropout(p=0.2)", "-")]
    knobs = {(k.category, k.name): k.value for k in knobs_of(case)}
    assert knobs["optimization", "lr"] == "0.0003"
    assert knobs["optimization", "epochs"] == "7"
    assert knobs["regularization", "weight_decay"] == "0.05"
    assert knobs["regularization", "dropout"] == "0.2"
    assert knobs["network", "activation"] == "ReLU"
    assert knobs["network", "width"] == "8"


def test_hyperparameters_of_recurrent_layers() -> None:
    model = nn.LSTM(4, 16, num_layers=2, dropout=0.3)
    knobs = {(k.category, k.name): (k.value, k.where) for k in knobs_of(case_of(model))}
    assert knobs["regularization", "dropout"] == ("0.3", "LSTM x1")
    assert knobs["network", "width"] == ("16", "1 layer")


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    path = tmp_path / "shapes.py"
    path.write_text(
        "import torch\nfrom torch import nn\n"
        "def build():\n"
        "    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),\n"
        "                        nn.Dropout(0.2), nn.Linear(8 * 36, 4))\n"
        "    return net, (torch.randn(16, 3, 8, 8), torch.arange(16) % 4), nn.CrossEntropyLoss()\n"
    )
    monkeypatch.setenv("COLUMNS", str(columns))
    done = CliRunner().invoke(luthier, ["inspect", f"{path}:build"])
    assert done.exit_code == 0, done.output
    assert max(len(line) for line in done.output.splitlines()) <= columns
    for word in ("kernels", "shared weights", "BatchNorm2d", "per example", "dropout", "learned"):
        assert word in done.output
    data = json.loads(CliRunner().invoke(luthier, ["inspect", f"{path}:build", "--json"]).output)
    assert data["n_trainable"] == 3 * 8 * 9 + 8 + 16 + 8 * 36 * 4 + 4
    assert data["memory"]["total_bytes"]["512"] > data["memory"]["total_bytes"]["1"]
