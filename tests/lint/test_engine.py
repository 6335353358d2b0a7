"""Suppression, reports, exit codes, and the look before a study."""

import itertools
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from luthier.api import Tunable
from luthier.cli import luthier
from luthier.core.errors import LintError, OptionError, TrainingError
from luthier.worker.target import load_target

_NUMBER = itertools.count()
HEAD = "import torch\nfrom torch import nn\nimport luthier\n"
BROKEN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(8, 8)
        self.drop = nn.Dropout(0.5){comment}
        self.norm = nn.BatchNorm1d(8)
    def forward(self, x):
        return self.norm(self.drop(self.body(x)))
def build(width=8):
    return Net(), torch.randn(32, 8)
"""
STUDY = """
@luthier.tune(minimize="loss", space={"width": luthier.Int(4, 8), "lr": luthier.Float(1e-4, 1e-1)})
def train(run):
    run.report(loss=run.params.lr)
"""


def script(folder: Path, *parts: str) -> Path:
    path = folder / f"net_{next(_NUMBER)}.py"  # two modules of one process differ in name
    path.write_text(HEAD + "".join(map(textwrap.dedent, parts)))
    return path


def test_found_and_exit_code(tmp_path: Path) -> None:
    path = script(tmp_path, BROKEN.format(comment=""))
    done = CliRunner().invoke(luthier, ["lint", f"{path}:build"])
    assert done.exit_code == 1
    assert "error L05 dropout-before-batch-norm  drop" in done.output
    assert f"{path}:9" in done.output
    assert max(len(line) for line in done.output.splitlines() if line.startswith(" ")) <= 100


@pytest.mark.parametrize(
    "comment",
    ["  # luthier: ignore[L05] measured, no harm", "  # luthier: ignore[L01, L05] both"],
)
def test_ignored_on_its_line(tmp_path: Path, comment: str) -> None:
    path = script(tmp_path, BROKEN.format(comment=comment))
    done = CliRunner().invoke(luthier, ["lint", f"{path}:build"])
    assert done.exit_code == 0
    assert "1 ignored" in done.output


def test_ignored_by_a_comment_above_and_by_option(tmp_path: Path) -> None:
    source = BROKEN.format(comment="").replace(
        "        self.drop", "        # luthier: ignore[L05] measured\n        self.drop"
    )
    path = script(tmp_path, source)
    assert CliRunner().invoke(luthier, ["lint", f"{path}:build"]).exit_code == 0
    other = tmp_path / "other"
    other.mkdir()
    path = script(other, BROKEN.format(comment="  # luthier: ignore[L06] another rule"))
    assert CliRunner().invoke(luthier, ["lint", f"{path}:build"]).exit_code == 1
    assert CliRunner().invoke(luthier, ["lint", f"{path}:build", "--ignore", "l05"]).exit_code == 0


def test_json_and_github(tmp_path: Path) -> None:
    path = script(tmp_path, BROKEN.format(comment=""))
    done = CliRunner().invoke(luthier, ["lint", f"{path}:build", "--json", "--lang", "zh"])
    data = json.loads(done.output)
    (found,) = [row for row in data["findings"] if row["rule"] == "L05"]
    assert (found["severity"], found["module"], found["line"]) == ("error", "drop", 9)
    assert found["evidence"]["p"] == 0.5
    assert any("\u4e00" <= c <= "\u9fff" for c in found["fix"])
    assert "loader" in data["unchecked"]["L12"]
    done = CliRunner().invoke(luthier, ["lint", f"{path}:build", "--format", "github"])
    assert f"::error file={path},line=9,title=L05 dropout-before-batch-norm::drop" in done.output


def test_build_takes_arguments_from_the_space(tmp_path: Path) -> None:
    source = BROKEN.format(comment="").replace("width=8", "width")
    path = script(tmp_path, source, STUDY)
    assert CliRunner().invoke(luthier, ["lint", str(path)]).exit_code == 1
    done = CliRunner().invoke(luthier, ["lint", f"{path}:build"])
    assert "L05" in done.output


def test_a_study_stops_at_an_error_unless_told_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = script(tmp_path, BROKEN.format(comment=""), STUDY)
    train = load_target(str(path))
    assert isinstance(train, Tunable)
    options = {"trials": 2, "executor": "inline", "workers": 1, "store": tmp_path / "s.db"}
    with pytest.raises(LintError, match="L05"):
        train.search(**options)  # type: ignore[arg-type]
    said = capsys.readouterr().err
    assert ".py:9: error L05 drop: drop → norm (p=0.5)" in said
    assert "L69" in said
    assert not (tmp_path / "s.db").exists()
    assert len(train.search(lint=False, **options).view.trials) == 2  # type: ignore[arg-type]


def test_a_build_that_fails_stops_no_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = script(tmp_path, "def build():\n    raise RuntimeError('no')\n", STUDY)
    train = load_target(str(path))
    train.search(trials=1, executor="inline", workers=1, store=tmp_path / "s.db")
    assert "L69" in capsys.readouterr().err
    done = CliRunner().invoke(luthier, ["lint", str(path)])
    assert "build() raised RuntimeError: no" in done.output


def test_a_study_without_torch_does_not_load_it(tmp_path: Path) -> None:
    path = tmp_path / "plain.py"
    path.write_text("import luthier\n" + textwrap.dedent(STUDY))
    program = (
        "import sys; from luthier.worker.target import load_target\n"
        f"t = load_target({str(path)!r})\n"
        f"t.search(trials=1, executor='inline', workers=1, store={str(tmp_path / 's.db')!r})\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
    assert "L69" in done.stderr


def test_a_batch_that_the_model_cannot_take_is_an_error(tmp_path: Path) -> None:
    path = script(tmp_path, "def build():\n    return nn.Linear(4, 4), torch.randn(2, 8)\n")
    for more in ([], ["--format", "github"]):
        done = CliRunner().invoke(luthier, ["lint", f"{path}:build", *more])
        assert done.exit_code == 1
        assert "error: the trial step" in done.output or "::error" in done.output
        assert "shapes cannot be multiplied" in " ".join(done.output.split())


def test_a_training_function_is_run_up_to_its_loop(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        @luthier.tune(minimize="loss", max_steps=3,
                      space={"lr": luthier.Float(1e-1, 1.0, log=True, prior=0.5)})
        def train(run):
            torch.manual_seed(run.seed)
            net = nn.Linear(8, 4)
            net.soft = nn.Softmax()
            optimizer = torch.optim.Adam(net.parameters(), lr=run.params.lr)
            run.attach(model=net, optimizer=optimizer)
            for _ in run.steps():
                raise RuntimeError("a step was taken")
        """,
    )
    done = CliRunner().invoke(luthier, ["lint", f"{path}:train"])
    assert ".py:11: warning L23 rate-outside-interval" in done.output
    assert ".py:10: warning L20" in done.output
    assert luthier_run_is_free()
    data = CliRunner().invoke(luthier, ["inspect", f"{path}:train", "--json"]).output
    assert {
        "name": "lr",
        "value": "0.5",
        "category": "optimization",
        "where": "Adam",
    } in json.loads(data)["knobs"]


