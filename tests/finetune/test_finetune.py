"""What trains, what stands still, and how fast, on small real models."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import luthier
from luthier import finetune
from luthier.core.domain import Choice, Constant, Float
from luthier.core.errors import OptionError
from luthier.finetune.blocks import is_batch_norm
from luthier.knowledge import load

torch.set_num_threads(1)


class Net(nn.Module):
    """Convolutions in stages, like a residual network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x)))))
        out: torch.Tensor = self.fc(x.mean((2, 3)))
        return out


class Text(nn.Module):
    """An encoder inside of a wrapper, as pretrained language models are."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = nn.Module()
        self.bert.embeddings = nn.Embedding(20, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.bert.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.classifier = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.classifier(self.bert.encoder(self.bert.embeddings(x)).mean(1))  # type: ignore[operator, union-attr]
        return out


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], torch.Tensor]]] = {
    "conv": (Net, lambda: torch.randn(6, 1, 8, 8)),
    "text": (Text, lambda: torch.randint(0, 20, (6, 5))),
}
OPTIMIZERS = {
    "adamw": lambda groups: torch.optim.AdamW(groups, weight_decay=0.1),
    "sgd": lambda groups: torch.optim.SGD(groups, momentum=0.9, weight_decay=0.1),
}


def snapshot(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def train(
    model: nn.Module, plan: finetune.Plan, data: torch.Tensor, optimizer: torch.optim.Optimizer,
    steps: range, *, set_to_none: bool = True,
) -> None:  # fmt: skip
    labels = torch.arange(len(data)) % 3
    for step in steps:
        plan.train(step)
        for _ in range(2):
            optimizer.zero_grad(set_to_none=set_to_none)
            nn.functional.cross_entropy(model(data), labels).backward()
            optimizer.step()


def moved(model: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {n for n, v in model.named_parameters() if not torch.equal(v, before[n])}


def names(model: nn.Module, *prefixes: str) -> set[str]:
    return {n for n, _ in model.named_parameters() if n.startswith(prefixes)}


def test_blocks_of_models_of_several_kinds() -> None:
    assert [b.name for b in finetune.blocks(Net())] == ["conv1", "layer1.0", "layer2.0", "fc"]
    text = [b.name for b in finetune.blocks(Text())]
    assert text == [
        "bert.embeddings",
        *(f"bert.encoder.layers.{n}" for n in range(3)),
        "classifier",
    ]
    plain = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2))
    assert [b.name for b in finetune.blocks(plain)] == ["0", "3"]
    assert [n for n, _ in finetune.blocks(plain)[0].parameters] == [
        "0.weight", "0.bias", "1.weight", "1.bias",
    ]  # fmt: skip


@pytest.mark.parametrize("make", [Net, Text, nn.TransformerEncoderLayer], ids=lambda m: m.__name__)
def test_blocks_hold_every_parameter_once(make: Callable[..., nn.Module]) -> None:
    model = make(8, 2, 16) if make is nn.TransformerEncoderLayer else make()
    held = [n for block in finetune.blocks(model) for n, _ in block.parameters]
    assert sorted(held) == sorted(n for n, _ in model.named_parameters())


def test_head_and_groups_can_be_given() -> None:
    model = Net()
    assert [b.name for b in finetune.blocks(model, head="layer2")][-1] == "layer2"
    groups = finetune.blocks(model, groups=[("conv1", "bn1", "layer1"), "layer2", "fc"])
    assert [b.name for b in groups] == ["conv1", "layer2", "fc"]
    with pytest.raises(OptionError, match="leave out"):
        finetune.blocks(model, groups=["conv1", "fc"])
    with pytest.raises(OptionError, match="no parameters in group"):
        finetune.blocks(model, groups=["conv1", "head"])
    with pytest.raises(OptionError, match="has no parameters"):
        finetune.blocks(model, head="heads")
    with pytest.raises(OptionError, match="nothing to fine-tune"):
        finetune.blocks(nn.ReLU())
    with pytest.raises(OptionError, match="one block"):
        finetune.plan(nn.Linear(2, 2), "full", lr=0.1)


def test_a_tied_head_stays_tied_and_is_held_once() -> None:
    model = nn.Module()
    model.embedding, model.body = nn.Embedding(5, 4), nn.Linear(4, 4)
    model.head = nn.Linear(4, 5, bias=False)
    model.head.weight = model.embedding.weight
    assert [b.name for b in finetune.blocks(model)] == ["embedding", "body"]
    groups = finetune.plan(model, "full", lr=0.1).groups
    assert sum(len(g["params"]) for g in groups) == 3


EXPECTED = {
    "probe": (("fc",), ("classifier",)),
    "full": ((), ()),
    "surgical": (("layer2", "fc"), ("bert.encoder.layers.2", "classifier")),
}


@pytest.mark.parametrize("which", [0, 1], ids=["conv", "text"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("set_to_none", [True, False])
@pytest.mark.parametrize("strategy", EXPECTED)
def test_what_is_frozen_stands_still(
    strategy: str, which: int, optimizer: str, set_to_none: bool
) -> None:
    torch.manual_seed(0)
    make, data = list(MODELS.values())[which]
    model = make()
    plan = finetune.plan(model, strategy, lr=1e-2)
    before = snapshot(model)
    made = OPTIMIZERS[optimizer](plan.groups)  # type: ignore[no-untyped-call]
    train(model, plan, data(), made, range(1, 3), set_to_none=set_to_none)
    assert moved(model, before) == names(model, *(EXPECTED[strategy][which] or ("",)))


@pytest.mark.parametrize(
    ("block", "moving"), [("first", "conv1"), ("middle", "layer1"), (0, "conv1")]
)
def test_the_surgeon_chooses_the_block(block: str | int, moving: str) -> None:
    model, data = Net(), torch.randn(6, 1, 8, 8)
    plan = finetune.plan(model, "surgical", lr=1e-2, tuned_block=block, train_head=False)
    before = snapshot(model)
    train(model, plan, data, torch.optim.SGD(plan.groups), range(1, 3))
    expected = names(model, moving, *(["bn1"] if moving == "conv1" else []))
    assert moved(model, before) <= expected
    assert f"{moving}.{'weight' if moving == 'conv1' else '0.weight'}" in moved(model, before)
    for wrong in (9, "left"):
        with pytest.raises(OptionError, match="tuned_block"):
            finetune.plan(model, "surgical", lr=0.1, tuned_block=wrong)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_lp_ft_probes_and_then_trains_everything(optimizer: str) -> None:
    torch.manual_seed(0)
    model, data = Net(), torch.randn(6, 1, 8, 8)
    plan = finetune.plan(model, "lp_ft", lr=1e-3, probe_epochs=2, head_lr_factor=10.0)
    made = OPTIMIZERS[optimizer](plan.groups)  # type: ignore[no-untyped-call]
    before = snapshot(model)
    train(model, plan, data, made, range(1, 3), set_to_none=False)
    assert moved(model, before) == names(model, "fc")
    assert torch.equal(before["bn1.running_mean"], model.bn1.running_mean)  # type: ignore[arg-type]
    train(model, plan, data, made, range(3, 4))
    assert moved(model, before) == names(model, "")
    assert {g["name"]: g["lr"] for g in plan.groups} == {
        "conv1": 1e-3, "layer1.0": 1e-3, "layer2.0": 1e-3, "fc": 1e-2,
    }  # fmt: skip


def test_gradual_unfreezing_follows_from_the_step_alone() -> None:
    torch.manual_seed(0)
    model, data = Net(), torch.randn(6, 1, 8, 8)
    plan = finetune.plan(model, "gradual", lr=1e-3, unfreeze_every=2)
    order = [("fc",), ("layer2.0", "fc"), ("layer1.0", "layer2.0", "fc"),
             ("conv1", "layer1.0", "layer2.0", "fc")]  # fmt: skip
    for step in range(1, 10):
        assert plan.train(step) == order[min((step - 1) // 2, 3)]
    assert plan.train(1) == ("fc",), "back after a rollback"
    before = snapshot(model)
    made = torch.optim.AdamW(plan.groups, weight_decay=0.1)
    train(model, plan, data, made, range(1, 5))
    assert moved(model, before) == names(model, "layer2", "fc")


def test_unfreezing_is_a_live_parameter() -> None:
    torch.manual_seed(0)
    model, data = Net(), torch.randn(6, 1, 8, 8)
    plan = finetune.plan(model, "gradual", lr=1e-3)
    optimizer = torch.optim.AdamW(plan.groups, weight_decay=0.1)
    plan.unfreeze(1)
    before = snapshot(model)
    train(model, plan, data, optimizer, range(1, 5))
    assert moved(model, before) == names(model, "fc")
    plan.unfreeze(3)
    assert plan.unfrozen == 3
    train(model, plan, data, optimizer, range(5, 6))
    assert moved(model, before) == names(model, "fc", "layer2", "layer1")
    # frozen again: neither momentum nor decay moves it
    plan.unfreeze(1)
    before = snapshot(model)
    train(model, plan, data, optimizer, range(6, 8), set_to_none=False)
    assert moved(model, before) == names(model, "fc")
    with pytest.raises(OptionError, match="1 to 4"):
        plan.unfreeze(5)


def test_rates_fall_towards_the_input() -> None:
    rates = [g["lr"] for g in finetune.plan(Net(), "layerwise", lr=1.0, layer_decay=0.5).groups]
    assert rates == [0.125, 0.25, 0.5, 1.0]
    deep = nn.Sequential(*(nn.Linear(4, 4) for _ in range(9)))
    rates = [g["lr"] for g in finetune.plan(deep, "discriminative", lr=1.0, layer_decay=0.1).groups]
    assert rates[-1] == 1.0
    assert rates == pytest.approx([1e-3] * 2 + [1e-2] * 3 + [1e-1] * 3 + [1.0])
    full = finetune.plan(Net(), "full", lr=1.0, head_lr_factor=5.0).groups
    assert [g["lr"] for g in full] == [1.0, 1.0, 1.0, 5.0]


def test_biases_and_norms_go_without_decay() -> None:
    groups = finetune.plan(Net(), "full", lr=1.0, weight_decay=0.1).groups
    for group in groups:
        assert all((p.ndim > 1) == (group["weight_decay"] > 0) for p in group["params"])
    assert sum(len(g["params"]) for g in groups) == len(list(Net().parameters()))


def test_bitfit_and_norm_only() -> None:
    torch.manual_seed(0)
    for strategy, endings in (("bitfit", (".bias",)), ("norm", ("bn1.weight", "bn1.bias"))):
        model, data = Net(), torch.randn(6, 1, 8, 8)
        plan = finetune.plan(model, strategy, lr=1e-2)
        before = snapshot(model)
        train(model, plan, data, torch.optim.SGD(plan.groups), range(1, 3))
        went = moved(model, before)
        assert names(model, "fc") <= went
        assert "conv1.weight" not in went
        assert "layer1.0.weight" not in went
        assert all(any(n.endswith(e) for n in went) for e in endings)
    bare = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2))
    for strategy in ("bitfit", "norm"):
        with pytest.raises(OptionError, match="the body has no"):
            finetune.plan(bare, strategy, lr=0.1)


@pytest.mark.parametrize("strategy", ["probe", "full"])
def test_frozen_batch_norm_keeps_its_statistics(strategy: str) -> None:
    torch.manual_seed(0)
    model, data = Net(), torch.randn(6, 1, 8, 8) + 3
    plan = finetune.plan(model, strategy, lr=1e-2, freeze_bn=strategy == "full")
    before = snapshot(model)
    train(model, plan, data, torch.optim.SGD(plan.groups), range(1, 3))
    for name, module in model.named_modules():
        if is_batch_norm(module):
            assert torch.equal(before[f"{name}.running_mean"], module.running_mean)  # type: ignore[arg-type]
    assert model.training
    free = finetune.plan(Net(), "full", lr=1e-2)
    train(free.model, free, data, torch.optim.SGD(free.groups), range(1, 3))
    assert free.model.bn1.running_mean.abs().sum() > 0  # type: ignore[union-attr, operator]


@pytest.mark.parametrize("which", MODELS)
def test_lora_trains_updates_and_head_only(which: str) -> None:
    pytest.importorskip("peft")
    torch.manual_seed(0)
    make, data = MODELS[which]
    model, x = make(), data()
    model.eval()
    with torch.no_grad():
        untouched = model(x)
    plan = finetune.plan(model, "lora", lr=1e-1, lora_rank=2, lora_alpha=4)
    model.eval()
    with torch.no_grad():
        torch.testing.assert_close(model(x), untouched, msg="an update begins at zero")
    before = snapshot(model)
    train(model, plan, x, torch.optim.SGD(plan.groups), range(1, 4))
    went = moved(model, before)
    assert went
    assert all("lora_" in name or name.startswith(("fc", "classifier")) for name in went)
    assert any("lora_B" in name for name in went)
    # evaluation sees the updates too
    model.eval()
    with torch.no_grad():
        fast = model(x)
    torch.testing.assert_close(fast, model(x).detach())
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.zero_()
    with torch.no_grad():
        assert not torch.allclose(fast, model(x)), "the updates did not count"


def test_lora_says_what_it_lacks() -> None:
    pytest.importorskip("peft")
    model = nn.Sequential(nn.Embedding(4, 4), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(OptionError, match="no layer for LoRA"):
        finetune.plan(model, "lora", lr=0.1)


def test_options_are_checked() -> None:
    with pytest.raises(OptionError, match="lp_ft"):
        finetune.plan(Net(), "lpft", lr=0.1)
    with pytest.raises(OptionError, match=r"has no option.*probe_epochs"):
        finetune.plan(Net(), "full", lr=0.1, probe_epochs=3)


def test_every_strategy_has_a_space_an_entry_and_a_plan() -> None:
    entries = {(e.facts or {}).get("strategy") for e in load().values()} - {None}
    assert entries == set(finetune.STRATEGIES)
    for name in finetune.STRATEGIES:
        if name == "lora":
            pytest.importorskip("peft")
        space = finetune.space(name, model=Net())
        assert space.domains["strategy"] == Constant(
            name, tier=1, category="optimization", source="given"
        )
        assert all(domain.source for domain in space.domains.values())
        plan = finetune.from_params(Net(), space.default())
        lr = space.domains["lr"]
        assert isinstance(lr, Float)
        assert lr.low <= plan.groups[-1]["lr"] / 10 <= lr.high


def test_the_strategy_is_a_dimension_with_conditions() -> None:
    space = finetune.space("probe", "full", "layerwise", family="cnn", dropout=0.0)
    assert isinstance(space.domains["strategy"], Choice)
    assert space.domains["layer_decay"].when == {"strategy": ["layerwise"]}
    assert space.domains["head_lr_factor"].when == {"strategy": ["full"]}
    assert space.domains["dropout"] == Constant(0.0, tier=3, category="regularization")
    lr = space.domains["lr"]
    assert isinstance(lr, Float)
    assert (lr.low, lr.high) == (1e-5, 1e-1)
    assert "linear_probe" in str(lr.source)
    every = finetune.space(family="transformer")
    assert set(every.domains["strategy"].options) == set(finetune.STRATEGIES) - {"lora"}  # type: ignore[attr-defined]
    for unit in (0.05, 0.35, 0.65, 0.95):
        import numpy as np

        point = every.from_unit(np.full(every.dimension, unit))
        assert finetune.from_params(Text(), point).groups
    with pytest.raises(OptionError, match="strategies"):
        finetune.space("probe", "magic")
    assert luthier.recommended(fine_tuning=True).domains["lr"].source


@pytest.mark.parametrize(
    ("case", "strategy"),
    [
        ({"n_examples": 500}, "probe"),
        ({"n_examples": 5_000}, "lp_ft"),
        ({"n_examples": 5_000, "domain_distance": "far"}, "surgical"),
        ({"n_examples": 500, "domain_distance": "far"}, "surgical"),
        ({"n_examples": 50_000}, "full"),
        ({"n_examples": 50_000, "robust": True}, "lp_ft"),
        ({"n_examples": 50_000, "memory_gb": 24, "n_parameters": 7_000_000_000}, "lora"),
        ({"n_examples": 50_000, "memory_gb": 24, "n_parameters": 25_000_000}, "full"),
    ],
)
def test_advice_names_a_strategy_with_reasons(case: dict[str, Any], strategy: str) -> None:
    advice = finetune.recommend(**case)
    assert advice.strategy == strategy
    assert len(advice.reasons) >= 2
    assert strategy in str(advice)
    if strategy != "lora":
        assert finetune.plan(Net(), advice.strategy, lr=0.1, **advice.options).groups
    for wrong in ({"n_examples": 0}, {"n_examples": 1, "domain_distance": "close"},
                  {"n_examples": 1, "memory_gb": 3}):  # fmt: skip
        with pytest.raises(OptionError):
            finetune.recommend(**wrong)  # type: ignore[arg-type]
