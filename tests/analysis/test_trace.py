"""The trace says what really happened, and leaves no trace of itself."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from luthier.analysis.case import Case
from luthier.analysis.subject import first_batches, sort_out
from luthier.analysis.trace import Call, Trace
from luthier.core.errors import TargetError


def traced(model: nn.Module, *inputs: torch.Tensor) -> Trace:
    case = Case(sort_out({"model": model, "inputs": inputs}))
    assert case.run.error == ""
    trace: Trace = case.trace
    return trace


def reaches(trace: Trace, start: str, end: str) -> bool:
    first = next(call for call in trace.calls if call.path == start)
    return any(call.path == end for call, _ in trace.forward(first, lambda call: True))


class Winding(nn.Module):
    """Views, in-place changes, indexing, control flow by values, and a list on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.second = nn.Linear(8, 8)
        self.aside = nn.Linear(8, 8)
        self.never = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.first(x)
        h += 1
        if h.mean() > 1e9:
            h = self.never(h)
        parts = list(h.view(-1, 2, 4).unbind(1))
        parts[0] = parts[0] * 2
        whole = torch.cat(parts, 1)
        room = torch.zeros_like(whole)
        room[:, :4] = whole[:, 4:]
        self.aside(x)
        return self.second(room)


def test_flow_through_views_writes_and_control_flow() -> None:
    trace = traced(Winding(), torch.randn(4, 8))
    assert reaches(trace, "first", "second")
    assert not reaches(trace, "aside", "second")
    assert "never" not in trace.module_calls


def test_registration_order_does_not_matter() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(8, 2)
            self.first = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.first(x))

    trace = traced(Backwards(), torch.randn(4, 8))
    assert reaches(trace, "first", "last")
    assert not reaches(trace, "last", "first")


def test_functions_are_calls_with_options_and_lines() -> None:
    class Functional(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.dropout(F.relu(x), 0.25, training=True)

    trace = traced(Functional(), torch.randn(4, 8))
    kinds = [call.kind for call in trace.calls if call.kind != "input"]
    assert kinds == ["activation", "dropout"]
    drop = trace.calls[-1]
    assert drop.options["p"] == 0.25
    assert drop.site is not None
    assert drop.site.file == __file__


def test_running_statistics_are_no_flow_between_calls() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(8)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return self.norm(x) * self.norm(y)

    trace = traced(Twice(), torch.randn(4, 8), torch.randn(4, 8))
    one, other = trace.of("batch_norm")
    assert one.index not in other.inputs
    assert trace.module_calls["norm"] == 2


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["linear", "relu", "view", "add", "idle dropout"]), max_size=8))
def test_a_chain_is_always_followed_to_its_end(steps: list[str]) -> None:
    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start, self.end = nn.Linear(4, 4), nn.Linear(4, 4)
            self.middle = nn.ModuleList(nn.Linear(4, 4) for _ in steps)
            self.idle = nn.Dropout(0.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.start(x)
            for step, layer in zip(steps, self.middle, strict=True):
                x = {"linear": layer, "relu": F.relu, "view": lambda v: v.view(2, 2, 4).view(4, 4),
                     "add": lambda v: v + 1, "idle dropout": self.idle}[step](x)  # fmt: skip
            return self.end(x)

    assert reaches(traced(Chain(), torch.randn(4, 4)), "start", "end")


def test_the_users_things_stay_as_they_were() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
    data = TensorDataset(torch.randn(64, 8), torch.arange(64) % 8)
    loader = DataLoader(data, batch_size=16, shuffle=True, generator=torch.Generator())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[union-attr]
    own = loader.generator.get_state()
    case = Case(sort_out({"model": model, "loader": loader, "loss": nn.CrossEntropyLoss()}))
    assert case.run.loss is not None
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()
    assert torch.equal(torch.get_rng_state(), states[2])
    assert torch.equal(loader.generator.get_state(), own)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert torch.is_grad_enabled()
    assert not torch.nn.modules.module._global_forward_hooks
    assert len(first_batches(loader, 2)) == 2


def test_an_error_of_the_model_ends_the_trace_and_keeps_what_came_before() -> None:
    class Breaking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.first(x)
            raise ValueError("not today")

    case = Case(sort_out((Breaking(), torch.randn(4, 8))))
    assert case.run.error == "ValueError: not today"
    assert [call.path for call in case.trace.of("linear")] == ["first"]


def test_losses_are_noted_with_what_they_were_fed() -> None:
    batch = torch.randn(16, 8), torch.arange(16) % 4
    loss = nn.CrossEntropyLoss(ignore_index=3)
    case = Case(sort_out((nn.Linear(8, 4), batch, loss)))
    (noted,) = case.trace.losses
    made: Call = case.trace.prediction(noted)
    assert (noted.name, noted.prediction_shape, noted.target_high) == ("cross_entropy", (16, 4), 3)
    assert made.kind == "linear"
    assert noted.options["ignore_index"] == 3


@pytest.mark.parametrize("given", [3, "model", {"batch": 1}, None, []])
def test_what_is_no_model_is_refused(given: object) -> None:
    with pytest.raises(TargetError, match="without a model"):
        sort_out(given)


def test_batches_of_every_form() -> None:
    class Two(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return a + b

    x, y = torch.randn(4, 8), torch.arange(4)
    two = sort_out((Two(), (x, x)))
    assert two.inputs is not None
    assert len(two.inputs[0]) == 2
    pair = sort_out((nn.Linear(8, 4), (x, y)))
    assert pair.target is y
    named = sort_out({"net": nn.Linear(8, 4), "batch": {"input": x}})
    assert named.inputs == ((), {"input": x})


@pytest.mark.parametrize("device", ["meta", "lazy"])
def test_parameters_without_values_are_refused(device: str) -> None:
    model = nn.LazyLinear(4) if device == "lazy" else nn.Linear(8, 4, device="meta")
    with pytest.raises(TargetError, match="without values"):
        sort_out(model)


def test_computed_tensors_in_a_module_are_no_hindrance() -> None:
    class Holding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(8, 8)
            self.kept = self.a.weight * 2

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.a(x) @ self.kept

    assert traced(Holding(), torch.randn(4, 8)).module_calls["a"] == 1
