"""Where a study's files lie. Names only: nothing here touches a disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import final


@final
@dataclass(frozen=True, slots=True)
class RunPaths:
    """The files of one run."""

    root: Path

    @property
    def wire(self) -> Path:
        """Append-only lines: what the worker says, in the order it said it."""
        return self.root / "wire.jsonl"

    @property
    def stdout(self) -> Path:
        """What the training code printed."""
        return self.root / "stdout.txt"

    @property
    def stderr(self) -> Path:
        """What the training code printed to standard error."""
        return self.root / "stderr.txt"

    @property
    def lock(self) -> Path:
        """Held by the process that trains the run; holds its process id."""
        return self.root / "lock"

    @property
    def checkpoints(self) -> Path:
        """One file per checkpoint."""
        return self.root / "checkpoints"


@final
@dataclass(frozen=True, slots=True)
class StudyPaths:
    """The files of one study, beside the store: `luthier.db` has `luthier.db.files/`."""

    root: Path

    @classmethod
    def beside(cls, store: Path, study: str) -> "StudyPaths":
        """The study's directory for a store at `store`."""
        return cls(store.absolute().with_name(f"{store.name}.files") / study)

    @property
    def lock(self) -> Path:
        """Held by the process that tunes the study."""
        return self.root / "lock"

    @property
    def orders(self) -> Path:
        """Inbox: one file per action asked for from outside."""
        return self.root / "orders"

    @property
    def function(self) -> Path:
        """The pickled training function, when it lives in no file."""
        return self.root / "function.pkl"

    def run(self, run_id: str) -> RunPaths:
        """The files of one run."""
        return RunPaths(self.root / "runs" / run_id)
