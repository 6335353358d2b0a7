"""A hand on one run, from outside: every wish becomes an action that its tuner obeys or refuses."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from luthier import notebook
from luthier.core.action import (
    Action,
    Author,
    Change,
    Continue,
    Fork,
    Hold,
    Mark,
    Pause,
    Release,
    RollBack,
    Stop,
)
from luthier.core.course import extras, is_extra, nothing
from luthier.core.curve import Curve
from luthier.core.domain import Value
from luthier.core.entry import Entry, entries_of
from luthier.core.errors import OptionError, StudyError
from luthier.core.lineage import forked
from luthier.core.onward import onward
from luthier.core.paths import StudyPaths
from luthier.core.script import params_at
from luthier.core.study import Checkpoint, Run, Study
from luthier.stores.sqlite import SqliteStore
from luthier.unattended import attend
from luthier.worker.inbox import post
from luthier.worker.lock import ProcessLock

_POLL_S = 0.05


@final
@dataclass(frozen=True, slots=True)
class Ticket:
    """A wish that was posted; `wait` tells what came of it."""

    number: str
    path: Path
    study: str

    def wait(self, timeout_s: float = 60.0) -> Entry | None:
        """The diary's entry once it was obeyed or refused; None when the time is up before, or
        when nobody tunes the study and it has to train."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            attended = self.is_heard()
            if (entry := self.answer()) is not None and entry.state != "asked":
                return entry
            if not attended or time.monotonic() >= deadline_s:
                return None
            time.sleep(_POLL_S)

    def is_heard(self) -> bool:
        """Whether a tuner reads what is asked; without one, what does not train is done here."""
        if ProcessLock(StudyPaths.beside(self.path, self.study).lock).owner() is not None:
            return True
        store = SqliteStore.open(self.path, self.study, read_only=False)
        try:
            return not attend(store)
        finally:
            store.close()

    def onward(self, where: str = "") -> str:
        """How the study goes on, and does what waits; empty for an imported one. `where`: as of
        `core.onward`."""
        store = SqliteStore.open(self.path, self.study)
        try:
            return onward(self.study, store.recipe, where)
        finally:
            store.close()

    def answer(self) -> Entry | None:
        """The diary's entry as it stands; None while the tuner has not looked."""
        store = SqliteStore.open(self.path, self.study)
        try:
            return next((e for e in store.diary() if e.ticket == self.number), None)
        finally:
            store.close()


