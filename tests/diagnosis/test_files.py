"""`luthier diagnose FILE` on curves that others wrote."""

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from luthier.cli import luthier as command
from luthier.core.errors import OptionError
from luthier.curve_files import read_curves

STEPS = range(1, 41)


def train_loss(step: int) -> float:
    return 2.2 * math.exp(-step / 8)


def val_loss(step: int) -> float:
    return 2.2 * math.exp(-step / 6) + 0.3 + 0.012 * max(0, step - 14)


def wide(path: Path) -> Path:
    rows = [f"{s},{train_loss(s)},{val_loss(s)}" for s in STEPS]
    path.write_text("\n".join(["epoch,train_loss,val_loss", *rows]))
    return path


def diagnose(*args: str) -> str:
    result = CliRunner().invoke(command, ["diagnose", *args], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_wide_and_long_tables_and_json_lines_say_the_same(tmp_path: Path) -> None:
    long = tmp_path / "long.tsv"
    long.write_text("\n".join(
        ["step\tmetric\tvalue"]
        + [f"{s}\t{m.__name__}\t{m(s)}" for s in STEPS for m in (train_loss, val_loss)]
    ))  # fmt: skip
    lines = tmp_path / "lines.jsonl"
    lines.write_text("\n".join(
        json.dumps({"step": s, "train_loss": train_loss(s), "val_loss": val_loss(s), "note": "x"})
        for s in STEPS))  # fmt: skip
    told = {diagnose(str(path)) for path in (wide(tmp_path / "wide.csv"), long, lines)}
    assert len(told) == 1
    assert told.pop().startswith("D12 overfitting")


def test_both_languages_and_json(tmp_path: Path) -> None:
    path = str(wide(tmp_path / "a.csv"))
    assert "过拟合" not in diagnose(path)
    zh = diagnose(path, "--lang", "zh")
    assert "警告" in zh
    assert "泛化" in zh
    data = json.loads(diagnose(path, "--json"))
    assert data["findings"][0]["id"] == "D12"
    assert data["findings"][0]["remedies"][0]["name"] == "weight_decay"
    assert data["generalization"]["side"] == "regularize"
    assert not data["healthy"]


def test_numbers_that_are_none_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "nan.csv"
    path.write_text("train_loss\n" + "\n".join(["2.3", "2.1", "1.9", "nan", "nan"]))
    curves = read_curves(path)
    assert list(curves["train_loss"].steps) == [1, 2, 3, 4, 5]
    assert math.isnan(curves["train_loss"].last)
    assert "D01 nonfinite" in diagnose(str(path))
    path.write_text("step,train_loss,val_loss\n2,1.0,\n1,2.0,3.0\n")
    assert list(read_curves(path)["train_loss"].values) == [2.0, 1.0]
    assert list(read_curves(path)["val_loss"].steps) == [1]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [("a.csv", "", "no numbers"), ("a.jsonl", "{", "no JSON"), ("a.json", "[1]", "an object"),
     ("missing.csv", None, "is not there"),
     ("runs.csv", "run,step,loss\n0.0,1,2.0\n1.0,1,3.0\n", "curves of several runs")],
)  # fmt: skip
def test_what_cannot_be_read(tmp_path: Path, name: str, text: str | None, told: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(OptionError, match=told):
        read_curves(path)


def test_event_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(tmp_path / "run"))
    for step in STEPS:
        writer.add_scalar("loss/train", train_loss(step), step)
        writer.add_scalar("loss/val", val_loss(step), step)
    writer.close()
    assert set(read_curves(tmp_path)) == {"loss/train", "loss/val"}
    assert diagnose(str(tmp_path)).startswith("D12 overfitting")


def test_no_event_files(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="event files"):
        read_curves(tmp_path)
