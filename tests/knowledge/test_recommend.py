import itertools

import numpy as np
import pytest
from torch import nn

import luthier
from luthier.core.domain import Choice, Constant, Float, Int
from luthier.core.errors import OptionError, UnknownNameError
from luthier.core.space import space_from_json, space_to_json
from luthier.knowledge.family import family_of
from luthier.knowledge.hyperparameter import FAMILIES, OPTIMIZERS

CASES = [
    (optimizer, family, tuned, view)
    for optimizer, family, tuned, view in itertools.product(
        OPTIMIZERS, FAMILIES, (False, True), ("modern", "chapter")
    )
    if tuned or family not in ("llm", "lora")
]


@pytest.mark.parametrize(("optimizer", "family", "tuned", "view"), CASES)
def test_every_case_has_a_space_that_says_where_it_comes_from(
    optimizer: str, family: str, tuned: bool, view: str
) -> None:
    space = luthier.recommended(optimizer=optimizer, family=family, fine_tuning=tuned, view=view)
    lr = space.domains["lr"]
    assert isinstance(lr, Float)
    assert lr.log
    assert lr.live
    assert lr.tier == 1
    assert lr.high / lr.low <= 1000
    assert next(iter(space.domains)) == "lr"
    assert {d.tier for d in space.domains.values()} == {1, 2, 3}
    lines = space.explain().splitlines()
    assert len(lines) == 1 + len(space.domains)
    for line, (name, domain) in zip(lines[1:], space.domains.items(), strict=True):
        assert line.startswith(name)
        assert domain.source
        assert domain.source in line
        assert domain.source == "given" or f"[{view}, {optimizer}, {family}, " in domain.source
    assert space_from_json(space_to_json(space)) == space
    rng = np.random.default_rng(0)
    for _ in range(5):
        space.cast(space.from_unit(rng.random(space.dimension)))


def test_the_chapter_and_today_differ_where_the_knowledge_says() -> None:
    chapter = luthier.recommended(optimizer="momentum", family="cnn", view="chapter").domains
    today = luthier.recommended(optimizer="momentum", family="cnn").domains
    assert (chapter["lr"].low, chapter["lr"].high) == (1e-3, 1e-2)
    assert (today["lr"].low, today["lr"].high, today["lr"].prior) == (1e-2, 1.0, 0.1)
    assert (chapter["weight_decay"].low, chapter["weight_decay"].high) == (0.0, 1e-4)
    assert luthier.recommended(family="cnn").domains["weight_decay"].prior == 0.05
    adam = luthier.recommended(optimizer="adam", view="chapter").domains
    fixed = {n: d.value for n, d in adam.items() if isinstance(d, Constant)}
    assert fixed == {"optimizer": "adam", "beta1": 0.9, "beta2": 0.999, "adam_epsilon": 1e-8}
    assert "warmup" not in luthier.recommended(family="transformer", view="chapter").domains


def test_fine_tuning_lowers_the_rate_except_for_lora() -> None:
    def prior(**case: object) -> float:
        return float(luthier.recommended(**case).domains["lr"].prior)  # type: ignore[arg-type]

    scratch, tuned = prior(family="transformer"), prior(family="transformer", fine_tuning=True)
    assert tuned < scratch
    assert prior(family="lora") == pytest.approx(10 * prior(family="llm"))


def test_the_rate_grows_with_the_batch() -> None:
    def at(optimizer: str, batch_size: int) -> Float:
        lr = luthier.recommended(optimizer=optimizer, family="cnn", batch_size=batch_size)
        assert lr.domains["batch_size"] == Constant(
            batch_size, tier=2, category="optimization", source="given"
        )
        found = lr.domains["lr"]
        assert isinstance(found, Float)
        return found

    assert at("momentum", 1024).prior == pytest.approx(4 * at("momentum", 256).prior)
    assert at("adamw", 512).prior == pytest.approx(2 * at("adamw", 128).prior)
    assert at("momentum", 100_000).prior == pytest.approx(32 * at("momentum", 256).prior)
    searched = luthier.recommended(family="cnn").domains["batch_size"]
    assert isinstance(searched, Int)
    assert searched.log


