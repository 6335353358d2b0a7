"""What a user writes: `@luthier.tune(…)` on a training function, then `search()`, then `best`."""

from luthier.api.again import replay, resume
from luthier.api.own_loop import create
from luthier.api.result import Best, StudyResult, load_checkpoint, open_study
from luthier.api.tunable import Tunable, tune

__all__ = [
    "Best",
    "StudyResult",
    "Tunable",
    "create",
    "load_checkpoint",
    "open_study",
    "replay",
    "resume",
    "tune",
]
