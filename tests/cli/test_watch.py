"""What the screen of one run says of it."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from luthier import Float, api, tune
from luthier.cli import watch
from luthier.contracts import Store
from luthier.core.study import RunState, StudyView


@tune(minimize="loss", max_steps=4, space={"lr": Float(0.01, 1.0, log=True, live=True)})
def train(run: Any) -> None:
    for step in run.steps():
        run.report(loss=1.0 / step)


def test_a_run_that_stalls_is_noticed_although_nothing_new_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seen: list[str] = []

    def observe(store: Store, view: StudyView) -> None:
        run = view.runs.get("0.0")
        if run is None or run.state is not RunState.RUNNING or seen:
            return
        screen = watch._Screen(str(tmp_path / "s.db"), api.open_study(tmp_path / "s.db").run(0))
        wire = store.paths.run("0.0").wire
        for hours in (0, 2):
            os.utime(wire, (wire.stat().st_atime, wire.stat().st_mtime - 3600 * hours))
            console = Console(width=120, record=True, file=io.StringIO())
            console.print(screen.draw(120, 40))
            seen.append(console.export_text())
            monkeypatch.setattr(watch, "_DIAGNOSIS_S", 0.0)

    train.search(trials=1, executor="inline", store=tmp_path / "s.db", observe=observe)
    assert ["D44" in text for text in seen] == [False, True]
