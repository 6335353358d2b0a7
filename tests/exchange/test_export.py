"""What is written for other tools is what those tools read back."""

import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import luthier
from luthier.api import StudyResult, open_study
from luthier.cli import luthier as command
from luthier.core.errors import OptionError
from luthier.curve_files import read_curves
from luthier.exchange.tables import write_tables
from luthier.exchange.tensorboard import write_events

VALUES = (0.9, math.nan, math.inf, 0.4)


@pytest.fixture
def study(tmp_path: Path) -> StudyResult:
    store = tmp_path / "s.db"
    asked = luthier.create(
        space={"lr": luthier.Float(1e-4, 1.0, log=True), "kernel": luthier.Choice(3, "auto", None),
               "layers": luthier.Choice((8,), (8, 8))},
        minimize="loss", max_steps=4, trials=3, store=store, name="s", policy="random",
    )  # fmt: skip
    for number in range(3):
        task = asked.ask()
        assert task is not None
        for step, value in enumerate(VALUES, start=1):
            asked.report(task, step, loss=value + number, accuracy=1.0 / step)
        asked.tell(task)
    asked.close()
    return open_study(store, "s")


def run(*args: str) -> str:
    done = CliRunner().invoke(command, ["export", *args], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_hold_every_report_and_every_trial(
    form: str, study: StudyResult, tmp_path: Path
) -> None:
    import pandas as pd

    run("s", "-o", str(tmp_path / "out"), "--format", form, "--store", str(study.store.path))
    read = pd.read_csv if form == "csv" else pd.read_parquet
    curves = read(tmp_path / "out" / f"curves.{form}")
    assert list(curves.columns) == ["trial", "run", "metric", "step", "value"]
    assert len(curves) == 3 * 4 * 2
    loss = curves[(curves.trial == 0) & (curves.metric == "loss")]
    assert np.array_equal(loss["value"].to_numpy(float), VALUES, equal_nan=True)
    trials = read(tmp_path / "out" / f"trials.{form}")
    assert trials["trial"].tolist() == [0, 1, 2]
    assert trials["loss"].tolist() == pytest.approx([0.4, 1.4, 2.4])
    lr = [study.view.trials[n].params["lr"] for n in range(3)]
    assert trials["params.lr"].tolist() == lr


def test_csv_comes_back_through_our_own_reader(study: StudyResult, tmp_path: Path) -> None:
    _, curves = write_tables(study.store, tmp_path / "out", "csv")
    lines = curves.read_text().splitlines()
    assert lines[2].endswith(",2.0,nan")  # no empty cell: that would be no report
    one_run = tmp_path / "one.csv"
    one_run.write_text("\n".join([lines[0], *(row for row in lines if row.startswith("0,"))]))
    back = read_curves(one_run)
    assert np.array_equal(back["loss"].values, VALUES, equal_nan=True)


def test_event_files_come_back_through_both_readers(study: StudyResult, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    told = run("s", "-o", str(tmp_path / "tb"), "--format", "tensorboard", "--store",
               str(study.store.path))  # fmt: skip
    assert "wrote 3 files" in told or told.count("wrote") == 3
    events = EventAccumulator(str(tmp_path / "tb" / "1.0"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"loss", "accuracy"}
    values = [event.value for event in events.Scalars("loss")]
    expected = np.float32([value + 1 for value in VALUES])
    assert np.array_equal(values, expected, equal_nan=True)
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3, 4]
    tag = "_hparams_/session_start_info"
    plugin = events.SummaryMetadata(tag).plugin_data.content
    params = HParamsPluginData.FromString(plugin).session_start_info.hparams
    assert params["lr"].number_value == study.view.trials[1].params["lr"]
    back = read_curves(tmp_path / "tb" / "1.0")
    assert np.array_equal(back["loss"].values, expected, equal_nan=True)
    done = CliRunner().invoke(command, ["diagnose", str(tmp_path / "tb" / "1.0")])
    assert done.exit_code == 0, done.output
    assert set(read_curves(tmp_path / "tb")) >= {"0.0/loss", "2.0/accuracy"}


def test_reports_between_steps_are_left_out_of_event_files_and_told(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    asked = luthier.create(space={"x": luthier.Float(0, 1)}, minimize="loss", max_steps=2,
                           trials=1, store=tmp_path / "s.db")  # fmt: skip
    task = asked.ask()
    assert task is not None
    for step in (0.5, 1.0, 1.5, 2.0):
        asked.report(task, step, loss=step)
    asked.tell(task)
    asked.close()
    files, told = write_events(open_study(tmp_path / "s.db").store, tmp_path / "tb")
    assert read_curves(files[0])["loss"].steps.tolist() == [1.0, 2.0]
    assert told.startswith("2 reports")


def test_one_file_for_the_trials_alone_and_bad_outputs(study: StudyResult, tmp_path: Path) -> None:
    store = str(study.store.path)
    run("s", "-o", str(tmp_path / "trials.csv"), "--store", store)
    assert (tmp_path / "trials.csv").read_text().startswith("trial,run,state,step,loss")
    with pytest.raises(OptionError, match="expected a folder"):
        run("s", "-o", str(tmp_path / "a.csv"), "--format", "tensorboard", "--store", store)
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="cannot be written"):
        run("s", "-o", str(tmp_path / "file" / "out"), "--store", store)
