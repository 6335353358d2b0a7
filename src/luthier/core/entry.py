"""One line of the diary."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import final

from luthier.core.action import Action, Change, Fork, RollBack
from luthier.core.domain import Value


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One action in the diary, and what came of it."""

    number: int
    action: Action
    time_s: float
    run_id: str  # for a start or a fork: the run it made
    state: str = "asked"  # asked, obeyed, refused
    step: float | None = None
    read_back: Mapping[str, Value] = field(default_factory=dict)
    why: str = ""  # it was refused, or what is to be known about it
    before: Mapping[str, Value] = field(default_factory=dict)
    ticket: str = ""
    obeyed: int = 0  # its place among all that were obeyed: a change may wait for its step

    @property
    def parent(self) -> str:
        """The run that was forked, where another came of it."""
        forked = self.action.run_id if isinstance(self.action, Fork) else self.run_id
        return forked if forked != self.run_id else ""

    @property
    def values(self) -> tuple[Mapping[str, Value], Mapping[str, Value]]:
        """Before and after, of what was to be changed and what else was found so."""
        if not isinstance(self.action, Change | RollBack | Fork):
            return {}, {}
        after = {**self.action.params, **self.read_back}
        # a fork may name all parameters of the new run
        asked = () if isinstance(self.action, Fork) else self.action.params
        told = [n for n, value in after.items() if n in asked or self.before.get(n) != value]
        return ({name: self.before[name] for name in told if name in self.before},
                {name: after[name] for name in told})  # fmt: skip


def entries_of(diary: Iterable[Entry], run_id: str) -> list[Entry]:
    """The actions on a run; a fork stands in the diary of the new run and in its parent's."""
    return [entry for entry in diary if run_id in (entry.run_id, entry.parent)]
