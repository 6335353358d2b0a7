"""What all sections look at: read once, so that a report shows one moment."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

from luthier.core.curve import Curve
from luthier.core.ledger import Entry
from luthier.core.study import Run, Study, StudyView
from luthier.report.words import Words
from luthier.standing import Standing, standing
from luthier.stores.sqlite import SqliteStore
from luthier.what_if import WhatIf, balance


@final
@dataclass(frozen=True)
class Case:
    """A study as it stands, and the language to tell it in."""

    store: SqliteStore
    view: StudyView
    words: Words
    recipe: Mapping[str, Any]

    @property
    def study(self) -> Study:
        """The question."""
        return self.view.study

    @cached_property
    def standing(self) -> Standing | None:
        """The best beside the second."""
        return standing(self.view)

    @cached_property
    def balance(self) -> WhatIf:
        """What leaving early saved."""
        return balance(self.store)

    @cached_property
    def diary(self) -> Sequence[Entry]:
        """All actions."""
        return self.store.diary()

    @cached_property
    def ranked(self) -> list[Run]:
        """The newest run of every trial, the best first, those without a number last."""

        def merit(run: Run) -> tuple[bool, float, int]:
            loss = run.curve.best_loss
            return loss != loss, loss if loss == loss else 0.0, run.trial

        return sorted(self.view.current().values(), key=merit)

    @property
    def full_steps(self) -> float:
        """Steps of a whole training: as declared, else of the longest."""
        longest = max((run.step for run in self.view.runs.values()), default=0.0)
        return float(self.study.max_steps or longest)

    @property
    def begun(self) -> str:
        """When the study was created, by the clock here."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.store.created_s))

    def values(self, run: Run) -> Curve:
        """The objective as reported."""
        return Curve(run.curve.steps, self.study.loss(1.0) * run.curve.values)
