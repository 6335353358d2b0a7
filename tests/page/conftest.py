"""A small real study, trained once for all tests of the server."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import luthier
from luthier.page.app import make_app
from luthier.page.keys import Keys

STUDY = "<script>alert(1)"
SPACE = {
    "lr": luthier.Float(1e-4, 1.0, log=True, live=True),
    "width": luthier.Int(4, 64),
    "kind": luthier.Choice("<b>a</b>", "b b", (1, 2)),
    "extra": luthier.Float(0, 1, when={"kind": "b b"}),
}


class Counter:
    """The smallest thing with state."""

    def __init__(self) -> None:
        self.n = 0

    def state_dict(self) -> dict[str, int]:
        return {"n": self.n}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.n = state["n"]


@luthier.tune(minimize="val_loss", max_steps=9, space=SPACE)
def train(run: luthier.LiveRun) -> None:
    counter = Counter()
    run.attach(counter=counter)
    for step in run.steps():
        counter.n += 1
        loss = (math.log10(run.params.lr) + 2) ** 2 + 1 / counter.n
        if run.trial == 3 and step > 4:
            loss = (math.nan, math.inf, -math.inf)[step % 3]
        if run.trial == 5 and step == 2:
            raise ValueError("</script> is no number")
        run.report(val_loss=loss, train_loss=loss / 2, odd=math.nan)


def make_store(folder: Path, *, trials: int = 16) -> Path:
    """A store with one finished study, a change and a rollback by hand in one of its runs."""
    path = folder / "luthier.db"
    train.search(
        trials=trials, policy="asha", executor="inline", store=path, name=STUDY, lint=False
    )
    result = luthier.open(path, STUDY)
    paused = next(run for run in result.view.runs.values() if run.state == "paused")
    hand = result.run(paused.id)
    assert hand.change(lr=0.5, because="<img src=x>").wait(5) is not None
    checkpoint = hand.run.checkpoints[-1]
    hand.roll_back(checkpoint.step, lr=0.25).wait(5)
    return path


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store; not to be written to."""
    return make_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def cut_short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The owner of a study whose fourth run was paused in the middle, when it gave NaN."""
    path = tmp_path_factory.mktemp("cut") / "luthier.db"
    train.search(steps=34, policy="full", executor="inline", store=path, name=STUDY, lint=False)
    with client_of(path, "owner") as client:
        yield client


def client_of(path: Path, role: str | None) -> TestClient:
    """A browser that has opened the link of that role."""
    keys = Keys.beside(path)
    client = TestClient(make_app(path, keys, "127.0.0.1"), base_url="http://127.0.0.1:8765")
    if role is not None:
        client.cookies.set(keys.cookie, keys.token(role))  # type: ignore[arg-type]
    return client


@pytest.fixture(scope="session")
def owner(store: Path) -> Iterator[TestClient]:
    """Who may act."""
    with client_of(store, "owner") as client:
        yield client


@pytest.fixture(scope="session")
def viewer(store: Path) -> Iterator[TestClient]:
    """Who may look."""
    with client_of(store, "viewer") as client:
        yield client
