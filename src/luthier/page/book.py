"""One study held open for reading: its newest picture, and what is new since it was last told."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from luthier import api
from luthier.core.curve import Curve
from luthier.core.ledger import Entry
from luthier.core.study import Run, StudyView
from luthier.stores.sqlite import SqliteStore
from luthier.worker.lock import ProcessLock

LOOK_S = 0.2  # between two looks at the file, however many ask
_LOCK_S, _MEND_S = 1.0, 5.0
_N_KEPT = 3000  # curves made small, and other answers about one run
_N_WHOLE = 32  # answers about all runs


@final
@dataclass(frozen=True, slots=True)
class Merit:
    """What the curve of a run says; values as reported, NaN where there is none."""

    best: float
    best_step: float
    last: float


@final
@dataclass(frozen=True, slots=True)
class News:
    """What changed between two tellings."""

    runs: tuple[str, ...]
    entries: tuple[int, ...]
    before: Mapping[str, Curve]  # losses of these runs as they were told last


@final
class Book:
    """A study; all its methods are called from one thread, the reader's."""

    def __init__(self, path: Path, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self.name = name
        self._clock = clock
        self.store: SqliteStore = api.open_study(path, name).store
        self.created_s = 0.0
        self.view: StudyView = self.store.view()
        self.stamps: dict[str, int] = {}  # run -> the revision at which it was last seen to change
        self.merits: dict[str, Merit] = {}
        self.n_actions: Counter[str] = Counter()
        self.tickets: dict[str, int] = {}  # ticket -> number of the action
        self._owners: dict[int, str] = {}  # number of an action -> its run
        self._looked_s = self._locked_s = self._mended_s = -1e9
        self._tuning = False
        self._news_runs: dict[str, None] = {}
        self._news_entries: dict[int, None] = {}
        self._before: dict[str, Curve] = {}
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._whole: OrderedDict[Any, tuple[int, Any]] = OrderedDict()
        self._take_in(self.view.runs, self.store.entries)

    @property
    def revision(self) -> int:
        """Batches recorded, as of the last look."""
        return self.store.revision

    @property
    def sign(self) -> float:
        """-1 where losses are metrics with the sign turned."""
        return self.view.study.loss(1.0)

    @property
    def entries(self) -> Mapping[int, Entry]:
        """The diary by number."""
        return self.store.entries

    def look(self, *, at_once: bool = False) -> bool:
        """Take in what is new in the file; whether there was anything."""
        now_s = self._clock()
        if now_s - self._looked_s < LOOK_S and not at_once:
            return False
        self._looked_s = now_s
        self._mend(now_s)
        before, revision = self.view.runs, self.revision
        changes = self.store.refresh()
        if self.revision == revision:
            return False
        self.view = self.store.view()
        for run_id in changes.runs:
            self._before.setdefault(run_id, before[run_id].curve if run_id in before else Curve())
        self._news_runs.update(dict.fromkeys(changes.runs))
        self._news_entries.update(dict.fromkeys(changes.entries))
        self._take_in(changes.runs, changes.entries)
        return True

    def best(self) -> str | None:
        """The run with the best value, None when there is none."""

        def find() -> str | None:
            best = self.view.best()
            return best and best.id

        return self.of_revision("best", find)  # type: ignore[no-any-return]

    def of_revision(self, key: Any, make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """An answer about the whole study, made anew when that has changed."""
        made_at, found = self._whole.pop(key, (-1, None))
        if made_at != self.revision:
            found = make()
        self._whole[key] = (self.revision, found)
        while len(self._whole) > _N_WHOLE:
            self._whole.popitem(last=False)
        return found

    def news(self) -> News:
        """What is new since this was last asked."""
        found = News(tuple(self._news_runs), tuple(self._news_entries), self._before)
        self._news_runs, self._news_entries, self._before = {}, {}, {}
        return found

    def tuning(self) -> bool:
        """Whether a tuner is at work."""
        now_s = self._clock()
        if now_s - self._locked_s > _LOCK_S:
            self._locked_s = now_s
            self._tuning = ProcessLock(self.store.paths.lock).owner() is not None
        return self._tuning

    def kept(self, key: Any, stamp: Any, make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """An answer made once for a stamp; the least used are forgotten."""
        found = self._kept.get(key)
        if found is None or found[0] != stamp:
            found = self._kept[key] = (stamp, make())
        self._kept.move_to_end(key)
        while len(self._kept) > _N_KEPT:
            self._kept.popitem(last=False)
        return found[1]

    def close(self) -> None:
        """Let go of the file."""
        self.store.close()

    def _mend(self, now_s: float) -> None:
        """What the runs of a killed tuner had said is brought in, as by any other look."""
        if now_s - self._mended_s < _MEND_S:
            return
        self._mended_s = now_s
        if not self.tuning() and any(run.active for run in self.view.runs.values()):
            api.open_study(self._path, self.name).store.close()

    def _take_in(self, run_ids: Iterable[str], numbers: Iterable[int]) -> None:
        for run_id in run_ids:
            self.stamps[run_id] = self.revision
            self.merits[run_id] = merit_of(self.view.runs[run_id].own_curve, self.sign)
        for number in numbers:
            entry = self.entries[number]
            if entry.ticket:
                self.tickets[entry.ticket] = number
            if (told := self._owners.get(number)) != entry.run_id:  # a start learns its run late
                self.n_actions[entry.run_id] += 1
                if told is not None:
                    self.n_actions[told] -= 1
                self._owners[number] = entry.run_id


def merit_of(losses: Curve, sign: float) -> Merit:
    """Best and last value of a curve of losses."""
    values = losses.values
    if not len(values):
        return Merit(np.nan, np.nan, np.nan)
    at = int(np.argmin(np.where(np.isfinite(values), values, np.inf)))
    last = sign * float(values[-1])
    if not np.isfinite(values[at]):
        return Merit(np.nan, np.nan, last)
    return Merit(sign * float(values[at]), float(losses.steps[at]), last)


def run_state_counts(runs: Iterable[Run]) -> dict[str, int]:
    """How many are in each state."""
    return dict(Counter(run.state.value for run in runs))
