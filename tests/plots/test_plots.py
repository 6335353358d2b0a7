"""Pictures: what is on them, their scales, their files."""

import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import luthier
from luthier.api import StudyResult, open_study
from luthier.cli import luthier as command
from luthier.core.action import Action, Continue, RollBack, Start
from luthier.core.errors import OptionError, StudyError
from luthier.core.study import RunState, StudyView
from luthier.importance import importances
from luthier.worker.target import load_target

pytest.importorskip("matplotlib")

from luthier.plots import figure
from luthier.plots.curves import run_curves, study_curves
from luthier.plots.diary import diary
from luthier.plots.figure import look
from luthier.plots.importance import importance
from luthier.plots.parallel import parallel


@dataclass(frozen=True)
class Rolling:
    """Changes the rate at step 10, goes back from 15 to 10, and on with another rate."""

    def decide(self, view: StudyView) -> Sequence[Action]:
        if not view.runs:
            plan = ((10, {"lr": 0.01}),)
            return [Start(params={"lr": 0.1}, to_step=15, reason="test", plan=plan)]
        run = view.runs["0.0"]
        if run.state is not RunState.PAUSED or run.step != 15:
            return []
        back = RollBack(run_id="0.0", to_step=10, reason="test", params={"lr": 0.02})
        return [back, Continue(run_id="0.0", to_step=30, reason="test")]


@pytest.fixture(autouse=True)
def _look() -> Iterator[None]:
    with look():
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    store = tmp_path_factory.mktemp("plots") / "s.db"
    asked = luthier.create(
        space={"lr": luthier.Float(1e-5, 1.0, log=True), "kind": luthier.Choice("a", "b", None),
               "m": luthier.Float(0, 1, when={"kind": "a"}), "$n_x^2$": luthier.Int(1, 9)},
        minimize="val_loss", max_steps=6, trials=16, store=store, name="s", policy="random",
    )  # fmt: skip
    for number in range(16):
        task = asked.ask()
        assert task is not None
        for step in range(1, 7):
            level = 1 + (math.log10(task.params["lr"]) + 2) ** 2 + 1 / step
            level = {3: math.nan, 4: 1e12}.get(number, level)
            asked.report(task, step, val_loss=level, train_loss=level / 2, **{"学习": 1.0})
        asked.tell(task, error="broke" if number == 5 else "")
    asked.close()
    return open_study(store)


def values_of(line: Any) -> list[float]:
    return [float(v) for v in np.asarray(line.get_ydata(), dtype=float)]


def test_curves_of_a_study_show_every_run_and_the_best_on_top(study: StudyResult) -> None:
    drawn = study_curves(study.store)
    axes = drawn.axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 6]
    assert len(lines) == 16
    best = next(line for line in lines if line.get_label().startswith("trial"))
    assert values_of(best) == study.best.run.curve.values.tolist()
    assert best.get_zorder() == max(line.get_zorder() for line in lines)
    assert axes.get_ylim()[1] < 1e6  # the one that diverged does not squeeze the others
    assert axes.get_ylabel() == "val_loss"


def test_curves_of_a_run_pair_training_and_validation(study: StudyResult) -> None:
    drawn = run_curves(study.store, "2.0")
    titles = [axes.get_title(loc="left") for axes in drawn.axes[:2]]
    assert titles == ["loss", "学习"]
    assert [line.get_label() for line in drawn.axes[0].lines] == ["val_loss", "train_loss"]


def test_parallel_places_values_on_the_domain_s_own_scale(study: StudyResult) -> None:
    drawn = parallel(study.store)
    axes = drawn.axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 5]
    assert len(lines) == 15  # but the one without a number
    best = np.asarray(lines[-1].get_ydata(), dtype=float)
    params = study.best.params
    where = (math.log10(params["lr"]) + 5) / 5  # between 1e-5 and 1, with room at both ends
    assert best[0] == pytest.approx(where, abs=0.06)
    assert (best[2] < 0) == ("m" not in params)
    texts = {text.get_text() for text in axes.texts}
    assert {"a", "b", "None", "absent", "1e-5"} <= texts
    assert [label.get_text() for label in axes.get_xticklabels()][-1] == "val_loss"


