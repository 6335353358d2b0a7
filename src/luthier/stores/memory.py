"""A store that keeps nothing after the process: for simulations and tests."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import numpy as np

from luthier.core.curve import Curve
from luthier.core.event import Event, Proposed, Reported, RolledBack
from luthier.core.ledger import Batch, Entry, Ledger, merge_branches
from luthier.core.paths import StudyPaths
from luthier.core.study import Study, StudyView


@final
class MemoryStore:
    """Everything in dictionaries; files of runs go to `root`, a temporary directory by default."""

    def __init__(self, study: Study, root: Path | None = None) -> None:
        self._ledger = Ledger(study)
        self._batches: dict[str, list[Batch]] = {}
        self._folder = None if root else tempfile.TemporaryDirectory(prefix="luthier-")
        self._root = root or Path(self._folder.name if self._folder else ".")

    @property
    def study(self) -> Study:
        """The question."""
        return self._ledger.study

    @property
    def paths(self) -> StudyPaths:
        """Files of the study."""
        return StudyPaths(self._root)

    @property
    def closed(self) -> str:
        """Why the study ended."""
        return self._ledger.closed

    def record(self, events: Sequence[Event]) -> None:
        """Keep the events."""
        self._ledger.apply(events)
        for event in events:
            match event:
                case Reported(run_id=run_id, metrics=names, rows=rows):
                    self._batches.setdefault(run_id, []).append((None, names, rows))
                case RolledBack(run_id=run_id, step=step):
                    self._batches.setdefault(run_id, []).append((step, (), np.empty((0, 2))))
                case Proposed(run=run) if run.parent:
                    before = self._batches.get(run.parent.run_id, [])
                    cut: Batch = (run.parent.step, (), np.empty((0, 2)))
                    self._batches[run.id] = [*before, cut]
                case _:
                    pass

    def view(self, n_free: int = 0, n_new: int = 0) -> StudyView:
        """The study as it stands."""
        return self._ledger.view(n_free, n_new)

    def metrics(self, run_id: str) -> Mapping[str, Curve]:
        """All metrics of a run."""
        return merge_branches(self._batches.get(run_id, []))[-1]

    def branches(self, run_id: str) -> Sequence[Mapping[str, Curve]]:
        """The metrics as they stood before each rollback, and as they stand now."""
        return merge_branches(self._batches.get(run_id, []))

    def diary(self) -> Sequence[Entry]:
        """All actions."""
        return list(self._ledger.diary.values())

    def close(self) -> None:
        """Delete the temporary directory."""
        if self._folder is not None:
            self._folder.cleanup()
