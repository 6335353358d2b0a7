"""Tables of others, a row per run, become studies."""

import math
from pathlib import Path

import pytest
from click.testing import CliRunner

import luthier
from luthier.api import open_study
from luthier.cli import luthier as command
from luthier.core.domain import Choice, Constant, Float, Int
from luthier.core.errors import OptionError
from luthier.core.study import RunState
from luthier.exchange.csv_study import import_csv
from luthier.exchange.tables import write_trials

WANDB = """\
"Name","State","Runtime","lr","width","amp","optimizer","seed","val_acc","_step"
"a","finished",12,1e-4,16,true,sgd,7,0.81,30
"b","crashed",3,0.1,256,false,adam,7,,2
"c","finished",12,0.003,64,true,adam,7,0.93,30
"d","killed",5,0.5,64,true,sgd,7,NaN,10
"e","running",5,0.02,64,false,sgd,7,0.5,12
"""


def test_a_table_whose_parameters_are_named(tmp_path: Path) -> None:
    path = tmp_path / "wandb.csv"
    path.write_text(WANDB)
    done = CliRunner().invoke(
        command,
        ["import", "csv", str(path), "--maximize", "val_acc", "--params",
         "lr, width,amp,optimizer,seed", "--store", str(tmp_path / "l.db")],
        catch_exceptions=False,
    )  # fmt: skip
    assert "wandb-1: 5 trials" in done.output
    assert "lr: taken as logarithmic" in done.output
    result = open_study(tmp_path / "l.db")
    domains = result.view.study.space.domains
    lr, width = domains["lr"], domains["width"]
    assert isinstance(lr, Float)
    assert (lr.low, lr.high, lr.log) == (1e-4, 0.5, True)
    assert isinstance(width, Int)
    assert (width.low, width.high, width.log) == (16, 256, False)
    assert domains["amp"] == Choice(True, False)
    assert domains["optimizer"] == Choice("sgd", "adam")
    assert domains["seed"] == Constant(7)
    states = [run.state for run in result.view.current().values()]
    assert states == [RunState.COMPLETED, RunState.FAILED, RunState.COMPLETED, RunState.STOPPED,
                      RunState.LOST]  # fmt: skip
    assert (result.best.run.trial, result.best.value, result.best.step) == (2, 0.93, 30)
    assert len(result.view.runs["1.0"].curve) == 0
    assert math.isnan(result.view.runs["3.0"].curve.last)


@pytest.mark.parametrize(
    ("head", "metric"),
    [("run_id,status,params.lr,params.kind,metrics.loss", "loss"),  # MLflow
     ("trial_id,status,config/lr,config/kind,loss", "loss"),  # Ray
     ("number,state,params_lr,params_kind,value", "value")],  # Optuna's data frames
)  # fmt: skip
def test_known_prefixes_tell_the_parameters(head: str, metric: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(f"{head}\n0,FINISHED,0.1,a,0.5\n1,FINISHED,0.2,,0.25\n")
    import_csv(path, tmp_path / "l.db", metric, "minimize")
    result = open_study(tmp_path / "l.db")
    assert list(result.view.study.space.domains) == ["lr", "kind"]
    assert dict(result.best.params) == {"lr": 0.2}
    assert result.best.value == 0.25


def test_what_was_exported_comes_back(tmp_path: Path) -> None:
    asked = luthier.create(space={"x": luthier.Float(0, 1), "k": luthier.Choice("a", "b")},
                           minimize="loss", trials=6, store=tmp_path / "a.db")  # fmt: skip
    while (task := asked.ask()) is not None:
        asked.tell(task, task.params["x"] ** 2)
    asked.close()
    ours = open_study(tmp_path / "a.db")
    import_csv(write_trials(ours.view, tmp_path / "t.csv"), tmp_path / "b.db", "loss", "minimize")
    back = open_study(tmp_path / "b.db")
    assert [t.params for t in back.view.trials.values()] == [
        t.params for t in ours.view.trials.values()
    ]
    assert back.best.value == ours.best.value


@pytest.mark.parametrize(
    ("text", "words"),
    [("a,b\n1,2\n", "no column 'loss'"), ("loss,b\n1,2\n", "name them with --params"),
     ("loss,params.x\n", "no rows")],
)  # fmt: skip
def test_what_is_missing_is_told(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(OptionError, match=words):
        import_csv(path, tmp_path / "l.db", "loss", "minimize")
    assert not (tmp_path / "l.db").exists()