def test_importance_has_bars_and_errors(study: StudyResult) -> None:
    found = importances(study.view)
    axes = importance(study.store).axes[0]
    widths = [patch.get_width() for patch in axes.patches]
    assert widths == pytest.approx([one.value for one in found[::-1]])
    assert [label.get_text() for label in axes.get_yticklabels()][-1] == found[0].name


def test_importance_of_too_few_trials_is_refused(tmp_path: Path) -> None:
    luthier.create(space={"x": luthier.Float(0, 1)}, minimize="y", store=tmp_path / "e.db",
                   trials=1).close()  # fmt: skip
    with pytest.raises(StudyError, match="needs 10 trials"):
        importance(open_study(tmp_path / "e.db").store)
    study_curves(open_study(tmp_path / "e.db").store)
    parallel(open_study(tmp_path / "e.db").store)


def test_the_diary_shows_changes_rollbacks_and_live_values(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(
        "import luthier\n"
        "class Counter:\n"
        "    n = 0\n"
        "    def state_dict(self): return {'n': self.n}\n"
        "    def load_state_dict(self, state): self.n = state['n']\n"
        "@luthier.tune(minimize='loss', max_steps=30, space={\n"
        "    'lr': luthier.Float(1e-3, 1.0, log=True, prior=0.1, live=True)})\n"
        "def train(run):\n"
        "    c = Counter(); run.attach(c=c)\n"
        "    for step in run.steps():\n"
        "        c.n += 1\n"
        "        run.report(loss=run.params.lr + 1 / c.n)\n"
    )
    tunable: Any = load_target(f"{script}:train")
    result = tunable.search(policy=Rolling(), trials=1, executor="inline",
                            store=tmp_path / "s.db")  # fmt: skip
    drawn = diary(result.store, "0.0")
    top, live, words = drawn.axes
    assert top.get_title(loc="left").startswith("job-1, run 0.0: diary")
    assert [len(line.get_xdata()) for line in top.lines if len(line.get_xdata()) > 2] == [15, 30]
    assert live.get_ylabel() == "lr"
    assert live.get_yscale() == "log"
    assert values_of(live.lines[0])[0] == 0.1
    assert values_of(live.lines[0])[-1] == 0.02
    text = words.texts[0].get_text()
    assert "rollback" in text
    assert "change lr 0.1 → 0.01" in text


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_files_are_written_without_a_warning(
    suffix: str, study: StudyResult, tmp_path: Path
) -> None:
    heads = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for kind, what in (("curves", "s"), ("importance", "s"), ("parallel", "s"), ("curves", "s/2"),
                       ("diary", "s/2")):  # fmt: skip
        path = tmp_path / f"{kind}.{suffix}"
        done = CliRunner().invoke(
            command, ["plot", kind, what, "-o", str(path), "--store", str(study.store.path)],
            catch_exceptions=False,
        )  # fmt: skip
        assert done.output == f"wrote {path}\n"
        assert path.read_bytes().startswith(heads[suffix])


def test_boxes_are_drawn_where_no_font_has_the_characters(
    study: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure, "_cjk_fonts", lambda: ())
    path = tmp_path / "curves.png"
    CliRunner().invoke(
        command, ["plot", "curves", "s", "-o", str(path), "--store", str(study.store.path)],
        catch_exceptions=False,
    )  # fmt: skip
    assert path.read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_told(study: StudyResult, tmp_path: Path) -> None:
    store = ["--store", str(study.store.path)]
    with pytest.raises(OptionError, match="expected a study"):
        CliRunner().invoke(command, ["plot", "parallel", "s/2", "-o", "x.png", *store],
                           catch_exceptions=False)  # fmt: skip
    with pytest.raises(OptionError, match=r"ends in \.png"):
        CliRunner().invoke(command, ["plot", "curves", "s", "-o", "x.gif", *store],
                           catch_exceptions=False)  # fmt: skip
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from luthier.__main__ import main\n"
        f"sys.argv = ['luthier', 'plot', 'curves', 's', '-o', {str(tmp_path / 'x.png')!r}, "
        f"'--store', {str(study.store.path)!r}]\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install 'luthier[plot]'" in done.stderr
    assert "Traceback" not in done.stderr
