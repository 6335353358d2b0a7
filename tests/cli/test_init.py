"""The script that `luthier init` writes tunes as it stands."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import luthier
from luthier.api import Tunable
from luthier.cli import luthier as command
from luthier.cli.starter import script
from luthier.core.domain import Constant, Domain, Float
from luthier.core.errors import OptionError, TargetError
from luthier.core.study import RunState
from luthier.worker.target import load_target

NET = """
import torch
from torch import nn

def build(width=4):
    return nn.Sequential(nn.Linear(5, width), nn.GELU(), nn.Dropout(0.2), nn.Linear(width, 2))

def needs(width): ...
def other(): return 3
SIZE = 4

def load():
    x = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    return x[:48], y[:48], x[48:], y[48:]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> str:
    done = CliRunner().invoke(command, ["init", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_digits_are_tuned(folder: Path) -> None:
    assert "wrote tune_digits.py" in run("--batch-size", "256")
    tunable = load_target(str(folder / "tune_digits.py"))
    assert isinstance(tunable, Tunable)
    lr = tunable.space.domains["lr"]
    assert isinstance(lr, Float)
    assert (lr.low, lr.high) == (1.4e-4, 1.4e-2)
    result = tunable.search(steps=2, workers=1, executor="inline", store=folder / "s.db")
    assert 0.3 < result.best.value <= 1.0
    assert all(r.state is not RunState.FAILED for r in result.view.runs.values())


@pytest.mark.parametrize("view", ["modern", "chapter"])
@pytest.mark.parametrize("optimizer", ["momentum", "adamw"])
def test_the_script_holds_the_recommended_space(view: str, optimizer: str) -> None:
    text = script("x.py", view=view, optimizer=optimizer)
    assert max(map(len, text.splitlines())) <= 100
    scope: dict[str, object] = {}
    exec(text[text.index("SPACE = ") : text.index("def load")], {"luthier": luthier}, scope)
    expected = luthier.recommended(family="cnn", view=view, optimizer=optimizer).domains
    written = {n: d for n, d in expected.items() if f'    # "{n}"' not in text}
    assert scope["SPACE"] == {
        n: d.value if isinstance(d, Constant) else replace_in(d) for n, d in written.items()
    }


def replace_in(domain: Domain) -> Domain:
    """As the script spells it: without category, and with the source as a comment."""
    fields = {k: getattr(domain, k) for k in domain.__dataclass_fields__ if k != "_"}
    fields |= {"category": None, "source": None}
    return type(domain)(**fields)


@pytest.mark.parametrize("optimizer", ["sgd", "adadelta", "nadam"])
def test_a_model_of_ones_own_is_tuned_on_its_own_data(folder: Path, optimizer: str) -> None:
    name = f"net_{optimizer}"
    (folder / f"{name}.py").write_text(NET)
    run(f"{name}.py:build", "--optimizer", optimizer)
    text = (folder / f"tune_{name}.py").read_text()
    assert f"from {name} import build, load" in text
    assert ", mlp, scratch" in text
    tunable = load_target(str(folder / f"tune_{name}.py"))
    result = tunable.search(trials=3, policy="random", executor="inline", store=folder / "s.db")
    assert {run.state for run in result.view.runs.values()} == {RunState.COMPLETED}


def test_a_model_without_data_leaves_a_place_for_it(folder: Path) -> None:
    (folder / "bare.py").write_text(NET.replace("def load", "def private"))
    assert "fill in load()" in run("bare.py:build")
    with pytest.raises(Exception, match="return x_train"):
        load_target(str(folder / "tune_bare.py"))


def test_whatever_is_not_used_is_offered_as_a_comment() -> None:
    text = script("x.py", include=("beta2", "kernel_size"))
    assert '    # "beta2": luthier.Float(0.95, 0.9999' in text
    compile(text, "x.py", "exec")
    warm = script("x.py", family="transformer")
    assert "int(p.warmup * n_batches * MAX_EPOCHS)" in warm
    clipped = script("x.py", family="rnn")
    assert "clip_grad_norm_(model.parameters(), p.max_grad_norm)" in clipped


def test_what_cannot_be_is_refused(folder: Path) -> None:
    (folder / "wrong.py").write_text(NET)
    for target, said in (("wrong.py", "SCRIPT:BUILD"), ("wrong.py:needs", "width"),
                         ("wrong.py:other", "Module"), ("wrong.py:SIZE", "function"),
                         ("wrong.py:absent", "absent")):  # fmt: skip
        with pytest.raises(TargetError, match=said):
            run(target)
    (folder / "tune_wrong.py").write_text("mine")
    with pytest.raises(OptionError, match="there already"):
        run("wrong.py:build")
    assert (folder / "tune_wrong.py").read_text() == "mine"
