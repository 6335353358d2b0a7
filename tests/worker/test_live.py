"""Live parameters where they really are: optimizers, modules, loaders, the user's own."""

import copy
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from luthier.core.errors import PointError, ReadBackError  # noqa: E402
from luthier.worker.live import Live, Own, shown  # noqa: E402
from luthier.worker.run import LiveRun  # noqa: E402


def live(**things: object) -> Live:
    made = Live()
    made.attach(things)
    return made


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 8)
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True)
        self.memory = nn.LSTM(8, 8, num_layers=2, dropout=0.1, batch_first=True)
        self.plain = nn.GRU(8, 8, batch_first=True)  # built without dropout
        self.rest = nn.Sequential(nn.Dropout(0.1), nn.Dropout1d(0.1), nn.AlphaDropout(0.2))
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        x = self.attention(x, x, x)[0]
        x = self.plain(self.memory(x)[0])[0]
        return self.head(self.rest(x))


def test_dropout_of_every_kind_keeps_its_ratio() -> None:
    net = Net()
    knobs = live(model=net)
    knobs.apply({"dropout": 0.1}, {"dropout": 0.2})
    rates = (net.attention.dropout, net.memory.dropout, net.rest[0].p, net.rest[1].p)
    assert rates == (0.2, 0.2, 0.2, 0.2)
    assert net.rest[2].p == pytest.approx(0.4)
    assert net.plain.dropout == 0
    with pytest.raises(PointError, match="below 1"):
        knobs.apply({"dropout": 0.2}, {"dropout": 0.5})  # the other one would be 1.0
    assert net.rest[0].p == 0.2, "a change that is refused changes nothing"


def test_a_compiled_module_drops_at_the_new_rate() -> None:
    net = nn.Sequential(nn.Dropout(0.1))
    compiled = torch.compile(net, backend="eager")
    x = torch.ones(10_000)
    assert (compiled(x) == 0).float().mean() < 0.2
    live(model=compiled).apply({"dropout": 0.1}, {"dropout": 0.6})
    assert (compiled(x) == 0).float().mean() > 0.5


def test_label_smoothing_and_batch_size() -> None:
    data = torch.utils.data.TensorDataset(torch.arange(20))
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    train = torch.utils.data.DataLoader(data, batch_size=4)
    check = torch.utils.data.DataLoader(data, batch_size=10)
    knobs = live(loss=loss, train=train, check=check)
    knobs.apply(
        {"label_smoothing": 0.1, "batch_size": 4}, {"label_smoothing": 0.2, "batch_size": 5}
    )
    assert loss.label_smoothing == 0.2
    assert [len(batch) for (batch,) in train] == [5, 5, 5, 5]
    assert [len(batch) for (batch,) in check] == [10, 10]
    with pytest.raises(PointError, match="whole number"):
        knobs.apply({"batch_size": 5}, {"batch_size": 0})


@pytest.mark.parametrize("to_none", [True, False])
@pytest.mark.parametrize("make", [
    lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.5),
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.5),
], ids=["adamw", "sgd"])  # fmt: skip
def test_a_frozen_part_stands_still(make: Callable[..., object], to_none: bool) -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    optimizer = make(net.parameters())
    knobs = live(model=net, optimizer=optimizer)

    def train(n: int) -> None:
        for _ in range(n):
            net(torch.randn(8, 4)).square().mean().backward()
            optimizer.step()  # type: ignore[attr-defined]
            optimizer.zero_grad(set_to_none=to_none)  # type: ignore[attr-defined]

    train(3)
    knobs.apply({}, {"frozen": "0"})
    before = copy.deepcopy(net.state_dict())
    train(3)
    assert torch.equal(net[0].weight, before["0.weight"])
    assert torch.equal(net[0].bias, before["0.bias"])
    assert not torch.equal(net[1].weight, before["1.weight"])
    knobs.apply({"frozen": "0"}, {"frozen": ""})
    train(1)
    assert not torch.equal(net[0].weight, before["0.weight"])
    with pytest.raises(PointError, match=r"there are \['0', '1'\]"):
        knobs.apply({"frozen": ""}, {"frozen": "encoder"})


def test_what_the_optimizer_does_not_hold_cannot_be_trained_again() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    optimizer = torch.optim.SGD(net[1].parameters(), lr=0.1)
    knobs = live(model=net, optimizer=optimizer)
    knobs.apply({}, {"frozen": "0"})
    with pytest.raises(PointError, match="does not hold"):
        knobs.apply({"frozen": "0"}, {"frozen": ""})
    assert knobs.read()["frozen"] == ["0"]


def test_groups_keep_their_ratio_and_betas_are_found() -> None:
    net = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(
        [
            {"params": [net.weight], "lr": 0.1},
            {"params": [net.bias], "lr": 0.01, "weight_decay": 0},
        ],
        weight_decay=0.2,
    )
    knobs = live(model=net, optimizer=optimizer)
    old = {"lr": 0.1, "weight_decay": 0.2, "momentum": 0.9, "beta2": 0.999}
    knobs.apply(old, {"lr": 0.2, "weight_decay": 0.1, "momentum": 0.8, "beta2": 0.99})
    assert shown(knobs.read()) == {
        "lr": (0.2, 0.02),
        "weight_decay": (0.1, 0),
        "momentum": 0.8,
        "beta2": 0.99,
        "frozen": "",
    }
    assert optimizer.param_groups[1]["betas"] == (0.8, 0.99)


def test_a_stubborn_optimizer_is_an_error_and_nothing_changes() -> None:
    class Stubborn:
        def __init__(self) -> None:
            self.groups = [{"lr": 0.1, "params": []}]

        @property
        def param_groups(self) -> list[dict[str, object]]:
            return [dict(group) for group in self.groups]

    with pytest.raises(ReadBackError, match="lr"):
        live(optimizer=Stubborn()).apply({"lr": 0.1}, {"lr": 0.2})


def test_ones_own_parameter() -> None:
    written: list[float] = []
    knobs = live()
    knobs.bind(Own("strength", written.append, None, 0.1))
    knobs.apply({"strength": 0.1}, {"strength": 0.3})
    assert written == [0.3]
    assert knobs.read() == {"strength": [0.3]}
    knobs.bind(Own("strength", lambda value: None, lambda: 0.7, 0.1))
    with pytest.raises(ReadBackError, match=r"0\.7"):
        knobs.apply({"strength": 0.1}, {"strength": 0.3})


@pytest.mark.parametrize("how", ["linear", "cosine", "constant", "cooldown", "one-cycle"])
def test_a_hand_on_the_rate_holds_under_every_shape(how: str) -> None:
    def rates(change: bool) -> list[float]:
        net = nn.Linear(1, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.4)
        run = LiveRun(params={"lr": 0.4}, max_steps=10)
        run.attach(model=net, optimizer=optimizer)
        run.schedule(optimizer, how, warmup=0.2)
        found = []
        for step in run.steps():
            found.append(optimizer.param_groups[0]["lr"])
            if change and step == 4:
                run._live.apply({"lr": 0.4}, {"lr": 0.1})
        return found

    straight, changed = rates(False), rates(True)
    assert changed[:4] == straight[:4]
    assert changed[4:] == pytest.approx([rate / 4 for rate in straight[4:]])
    assert max(straight) <= 0.4 + 1e-12