def luthier_run_is_free() -> bool:
    from luthier.worker.run import LiveRun, current_run

    return isinstance(current_run(), LiveRun)


def test_a_training_that_attaches_nothing(tmp_path: Path) -> None:
    path = script(tmp_path, STUDY.replace("run.report", "list(run.steps()); run.report"))
    done = CliRunner().invoke(luthier, ["lint", f"{path}:train"])
    assert "attached nothing before its loop" in done.output
    assert "L69" in done.output


def test_noise_stands_for_a_missing_batch(tmp_path: Path) -> None:
    source = BROKEN.format(comment="").replace("return Net(), torch.randn(32, 8)", "return Net()")
    path = script(tmp_path, source)
    done = CliRunner().invoke(luthier, ["lint", f"{path}:build"])
    assert "error L05" in done.output
    assert "ran on noise of 4x8" in done.output
    assert "L11" not in done.output  # the size of the noise says nothing of the training


def test_a_data_set_that_fails_stops_no_study(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        from torch.utils.data import DataLoader, Dataset
        class Gone(Dataset):
            def __len__(self): return 8
            def __getitem__(self, index): raise OSError("the disk is gone")
        def build():
            return {"model": nn.Linear(8, 4), "batch": torch.randn(4, 8),
                    "loader": DataLoader(Gone(), batch_size=4)}
        """,
    )
    done = CliRunner().invoke(luthier, ["lint", f"{path}:build"])
    assert "L68 could not be asked: OSError: the disk is gone" in done.output
    assert "L39" in done.output


def test_a_call_without_gradients_beside_a_backward_pass_may_be_meant(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        def train(generator, critic, loader):
            torch.manual_seed(0)
            optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3)
            other = torch.optim.Adam(generator.parameters(), lr=1e-3)
            for noise in loader:
                with torch.no_grad():
                    made = generator(noise)
                optimizer.zero_grad()
                critic(made).mean().backward()
                optimizer.step()
        """,
    )
    done = CliRunner().invoke(luthier, ["lint", str(path)])
    assert done.exit_code == 0
    assert "warning L36" in done.output


@pytest.mark.parametrize("command", ["lint", "inspect"])
def test_an_error_of_build_comes_with_its_own_traceback(tmp_path: Path, command: str) -> None:
    path = script(tmp_path, "def build():\n    return nn.Linear(4, width)\n")
    done = CliRunner().invoke(luthier, [command, f"{path}:build"])
    assert isinstance(done.exception, TrainingError)
    assert "NameError: name 'width' is not defined" in str(done.exception)
    assert "return nn.Linear(4, width)" in done.exception.trace
    assert "build_subject" not in done.exception.trace


def test_a_rule_that_there_is_not_cannot_be_ignored(tmp_path: Path) -> None:
    path = script(tmp_path, BROKEN.format(comment=""))
    with pytest.raises(OptionError, match="no rule L5 to ignore"):
        CliRunner().invoke(
            luthier, ["lint", f"{path}:build", "--ignore", "L5"], catch_exceptions=False
        )


def test_the_middle_of_a_range_is_no_rate_that_anyone_stated(tmp_path: Path) -> None:
    code = """
        @luthier.tune(minimize="loss", max_steps=3, space={{"lr": luthier.Float(1e-7, 1e-5, {}log=True)}})
        def train(run):
            model = nn.Linear(8, 4)
            run.attach(model=model, optimizer=torch.optim.Adam(model.parameters(), lr=run.params.lr))
            for _ in run.steps():
                run.report(loss=1.0)
    """  # noqa: E501
    for prior, found in (("", False), ("prior=1e-6, ", True)):
        path = script(tmp_path, code.format(prior))
        done = CliRunner().invoke(luthier, ["lint", f"{path}:train"])
        assert ("L23" in done.output) is found, done.output
