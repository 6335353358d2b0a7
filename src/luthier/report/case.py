"""What all sections look at: read once, so that a report shows one moment."""

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

from luthier.core.curve import Curve
from luthier.core.domain import Value
from luthier.core.ledger import Entry
from luthier.core.script import params_at
from luthier.core.study import Run, Study, StudyView
from luthier.policies.autopilot.logbook import is_probe
from luthier.report.words import Words
from luthier.sitting import DEFAULT_STORE
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
        """The result of every trial, the best first; no probes of an autopilot."""
        return [run for run in self._all_ranked if not is_probe(run)]

    @cached_property
    def probes(self) -> list[Run]:
        """Short trainings of an autopilot, which were never to go further, the best first."""
        return [run for run in self._all_ranked if is_probe(run)]

    @cached_property
    def _all_ranked(self) -> list[Run]:
        """The result of every trial, the best first, those without a number last."""

        def merit(run: Run) -> tuple[bool, float, int]:
            loss = run.best_loss
            return loss != loss, loss if loss == loss else 0.0, run.trial

        return sorted(self.view.results().values(), key=merit)

    @property
    def full_steps(self) -> float:
        """Steps of a whole training: as declared, else of the longest."""
        longest = max((run.step for run in self.view.runs.values()), default=0.0)
        return float(self.study.max_steps or longest)

    @property
    def closed(self) -> str:
        """Why the study ended, in the language of the report where there are words for it."""
        reason, key = self.store.closed, f"closed_{self.store.closed}"
        return self.words(key) if self.words.has(key) else reason

    @property
    def store_option(self) -> str:
        """What a command needs to find the store; nothing for the usual name."""
        name = self.store.path.name
        return "" if name == DEFAULT_STORE else f" --store {shlex.quote(name)}"

    @cached_property
    def best_params(self) -> dict[str, Value]:
        """Parameters of the best run as they stood at its best step."""
        run = self.view.best()
        if run is None:
            return {}
        known = params_at(self.view, self.diary, run.id, run.best_step)
        return {name: known.get(name, value) for name, value in run.params.items()}

    @property
    def begun(self) -> str:
        """When the study was created, by the clock here."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.store.created_s))

    def values(self, run: Run) -> Curve:
        """The objective as reported."""
        return Curve(run.curve.steps, self.study.loss(1.0) * run.curve.values)
