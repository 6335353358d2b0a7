"""Reading tables, and what ragged, conditional and diverged rows mean."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from luthier.core.curve import Curve
from luthier.core.domain import Choice, Float, Int
from luthier.core.errors import TableError
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.table_folder import load_table, tables_of
from luthier.tables import Table, table_of_study

RATE = {"rate": {"kind": "float", "low": 0.0, "high": 1.0, "log": False}}


def test_space_points_and_clock(make_table: Callable[..., Table]) -> None:
    table = make_table(n=60, n_steps=9)
    assert table.max_steps == 9, "what stood before the training is left out"
    domains = table.space.domains
    assert isinstance(domains["learning_rate"], Float)
    assert domains["learning_rate"].log
    assert isinstance(domains["width"], Int)
    assert isinstance(domains["optimizer"], Choice)
    assert domains["momentum"].when == {"optimizer": ["sgd"]}
    for number, point in enumerate(table.points):
        assert ("momentum" in point) == (point["optimizer"] == "sgd")
        assert table.find(dict(reversed(point.items()))) == number
        assert table.space.cast(point) == point
    widths = np.array([point["width"] for point in table.points])
    np.testing.assert_allclose(table.step_s[:, 3], widths / 64.0, rtol=1e-6)


def test_rows_that_stop_short(write_table: Callable[..., Path]) -> None:
    nan = np.nan
    losses = np.array([
        [3.0, 2.0, 1.0, 0.5],  # whole
        [3.0, nan, 1.0, 1.5],  # a step without a report
        [3.0, 9.0, nan, nan],  # stops with a bad value: diverged
        [3.0, 0.4, nan, nan],  # stops with a good one: was planned that short
        [nan, nan, nan, nan],  # never a number
        [3.0, np.inf, np.inf, np.inf],
    ])  # fmt: skip
    arrays = {"hp:rate": np.linspace(0, 1, 6), "y:loss": losses}
    table = load_table(write_table(RATE, arrays), "task")
    assert table.n_steps.tolist() == [4, 4, 3, 2, 1, 2]
    assert table.diverged.tolist() == [False, False, True, False, True, True]
    said = load_table(write_table(RATE, arrays, stops_short="ended"), "task")
    assert said.diverged.tolist() == [False, False, False, False, True, False]
    assert said.n_steps.tolist() == [4, 4, 2, 2, 1, 1]


def test_repeats_are_one_point(write_table: Callable[..., Path]) -> None:
    losses = np.array([[1.0, 0.5], [1.0, 0.6], [1.0, 0.9]])
    arrays = {"hp:rate": np.array([0.1, 0.1, 0.7]), "y:loss": losses}
    table = load_table(write_table(RATE, arrays), "task")
    assert table.rows == ((0, 1), (2,))


def test_maximized_metrics_become_losses(write_table: Callable[..., Path]) -> None:
    arrays = {"hp:rate": np.array([0.1, 0.5, 0.7]), "y:loss": np.array([[0.2], [0.9], [0.5]])}
    table = load_table(write_table(RATE, arrays, direction="max", target=0.8), "task")
    assert table.losses[:, 0].tolist() == [-0.2, -0.9, -0.5]
    assert table.target == -0.8
    assert table.regret(np.array([-0.9, -0.5, -0.1, np.nan])).tolist() == [0.0, 1.0, 1.0, 1.0]


def test_what_is_wrong_is_said(tmp_path: Path, write_table: Callable[..., Path]) -> None:
    with pytest.raises(TableError, match=r"meta\.json"):
        tables_of(tmp_path)
    folder = write_table(RATE, {"hp:rate": np.array([0.1, 0.2]), "y:other": np.ones((2, 3))})
    with pytest.raises(TableError, match="y:loss"):
        load_table(folder, "task")
    with pytest.raises(TableError, match="no task 'x'"):
        load_table(folder, "x")


def test_who_came_to_the_target_has_not_diverged(write_table: Callable[..., Path]) -> None:
    nan = np.nan
    losses = np.array([[3.0, 0.5, 0.4], [3.0, 0.6, 0.5], [2.0, 0.9, nan], [2.0, nan, nan]])
    arrays = {"hp:rate": np.linspace(0, 1, 4), "y:loss": losses}
    table = load_table(write_table(RATE, arrays, target=1.0), "task")
    assert table.diverged.tolist() == [False, False, False, True]
    assert load_table(write_table(RATE, arrays), "task").diverged.tolist()[2]


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"direction": "maximum"}, "direction 'maximum'; expected one of min, minimize"),
        ({"stops_short": "divergd"}, "stops_short 'divergd'; expected one of ended"),
        ({"main": "accuracy"}, "no y:accuracy; there are"),
        ({"hyperparameters": {"rate": {"kind": "flt"}}}, "rate has the kind 'flt'"),
        ({"hyperparameters": {"rat": {"kind": "float"}}}, "hp:rat has the shape None"),
        ({"hyperparameters": [1]}, "no mapping of hyperparameters"),
        ({"file": "gone.npz"}, "gone.npz cannot be read"),
        ({"file": 3}, "the file 3; expected a text"),
        ({"direction": ["min"]}, "the direction ['min']"),
        ({"target": [1]}, "float() argument"),
        ({"hyperparameters": {"rate": {"kind": "float", "low": "0"}}}, "not supported between"),
        ({"file": "meta.json"}, "expected a file as numpy.savez writes it"),
    ],
)
def test_what_a_task_gets_wrong(
    write_table: Callable[..., Path], about: dict[str, object], words: str
) -> None:
    arrays = {"hp:rate": np.array([0.1, 0.2]), "y:loss": np.ones((2, 3))}
    folder = write_table(RATE, arrays)
    meta = json.loads((folder / "meta.json").read_text())
    meta["tasks"]["task"].update(about)
    (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(TableError, match=re.escape(words)):
        load_table(folder, "task")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hp:rate": np.array([0.1])}, "hp:rate has the shape (1,); expected (3,)"),
        ({"hp:rate": np.array([0.1] * 3)}, "all rows have the same hyperparameters"),
        ({"hp:rate": np.array([0.1, np.nan, 0.3])}, "rate is missing"),
        ({"y:loss": np.full((3, 4), np.nan)}, "y:loss has no number"),
        ({"y:loss": np.eye(3, 4) * np.nan, "fid": np.arange(4)}, "y:loss has no number"),
        ({"y:loss": np.ones(2)}, "the shape (2,)"),
        ({"t": np.ones(5)}, "t has the shape (5,); expected (3, 4) or (4,)"),
    ],
)
def test_what_the_arrays_get_wrong(
    write_table: Callable[..., Path], change: dict[str, np.ndarray], words: str
) -> None:
    about = {**RATE, "size": {"kind": "float", "low": 0.0, "high": 1.0}}
    sizes = np.array([0.3, 0.3, 0.3] if "all rows" in words else [0.3, 0.4, 0.5])
    arrays = {"hp:rate": np.array([0.1, 0.2, 0.3]), "hp:size": sizes, "y:loss": np.ones((3, 4))}
    with pytest.raises(TableError, match=re.escape(words)) as caught:
        load_table(write_table(about, {**arrays, **change}), "task")
    assert str(caught.value).count("[E") == 1, "one code, not two"


def test_conditions_of_a_family_fit_each_of_its_tasks(write_table: Callable[..., Path]) -> None:
    rate = {"rate": {**RATE["rate"], "active_when": {"optimizer": ["adam", "lion"], "kind": "x"}}}
    about = {**rate, **{name: {"kind": "categorical"} for name in ("optimizer", "kind")}}
    arrays = {
        "hp:rate": np.array([0.1, 0.2, np.nan]),
        "hp:kind": np.array(["x"] * 3),
        "hp:optimizer": np.array(["adam", "adam", "sgd"]),
        "y:loss": np.ones((3, 4)),
    }
    space = load_table(write_table(about, arrays), "task").space
    assert space.domains["rate"].when == {"optimizer": ["adam"]}, "kind is the same in all rows"


@pytest.mark.parametrize("meta", ["[1]", "{}", '{"tasks": {}}', "{", '{"tasks": {"task": "x"}}'])
def test_what_meta_gets_wrong(tmp_path: Path, meta: str) -> None:
    (tmp_path / "meta.json").write_text(meta)
    with pytest.raises(TableError, match=r"meta\.json|no folder of tables"):
        load_table(tmp_path, "task")


def test_a_finished_study_is_a_table() -> None:
    space = make_space({"rate": Float(0, 1)})
    study = Study("s", space, "accuracy", "maximize", max_steps=4)
    curves = [[-0.1, -0.2, -0.3, -0.4], [-0.5, np.nan], [-0.6]]
    runs = {}
    for i, values in enumerate(curves):
        curve = Curve(np.arange(1.0, len(values) + 1), np.array(values))
        params = {"rate": i / 4}
        runs[f"{i}.0"] = Run(f"{i}.0", i, params, 4, state=RunState.PAUSED, step=len(values),
                             train_s=6.0, curve=curve)  # fmt: skip
    view = StudyView(study, {i: Trial(i, {"rate": i / 4}) for i in range(3)}, runs)
    table = table_of_study(view)
    assert table.n_steps.tolist() == [4, 2, 1]
    assert table.diverged.tolist() == [False, True, False]
    assert table.goal == "maximize"
    assert table.step_s[:, 0].tolist() == [1.5, 3.0, 6.0]
    with pytest.raises(TableError, match="2 different points"):
        table_of_study(StudyView(study, {}, {}))
