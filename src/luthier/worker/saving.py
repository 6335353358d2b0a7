"""When a run is saved, and what is known of its newest checkpoint."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import final

from luthier.core.study import Checkpoint
from luthier.worker.checkpoint import CheckpointWriter, State

# Checkpoints nobody asked for may take this share of the training time …
SAVE_SHARE = 0.02
# … those that `checkpoints/every` asks for, this …
SAVE_ASKED_SHARE = 0.1
# … and the others are at least this far apart, and come this often even when nothing got better.
SAVE_GAP_S, SAVE_EVERY_S = 1.0, 30.0


@final
class Saving:
    """The checkpoints of one run; `tell` hears of each that lies on the disk."""

    def __init__(self, run_id: str, folder: Path, tell: Callable[[Checkpoint], None]) -> None:
        self._tell = tell
        self._writer = CheckpointWriter(run_id, folder, self._written)
        self._loss, self._best_loss = math.nan, math.inf  # newest objective, as a loss; lowest
        self._better = False  # the newest is the lowest, and not saved
        self._began_s = self._saved_s = time.perf_counter()
        self._cost_s = 0.0  # of the newest save
        self._total_s = 0.0  # of all saves so far
        self._step: float | None = None  # that is saved
        self._newest: Checkpoint | None = None  # of this process

    def reported(self, loss: float) -> None:
        """The objective of the step under way."""
        self._loss = loss
        self._better = loss < self._best_loss
        if self._better:
            self._best_loss = loss

    def restored(self, to: Checkpoint) -> None:
        """The run stands where this checkpoint does."""
        self._step, self._newest = to.step, None
        self._loss = math.nan if to.loss is None else to.loss
        self._best_loss = math.inf if to.loss is None else to.loss
        self._better = False

    def due(self, step: float, every: float) -> bool:
        """Whether to save now; `every` so many steps where that is cheap, if somebody asked."""
        cheap = self._total_s <= SAVE_ASKED_SHARE * (time.perf_counter() - self._began_s)
        if cheap and step - (self._step or 0.0) >= every:
            return True
        since_s = time.perf_counter() - self._saved_s
        gap_s = max(SAVE_GAP_S, self._cost_s / SAVE_SHARE)
        return not self._writer.busy and since_s >= (
            gap_s if self._better else max(gap_s, SAVE_EVERY_S)
        )

    def save(self, take: Callable[[], State], at: float, *, wait: bool, kept: str = "") -> None:
        """A checkpoint of step `at`, of the state that `take` gives; `kept`: why it stays."""
        if self._step == at:
            self._writer.join()
            if kept and self._newest is not None:
                reasons = [*filter(None, [self._newest.kept]), kept]
                self._written(replace(self._newest, kept=", ".join(reasons)))
            return
        began_s = time.perf_counter()
        loss = None if math.isnan(self._loss) else self._loss
        self._writer.write(take(), at, loss, wait=wait, kept=kept)
        self._saved_s = time.perf_counter()
        self._cost_s = self._saved_s - began_s
        self._total_s += self._cost_s
        self._step = at
        self._better = False

    def join(self) -> None:
        """Wait until nothing is being written."""
        self._writer.join()

    def _written(self, checkpoint: Checkpoint) -> None:
        self._newest = checkpoint
        self._tell(checkpoint)