@final
class RunHandle:
    """One run of a study in a store: to look at, and to act on.

    Without a tuner at work, changes, rollbacks and stops of a paused run take effect at once; what
    has to train waits for `luthier resume`.
    """

    def __init__(self, path: Path, study: str, run_id: str) -> None:
        self._path = path
        self.study = study
        self.id = run_id
        self.run  # noqa: B018  StudyError when there is none

    def __repr__(self) -> str:
        return notebook.run_text(self._study(), self.run)

    def _repr_html_(self) -> str:
        return notebook.run_html(self._study(), self.run)

    @property
    def run(self) -> Run:
        """The run as it stands now."""
        store = self._open()
        try:
            return store.view().runs[self.id]
        except KeyError:
            known = [*store.view().runs]
            raise StudyError(
                f"study {self.study!r} has no run {self.id!r}; it has {known}."
            ) from None
        finally:
            store.close()

    @property
    def params(self) -> Mapping[str, Value]:
        """Its parameters, with the live changes made since it began."""
        return self.run.params

    @property
    def read_back(self) -> Mapping[str, Value]:
        """Live values as last found in its optimizer and modules."""
        return self.run.read_back

    @property
    def curves(self) -> Mapping[str, Curve]:
        """All its metrics."""
        store = self._open()
        try:
            return store.metrics(self.id)
        finally:
            store.close()

    def diary(self) -> Sequence[Entry]:
        """The actions on it."""
        store = self._open()
        try:
            return entries_of(store.diary(), self.id)
        finally:
            store.close()

    def change(self, *, because: str = "", at_step: float | None = None, **params: Value) -> Ticket:
        """Give live parameters new values, now or when the run reaches `at_step`."""
        if not params:
            raise OptionError("change() without a parameter; write such as change(lr=3e-4).")
        return self._ask(Change(run_id=self.id, params=params, at_step=at_step, **_who(because)))

    def roll_back(self, to: float | str, *, because: str = "", **params: Value) -> Ticket:
        """Go back to a checkpoint: its step, "best", or "before:7" for the action's number.

        Live parameters keep their values but for `params`; with "before:7" they are those from
        before that action.
        """
        run = self.run
        checkpoint = _resolve(run, to)
        if isinstance(to, str) and to.startswith("before"):
            store = self._open()
            then = params_at(store.view(), store.diary(), self.id, checkpoint.step)
            live = {n for n, d in store.study.space.domains.items() if d.live}
            store.close()
            # a course that was not there before does nothing from here
            none = {name: nothing(name) for name in extras(run.params)}
            back = {k: v for k, v in {**none, **then}.items() if k in live or is_extra(k)}
            params = {k: v for k, v in back.items() if run.params.get(k) != v} | params
        return self._ask(
            RollBack(run_id=self.id, to_step=checkpoint.step, params=params, **_who(because))
        )

    def fork(
        self,
        at: float | str = "latest",
        *,
        to_step: float = float("inf"),
        because: str = "",
        **params: Value,
    ) -> Ticket:
        """A new run from a checkpoint (its step, "best", "latest"), with changes."""
        run = self.run
        step = 0.0 if _is_number(str(at)) and float(at) == 0 else _resolve(run, at).step
        wish = Fork(run_id=self.id, at_step=step, to_step=to_step, params=params, **_who(because))
        forked(self._study(), run, wish)  # at once, for the fork itself may have to wait
        return self._ask(wish)

    def mark(self, name: str) -> Ticket:
        """Keep a checkpoint of the run as it is now; of several of a name the newest is found."""
        if name in ("best", "latest") or name.startswith("before:") or "," in name or (
            _is_number(name) or not name.strip()
        ):  # fmt: skip
            raise OptionError(
                f"mark({name!r}): expected a name that is no step, has no comma, and is none of "
                "best, latest and before:ACTION, which mean other checkpoints."
            )
        return self._ask(Mark(run_id=self.id, reason=name, author=Author.HUMAN))

    def pause(self, *, because: str = "") -> Ticket:
        """Save and leave its place."""
        return self._ask(Pause(run_id=self.id, **_who(because)))

    def resume(self, *, to_step: float = float("inf"), because: str = "") -> Ticket:
        """Train on, to its last step if nothing else is said."""
        return self._ask(Continue(run_id=self.id, to_step=to_step, **_who(because)))

    def stop(self, *, because: str = "") -> Ticket:
        """End it for good."""
        return self._ask(Stop(run_id=self.id, **_who(because)))

    def hold(self, *, because: str = "") -> Ticket:
        """Take it out of the policy's hands; it trains on."""
        return self._ask(Hold(run_id=self.id, **_who(because)))

    def release(self, *, because: str = "") -> Ticket:
        """Hand it back to the policy."""
        return self._ask(Release(run_id=self.id, **_who(because)))

    def _ask(self, action: Action) -> Ticket:
        store = self._open()
        paths, study = store.paths, self.study
        store.close()
        check_writable(self._path)
        ticket = Ticket(post(paths.orders, action), self._path, study)
        ticket.is_heard()
        return ticket

    def _study(self) -> Study:
        store = self._open()
        store.close()
        return store.study

    def _open(self) -> SqliteStore:
        return SqliteStore.open(self._path, self.study)


def check_writable(path: Path) -> None:
    """OptionError for a store that may only be read."""
    if not os.access(path, os.W_OK):
        raise OptionError(f"{path} may only be read by you; nothing can be asked for.")


def _who(because: str) -> dict[str, Any]:
    return {"reason": because or "by-hand", "author": Author.HUMAN}


def _resolve(run: Run, place: float | str) -> Checkpoint:
    """A checkpoint by its step, "best", "latest", "before:NUMBER" or a mark's name."""
    known = [*([run.parent] if run.parent else []), *run.checkpoints]
    words = ", ".join(f"{c.step:g}" + (f" ({c.kept})" if c.kept else "") for c in known)
    if place == "best":
        found = [c for c in known if c.loss is not None]
        found = [min(found, key=lambda c: c.loss or 0.0)] if found else []
    elif place == "latest":
        found = known[-1:]
    elif isinstance(place, str) and not _is_number(place):
        names = {place, f"mark: {place}"}
        found = [c for c in known if names & set(c.kept.split(", "))]
    else:
        found = [c for c in known if c.step == float(place)]
    if not found:
        raise OptionError(
            f"run {run.id} has no checkpoint {place!r}; it has {words or 'none'}. "
            "What is given to run.attach is saved; a fork at 0 begins anew."
        )
    return found[-1]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
