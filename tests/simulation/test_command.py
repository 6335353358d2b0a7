"""`luthier simulate` as it is typed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from luthier import Float, tune
from luthier.cli import luthier
from luthier.core.errors import OptionError, StudyError, TableError, UnknownNameError
from luthier.tables import Table
from luthier.worker.run import LiveRun

KEYS = "task policy seed workers anytime r10 r30 r100 decision_ms_p50 decision_ms_p95 peak_mb"


def test_one_json_object_per_search(make_table: Callable[..., Table], tmp_path: Path) -> None:
    make_table(n=40, n_steps=5)
    prior = tmp_path / "prior.toml"
    prior.write_text('optimizer = "sgd"\n[learning_rate]\nprior = 0.01\nconfidence = "low"\n')
    folder, picture = str(tmp_path / "family"), str(tmp_path / "regret.png")
    asked = ["simulate", folder, "--policy", "asha", "--policy", "freeze-thaw", "--seeds", "2",
             "--first-seed", "7", "--budget-runs", "3", "--workers", "2",
             "--prior", str(prior)]  # fmt: skip
    done = CliRunner().invoke(luthier, [*asked, "--json", "-o", picture], catch_exceptions=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["policy"], line["seed"]) for line in lines] == [
        ("asha", 7), ("asha", 8), ("freeze-thaw", 7), ("freeze-thaw", 8)]  # fmt: skip
    assert all(list(line) == KEYS.split() for line in lines)
    assert all(0 <= line["r100"] <= line["r30"] <= line["r10"] <= 1 for line in lines)
    assert Path(picture).stat().st_size > 1000
    words = CliRunner().invoke(luthier, [*asked[:3], "asha", "--seeds", "1"]).output
    assert "family/task" in words


def test_what_is_wrong_is_said(make_table: Callable[..., Table], tmp_path: Path) -> None:
    make_table(n=40, n_steps=5)
    task = str(tmp_path / "family" / "task")
    prior = tmp_path / "prior.json"
    for told, words in (("[1]", "no mapping"), ('{"speed": 1}', "speed"),
                        ('{"width": {"low": 1}}', "expected a value")):  # fmt: skip
        prior.write_text(told)
        with pytest.raises(OptionError, match=words):
            CliRunner().invoke(luthier, ["simulate", task, "--prior", str(prior)],
                               catch_exceptions=False)  # fmt: skip
    with pytest.raises(TableError, match="no table"):
        CliRunner().invoke(luthier, ["simulate", str(tmp_path)], catch_exceptions=False)
    for option, value in (("--seeds", "0"), ("--budget-runs", "nan"), ("--budget-runs", "inf")):
        with pytest.raises(OptionError, match=f"{option} {value}"):
            CliRunner().invoke(luthier, ["simulate", task, option, value], catch_exceptions=False)
    prior.write_text('{"width": 4000}')
    with pytest.raises(OptionError, match="the prior of width: "):
        CliRunner().invoke(luthier, ["simulate", task, "--prior", str(prior)],
                           catch_exceptions=False)  # fmt: skip
    for policy in ("autopilot", "pbt"):
        with pytest.raises(OptionError, match="changes what trains"):
            CliRunner().invoke(luthier, ["simulate", task, "--policy", policy],
                               catch_exceptions=False)  # fmt: skip
    wrong = ["simulate", task, "--policy", "asha", "--policy", "nope", "--json"]
    done = CliRunner().invoke(luthier, wrong)
    assert isinstance(done.exception, UnknownNameError)
    assert not done.stdout, "nothing is simulated before all is known to be right"


def test_each_table_and_policy_once_under_a_name_of_its_own(
    make_table: Callable[..., Table], tmp_path: Path
) -> None:
    make_table(n=40, n_steps=5)
    folder, other = tmp_path / "family", tmp_path / "more" / "family"
    shutil.copytree(folder, other)
    asked = ["simulate", str(folder), str(folder / "task"), str(other), "--policy", "asha",
             "--policy", "asha", "--seeds", "1", "--budget-runs", "1", "--json"]  # fmt: skip
    done = CliRunner().invoke(luthier, asked, catch_exceptions=False)
    tasks = [json.loads(line)["task"] for line in done.stdout.splitlines()]
    assert tasks == ["family/task", str(other / "task")]


def test_auto_is_what_it_chooses(make_table: Callable[..., Table], tmp_path: Path) -> None:
    make_table(n=40, n_steps=1)
    asked = ["simulate", str(tmp_path / "family"), "--seeds", "1", "--budget-runs", "12", "--json",
             "--policy", "auto"]  # fmt: skip
    done = CliRunner().invoke(luthier, asked, catch_exceptions=False)
    assert "auto on family/task: full, tpe: " in done.stderr
    auto = json.loads(done.stdout)
    done = CliRunner().invoke(luthier, [*asked[:-1], "tpe"], catch_exceptions=False)
    assert json.loads(done.stdout)["anytime"] == auto["anytime"]


def test_the_target_is_told(make_table: Callable[..., Table], tmp_path: Path) -> None:
    make_table(n=40, n_steps=5)
    meta = json.loads((tmp_path / "family" / "meta.json").read_text())
    meta["tasks"]["task"]["target"] = 1.0
    (tmp_path / "family" / "meta.json").write_text(json.dumps(meta))
    asked = ["simulate", str(tmp_path / "family"), "--policy", "asha", "--seeds", "2",
             "--budget-runs", "9"]  # fmt: skip
    done = CliRunner().invoke(luthier, asked, catch_exceptions=False)
    assert "asha: target 1 reached in 2 of 2, after" in done.output
    done = CliRunner().invoke(luthier, [*asked, "--json"], catch_exceptions=False)
    assert 0 < json.loads(done.stdout.splitlines()[0])["target_runs"] <= 9


def test_a_study_of_a_store_by_its_name(tmp_path: Path) -> None:
    @tune(minimize="loss", max_steps=3, space={"lr": Float(0.1, 1.0)})
    def train(run: LiveRun) -> None:
        for step in run.steps():
            run.report(loss=run.params.lr / step)

    path = tmp_path / "my.db"
    for name in ("one", "two"):
        train.search(trials=5, name=name, policy="full", executor="inline", store=path)
    asked = ["--policy", "asha", "--seeds", "1", "--budget-runs", "1"]
    said = CliRunner().invoke(luthier, ["simulate", str(path / "one"), *asked]).output
    assert "one\n" in said
    assert "1 seed; budget 1 full run, 1 worker" in said
    with pytest.raises(StudyError, match="three"):
        CliRunner().invoke(luthier, ["simulate", str(path / "three"), *asked],
                           catch_exceptions=False)  # fmt: skip
