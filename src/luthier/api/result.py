"""A study to look at, and its best run."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from luthier import notebook
from luthier.core.curve import Curve
from luthier.core.domain import Value
from luthier.core.errors import StudyError
from luthier.core.study import Checkpoint, Run, StudyView
from luthier.handle import RunHandle
from luthier.sitting import DEFAULT_STORE, bring_in
from luthier.stores.sqlite import SqliteStore
from luthier.worker.lock import ProcessLock


@final
class StudyResult:
    """A study to look at: `best`, `trials`, `curves()`, `run(id)`."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store

    def __repr__(self) -> str:
        return notebook.study_text(self.view)

    def _repr_html_(self) -> str:
        return notebook.study_html(self.view)

    @property
    def name(self) -> str:
        """The study's name in its store."""
        return self.store.study.name

    @property
    def view(self) -> StudyView:
        """Everything, frozen."""
        return self.store.view()

    @property
    def best(self) -> "Best":
        """The run with the best value at any step; StudyError when none has reported a number."""
        run = self.view.best()
        if run is None:
            raise StudyError(f"study {self.name!r} has no run that reported a number yet.")
        return Best(self.store, run)

    @property
    def trials(self) -> Any:  # noqa: ANN401
        """One row per trial, a pandas DataFrame."""
        from luthier.frames import trials_frame

        return trials_frame(self.view)

    def curves(self, *, arrow: bool = False) -> Any:  # noqa: ANN401
        """All reports in long form, a pandas DataFrame or a pyarrow Table."""
        from luthier.frames import curves_arrow, curves_frame

        return curves_arrow(self.store) if arrow else curves_frame(self.store)

    def run(self, name: str | int) -> RunHandle:
        """A hand on a run: "3.1", or the newest run of a trial: 3."""
        run_id = str(name)
        if run_id.isdigit():
            current = self.view.current()
            if int(run_id) not in current:
                raise StudyError(f"study {self.name!r} has no trial {run_id}.")
            run_id = current[int(run_id)].id
        return RunHandle(self.store.path, self.name, run_id)

    def stop(self, *, because: str = "") -> int:
        """Ask for the end, for good, of all runs that train; how many were asked."""
        training = [run.id for run in self.view.runs.values() if run.active]
        for run_id in training:
            RunHandle(self.store.path, self.name, run_id).stop(because=because)
        return len(training)


@final
class Best:
    """The winner: its parameters, value, curve, and the checkpoint nearest to its best step."""

    def __init__(self, store: SqliteStore, run: Run) -> None:
        self._store = store
        self.run = run

    def __repr__(self) -> str:
        return notebook.run_text(self._store.study, self.run, "best")

    def _repr_html_(self) -> str:
        return notebook.run_html(self._store.study, self.run, "best")

    @property
    def params(self) -> Mapping[str, Value]:
        """Its point."""
        return self.run.params

    @property
    def value(self) -> float:
        """The best value of the metric."""
        return self._store.study.loss(self.run.best_loss)

    @property
    def step(self) -> float:
        """The step of that value."""
        return self.run.best_step

    @property
    def curves(self) -> Mapping[str, Curve]:
        """All metrics of the run."""
        return self._store.metrics(self.run.id)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint with the lowest loss; None when the run attached nothing."""
        parent = self.run.parent  # of a fork to another point it is not its own work
        own = [parent] if parent is not None and parent.step > self.run.own_from else []
        known = [*self.run.checkpoints, *own]
        scored = [c for c in known if c.loss is not None]
        return min(scored, key=lambda c: c.loss or 0.0, default=self.run.latest)

    @property
    def checkpoint_value(self) -> float | None:
        """The metric at the checkpoint, which need not be of the best step; None: not known."""
        c = self.checkpoint
        return None if c is None or c.loss is None else self._store.study.loss(c.loss)

    @property
    def checkpoint_path(self) -> Path | None:
        """Its file: `luthier.load_checkpoint(path)` gives the attached states."""
        c = self.checkpoint
        return self._store.paths.run(c.run_id).checkpoints / c.file if c else None

    def export(self, folder: str | Path) -> Path:
        """Copy the checkpoint and write `best.json` (parameters, value, step) beside it."""
        to = Path(folder)
        to.mkdir(parents=True, exist_ok=True)
        metric = self._store.study.metric
        told = {"study": self._store.study.name, "trial": self.run.trial, "run": self.run.id,
                "params": dict(self.params), metric: self.value, "step": self.step}  # fmt: skip
        if (path := self.checkpoint_path) and self.checkpoint:
            shutil.copy2(path, to / "best.ckpt")
            told |= {"checkpoint_step": self.checkpoint.step,
                     f"checkpoint_{metric}": self.checkpoint_value}  # fmt: skip
        (to / "best.json").write_text(json.dumps(told, indent=2) + "\n")
        return to


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """The states that were attached, by name: `model.load_state_dict(load_checkpoint(p)["model"])`.

    Reads a pickle: open only files that you trust.
    """
    from luthier.worker.checkpoint import load_state

    states: dict[str, Any] = load_state(Path(path))["things"]
    return states


def open_study(store: str | Path = DEFAULT_STORE, name: str | None = None) -> StudyResult:
    """A study in a store, the newest by default, to look at. Never disturbs its tuner.

    If its tuner was killed, what the runs had reported by then is brought into the store first.
    """
    path = Path(store)
    found = SqliteStore.open(path, name)
    if any(run.active for run in found.view().runs.values()):
        lock = ProcessLock(found.paths.lock)
        if lock.owner() is None and os.access(path, os.W_OK) and lock.acquire():
            found.close()
            writer = SqliteStore.open(path, found.study.name, read_only=False)
            bring_in(writer, patience_s=None)
            writer.close()
            lock.release()
            found = SqliteStore.open(path, found.study.name)
    return StudyResult(found)
