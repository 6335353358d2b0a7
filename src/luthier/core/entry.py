"""One line of the diary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from luthier.core.action import Action
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
