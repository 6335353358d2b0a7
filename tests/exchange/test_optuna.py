"""Real Optuna storages come in whole, or say what could not be kept."""

import json
import math
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

optuna = pytest.importorskip("optuna")

from luthier.api import open_study  # noqa: E402
from luthier.cli import luthier as command  # noqa: E402
from luthier.core.domain import Choice, Constant, Float, Int  # noqa: E402
from luthier.core.errors import OptionError, StudyError  # noqa: E402
from luthier.core.study import RunState  # noqa: E402
from luthier.exchange.optuna_study import import_optuna  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of Optuna's experimental parts


def objective(trial: Any) -> float:
    lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
    trial.suggest_int("width", 16, 256, step=16)
    trial.suggest_int("depth", 1, 64, log=True)
    trial.suggest_float("dropout", 0.0, 0.5, step=0.25)
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adam", None])
    trial.suggest_categorical("nesterov", [True, False])
    if optimizer == "sgd":
        trial.suggest_float("momentum", 0.5, 0.99)
    trial.suggest_float("fixed", 2.0, 2.0)
    value = math.nan
    for epoch in range(8):
        value = (math.log10(lr) + 3) ** 2 + 1.0 / (epoch + 1)
        trial.report(value, epoch)
        if trial.number == 4:
            raise ValueError("the disk is full")
        if epoch >= 2 and value > 3.0:
            raise optuna.TrialPruned
    trial.set_user_attr("n_params", 1234)
    trial.set_user_attr("commit", "abc")
    return value


@pytest.fixture(scope="module")
def filled() -> Any:
    """In memory: a file costs an fsync per report."""
    study = optuna.create_study(study_name="nets", sampler=optuna.samplers.RandomSampler(seed=1))
    study.set_metric_names(["val_loss"])
    study.optimize(objective, n_trials=20, catch=(ValueError,))
    study.ask()  # stays RUNNING
    study.enqueue_trial({"lr": 1e-3})  # stays WAITING
    return study