def test_several_optimizers_make_a_choice_with_conditions() -> None:
    space = luthier.recommended(optimizer=("momentum", "adamw"), family="cnn", include=("beta2",))
    assert space.domains["optimizer"] == Choice(
        "momentum", "adamw", prior="momentum", confidence="low", tier=1, category="optimization",
        source="given",
    )  # fmt: skip
    lr = space.domains["lr"]
    assert isinstance(lr, Float)
    assert (lr.low, lr.high) == (1e-4, 1.0)
    assert space.domains["momentum"].when == {"optimizer": ["momentum"]}
    assert space.domains["beta2"].when == {"optimizer": ["adamw"]}
    assert "beta2" not in space.default()
    assert "momentum" not in space.cast({**space.default(), "optimizer": "adamw"} | {"beta2": 0.99})


def test_the_user_overrides_any_entry() -> None:
    mine = Float(1e-3, 1e-2, log=True, tier=1)
    space = luthier.recommended(
        family="cnn", learning_rate=mine, wd=0.05, override={"my_own": Int(1, 3)},
        exclude=("dropout",),
    )  # fmt: skip
    assert space.domains["learning_rate"] is mine
    assert space.domains["wd"] == Constant(0.05, tier=3, category="regularization")
    assert space.domains["my_own"] == Int(1, 3)
    assert not {"lr", "weight_decay", "dropout"} & space.domains.keys()
    assert "given by hand" in space.explain()
    every = luthier.recommended(include=("depth", "width", "activation", "ema"))
    assert {"depth", "width", "activation", "ema_decay"} <= every.domains.keys()


def test_losses_bring_their_parameters() -> None:
    assert "focal_gamma" not in luthier.recommended().domains
    focal = luthier.recommended(loss="focal", view="chapter").domains
    assert focal["focal_gamma"] == Constant(
        2.0, confidence="high", tier=1, category="optimization", source=focal["focal_gamma"].source
    )
    assert "loss_weight" in luthier.recommended(loss="auxiliary").domains


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"optimizer": "adm"}, "adamw"),
        ({"family": "gan"}, "transformer"),
        ({"view": "old"}, "chapter"),
        ({"loss": "mse"}, "focal"),
        ({"family": "lora", "fine_tuning": False}, "fine-tuned"),
        ({"batch_size": 0}, "1 or more"),
        ({"optimizer": ()}, "optimizer"),
        ({"include": ("seed",)}, "not to be searched"),
        ({"model": 3}, "Module"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        luthier.recommended(**given)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="weight_decay"):
        luthier.recommended(include=("wieght",))


class HandWritten(nn.Module):
    """Attention as many write it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.attention = CausalSelfAttention()


class CausalSelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), "mlp"),
        (nn.Sequential(nn.Conv1d(1, 4, 3), nn.Flatten(), nn.Linear(4, 2)), "cnn"),
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.GRU(4, 4)), "rnn"),
        (nn.LSTMCell(4, 4), "rnn"),
        (nn.TransformerEncoderLayer(8, 2, 8), "transformer"),
        (HandWritten(), "transformer"),
    ],
)
def test_the_family_is_seen_from_the_modules(model: nn.Module, family: str) -> None:
    assert family_of(model) == family
    space = luthier.recommended(model=model)
    assert f", {family}, " in str(space.domains["lr"].source)


def test_dropout_is_searched_only_where_a_module_has_it() -> None:
    bare, dropping = (
        nn.Sequential(nn.Conv2d(1, 4, 3)),
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout()),
    )
    assert "dropout" not in luthier.recommended(model=bare).domains
    assert "dropout" in luthier.recommended(model=dropping).domains