@pytest.fixture(scope="module")
def journal(filled: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "study.log"
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    copy(filled, optuna.storages.JournalStorage(backend))
    return path


@pytest.fixture(scope="module")
def database(filled: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "study.db"
    copy(filled, f"sqlite:///{path}")
    return path


def copy(study: Any, storage: Any, name: str | None = None) -> None:
    optuna.copy_study(
        from_study_name=study.study_name, from_storage=study._storage, to_storage=storage,
        to_study_name=name,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["url", "file", "journal"])
def test_every_trial_comes_in_as_it_was(
    kind: str, filled: Any, journal: Path, database: Path, tmp_path: Path
) -> None:
    file = journal if kind == "journal" else database
    before = file.read_bytes()
    place = f"sqlite:///{file}" if kind == "url" else str(file)
    (imported,) = import_optuna(place, tmp_path / "l.db")
    assert file.read_bytes() == before
    assert imported.n_trials == 21
    result = open_study(tmp_path / "l.db", "nets")
    view = result.view
    assert (view.study.metric, view.study.goal, view.study.max_steps) == ("val_loss", "minimize", 7)
    states = {"COMPLETE": RunState.COMPLETED, "PRUNED": RunState.STOPPED,
              "FAIL": RunState.FAILED, "RUNNING": RunState.LOST}  # fmt: skip
    seen = set()
    for trial in filled.get_trials():
        if trial.state.name == "WAITING":
            assert trial.number not in view.trials
            continue
        run = view.current()[trial.number]
        seen.add(run.state)
        assert run.state is states[trial.state.name]
        assert dict(run.params) == trial.params
        assert run.curve.steps.tolist() == sorted(trial.intermediate_values)
        assert run.curve.values.tolist() == [
            v for _, v in sorted(trial.intermediate_values.items())
        ]
        if trial.state.name == "COMPLETE":
            assert run.train_s == pytest.approx(trial.duration.total_seconds(), abs=1e-5)
            assert result.store.metrics(run.id)["n_params"].last == 1234
    assert seen == set(states.values())
    assert result.best.run.trial == filled.best_trial.number
    assert result.best.value == filled.best_value
    assert result.store.recipe["imported"]["trial_attributes"]
    for told in ("waiting", "step 0.25", "momentum: only some trials", "commit"):
        assert any(told in words for words in imported.told), told


def test_space_has_scales_steps_and_conditions(database: Path, tmp_path: Path) -> None:
    import_optuna(str(database), tmp_path / "l.db")
    domains = open_study(tmp_path / "l.db").view.study.space.domains
    lr, width, depth = domains["lr"], domains["width"], domains["depth"]
    assert isinstance(lr, Float)
    assert (lr.low, lr.high, lr.log) == (1e-5, 1e-1, True)
    assert isinstance(width, Int)
    assert (width.low, width.high, width.step, width.log) == (16, 256, 16, False)
    assert isinstance(depth, Int)
    assert (depth.low, depth.high, depth.log) == (1, 64, True)
    assert isinstance(domains["optimizer"], Choice)
    assert domains["optimizer"].options == ("sgd", "adam", None)
    assert isinstance(domains["nesterov"], Choice)
    assert domains["nesterov"].options == (True, False)
    assert domains["momentum"].when == {"optimizer": ["sgd"]}
    assert domains["lr"].when is None
    assert isinstance(domains["fixed"], Constant)


def test_numbers_that_are_none_directions_and_finals_without_a_curve(tmp_path: Path) -> None:
    place = str(tmp_path / "study.db")
    storage = f"sqlite:///{place}"
    study = optuna.create_study(storage=storage, study_name="up", direction="maximize")
    for x, value in ((0.1, math.inf), (0.2, 0.5), (0.3, 0.9), (0.4, -math.inf)):
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        study._storage.set_trial_param(
            trial._trial_id, "x", x, optuna.distributions.FloatDistribution(0, 1)
        )
        study.tell(trial, value)
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    for step, value in enumerate((0.1, math.nan, math.inf, -math.inf, 0.2)):
        trial.report(value, step)
    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    import_optuna(place, tmp_path / "l.db")
    result = open_study(tmp_path / "l.db")
    runs = result.view.current()
    assert result.view.study.goal == "maximize"
    assert [float(-runs[n].curve.last) for n in range(4)] == [math.inf, 0.5, 0.9, -math.inf]
    assert runs[1].curve.steps.tolist() == [1.0]
    kept = result.store.metrics("4.0")["value"].values
    assert np.array_equal(kept, [0.1, math.nan, math.inf, -math.inf, 0.2], equal_nan=True)
    assert result.best.value == 0.9


def test_ranges_that_moved_and_enqueued_outsiders_widen_the_space(tmp_path: Path) -> None:
    place = str(tmp_path / "study.db")
    storage = f"sqlite:///{place}"
    study = optuna.create_study(storage=storage, study_name="moved")
    study.enqueue_trial({"x": 50.0, "n": 5})

    def moving(trial: Any) -> float:
        n = trial.suggest_int("n", 0, 8 + 2 * trial.number, step=2)
        return float(trial.suggest_float("x", 0.0, 1.0 + trial.number) + n)

    study.optimize(moving, n_trials=6)
    (imported,) = import_optuna(place, tmp_path / "l.db")
    domains = open_study(tmp_path / "l.db").view.study.space.domains
    x, n = domains["x"], domains["n"]
    assert isinstance(x, Float)
    assert (x.low, x.high) == (0.0, 50.0)
    assert isinstance(n, Int)
    assert (n.low, n.high, n.step) == (0, 18, 1)  # 5 lies on no grid of 2
    assert any("x: its range changed" in words for words in imported.told)


def test_another_quantity_in_the_reports_is_kept_apart(tmp_path: Path) -> None:
    place = str(tmp_path / "study.db")
    storage = f"sqlite:///{place}"
    study = optuna.create_study(storage=storage, study_name="acc", direction="maximize")

    def losses_then_accuracy(trial: Any) -> float:
        x = trial.suggest_float("x", 0, 1)
        for step in range(1, 4):
            trial.report(10.0 + x / step, step)
        return float(x)

    study.optimize(losses_then_accuracy, n_trials=5)
    (imported,) = import_optuna(place, tmp_path / "l.db")
    result = open_study(tmp_path / "l.db")
    assert result.best.value == study.best_value
    assert result.best.step == 3
    assert len(result.store.metrics("0.0")["intermediate"]) == 3
    assert any("'intermediate'" in words for words in imported.told)


def test_the_best_step_may_belong_to_another_trial_and_that_is_told(tmp_path: Path) -> None:
    place = str(tmp_path / "study.db")
    storage = f"sqlite:///{place}"
    study = optuna.create_study(storage=storage, study_name="dip")
    for values in ((0.5, 0.1, 0.6), (0.5, 0.4, 0.3)):
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        for step, value in enumerate(values):
            trial.report(value, step)
        study.tell(trial, values[-1])
    (imported,) = import_optuna(place, tmp_path / "l.db")
    assert open_study(tmp_path / "l.db").best.run.trial == 0
    assert any("by its final value is trial 1 (0.3)" in words for words in imported.told)


def test_several_studies_several_objectives_and_taken_names(tmp_path: Path) -> None:
    place = str(tmp_path / "study.db")
    storage = f"sqlite:///{place}"
    optuna.create_study(storage=storage, study_name="a/b")
    optuna.create_study(storage=storage, study_name="both", directions=["minimize", "maximize"])
    optuna.create_study(storage=storage, study_name="empty")
    imported = import_optuna(place, tmp_path / "l.db")
    assert [one.name for one in imported] == ["a-b", "empty", "both"]
    assert "several objectives" in imported[-1].told[0]
    with pytest.raises(OptionError, match="several objectives"):
        import_optuna(place, tmp_path / "m.db", "both")
    with pytest.raises(StudyError, match="already"):
        import_optuna(place, tmp_path / "l.db")
    (again,) = import_optuna(place, tmp_path / "l.db", "a/b", "again")
    assert again.name == "again"
    with pytest.raises(OptionError, match="no study 'none'"):
        import_optuna(place, tmp_path / "l.db", "none")


def test_what_is_no_storage_is_told_and_not_touched(tmp_path: Path) -> None:
    ours = tmp_path / "other.db"
    with sqlite3.connect(ours) as connection:
        connection.execute("CREATE TABLE run (x)")
    connection.close()
    text = tmp_path / "notes.txt"
    text.write_text("hello\n")
    for place, words in ((ours, "no studies of Optuna"), (text, "neither"),
                         (tmp_path / "none.db", "not there"),
                         (f"sqlite:///{tmp_path}/none.db", "not there"),
                         ("nonsense://me:secret@host/db", "nonsense://host/db")):  # fmt: skip
        with pytest.raises(OptionError, match=words):
            import_optuna(str(place), tmp_path / "l.db")
    assert not (tmp_path / "none.db").exists()
    assert not (tmp_path / "l.db").exists()


def test_a_file_of_an_older_optuna(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with sqlite3.connect(old) as connection:  # written by Optuna 2.10.1
        connection.executescript((Path(__file__).parent / "optuna-2.10.sql").read_text())
    connection.close()
    before = old.read_bytes()
    (imported,) = import_optuna(str(old), tmp_path / "l.db")
    assert old.read_bytes() == before
    view = open_study(tmp_path / "l.db", "oldie").view
    assert imported.n_trials == len(view.trials) == 6
    x, d = view.study.space.domains["x"], view.study.space.domains["d"]
    assert isinstance(x, Float)
    assert (x.low, x.high, x.log) == (1e-4, 1.0, True)
    assert isinstance(d, Float)
    for run in view.runs.values():
        assert run.curve.values.tolist() == pytest.approx([run.params["x"] + i for i in range(3)])


def test_from_the_command_line_to_ls_show_and_best(
    filled: Any, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> str:
        done = CliRunner().invoke(command, args, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    assert "nets: 21 trials" in run("import", "optuna", f"sqlite:///{database}")
    assert "imported from Optuna" in run("ls")
    shown = json.loads(run("show", "nets", "--json"))
    assert len(shown["trials"]) == 21
    best = json.loads(run("best", "nets", "--json"))
    assert best["trial"] == filled.best_trial.number
    assert "pruned in Optuna" in run("what-if", "nets")
    assert "asha" in run("simulate", "luthier.db", "--policy", "asha", "--budget-runs", "2",
                         "--seeds", "1")  # fmt: skip
    assert "Study nets" in (Path(run("report", "-o", "r.html").split()[1])).read_text()
    told = run("show", "nets/4")
    assert "failed in Optuna" in told
