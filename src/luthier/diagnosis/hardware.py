"""Watchers of time and memory."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from luthier.core.curve import Curve
from luthier.diagnosis.evidence import Evidence
from luthier.diagnosis.finding import Fact, Finding, Remedy, Severity
from luthier.diagnosis.series import series, trend


def _measured(evidence: Evidence, name: str) -> Curve:
    """A probe's metric, or one that the user reported under the bare name."""
    found = evidence.probed(name)
    return found if len(found) else evidence.curves.get(name, Curve())


@final
@dataclass(frozen=True, slots=True)
class HalfPrecision:
    """The gradient scale of mixed precision collapses, or goes down again and again."""

    id: str = "D38"

    def watch(self, evidence: Evidence) -> Finding | None:
        """Each halving is a step that was skipped."""
        scale = _measured(evidence, "loss_scale")
        if len(scale) < 4:
            return None
        falls = int((np.diff(scale.values) < 0).sum())
        share = falls / (len(scale) - 1)
        if scale.last >= 1 and (share < 0.3 or falls < 4):
            return None
        at = int(np.argmax(np.diff(scale.values) < 0)) + 1
        return Finding(
            self.id, Severity.WARNING, 0.8, float(scale.steps[at]),
            (Fact("loss_scale", scale.last, 1.0), Fact("falls_per_report", share, 0.3)),
            ("overflow", "lr"), (Remedy("lr", factor=0.7),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class LoaderBound:
    """The model waits for data."""

    id: str = "D41"
    share: float = 0.4  # of a step
    bound: float = 0.6  # more than the loop around a very small model takes
    wait_s: float = 0.003  # below this the loop itself is the wait

    def watch(self, evidence: Evidence) -> Finding | None:
        """Time from the end of a step to the next forward pass."""
        wait, step = _measured(evidence, "loader_wait_s"), _measured(evidence, "step_s")
        if len(wait) < 3 or len(step) < 3:
            return None
        waits = float(np.median(wait.values[-5:]))
        share = waits / max(float(np.median(step.values[-5:])), 1e-12)
        if share < self.share or waits < self.wait_s:
            return None
        return Finding(
            self.id, Severity.WARNING if share > self.bound else Severity.NOTE, 0.9,
            float(wait.steps[2]),
            (Fact("wait_share", share, self.share), Fact("wait_s", waits, self.wait_s)),
            ("workers", "transform", "disk"), (Remedy("num_workers", value=4),),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class SlowDown:
    """Steps take longer and longer."""

    id: str = "D42"
    ratio: float = 2.0

    def watch(self, evidence: Evidence) -> Finding | None:
        """Steady growth; a few slow steps, or another program, are no finding."""
        times = series(_measured(evidence, "step_s"))
        if len(times) < 12:
            return None
        start, now = (
            float(np.median(times.part(0, 0.34).levels)),
            float(np.median(times.part(0.67).levels)),
        )
        # in a straight line, as work grows; other programs come and go
        straight = float(np.corrcoef(times.steps, times.levels)[0, 1]) if now > start else 0.0
        if now < self.ratio * start or straight < 0.9 or trend(times.part(0.5).levels) < 1.3:
            return None
        return Finding(
            self.id, Severity.WARNING, 0.6, float(times.steps[len(times) // 2]),
            (Fact("step_s_at_start", start), Fact("step_s", now, self.ratio * start)),
            ("growing_work", "heat", "neighbours"),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class MemoryLeak:
    """Memory grows with every step."""

    id: str = "D43"
    share: float = 0.05  # SageMaker Debugger
    least_bytes: float = 2.0e7

    def watch(self, evidence: Evidence) -> Finding | None:
        """It must still grow in the second half: allocators settle after a while."""
        found = _measured(evidence, "memory_bytes")
        if len(found) < 8 or evidence.progress < 0.15:
            return None
        used = series(found)
        # the first tenth is when libraries and caches are loaded
        start = used.steps[0] + 0.1 * (used.steps[-1] - used.steps[0])
        middle = (start + used.steps[-1]) / 2
        first, half = np.interp([start, middle], used.steps, used.levels)
        grown, lately = used.levels[-1] - first, used.levels[-1] - half
        limit = max(self.share * first, self.least_bytes)
        after = used.levels[used.steps >= start]
        steady = float((np.diff(after) > 0).mean()) if len(after) > 4 else 0.0
        if grown < limit or lately < 0.35 * grown or steady < 0.7 or trend(after) < 2:
            return None
        return Finding(
            self.id, Severity.WARNING, 0.85, float(used.steps[len(used) // 2]),
            (Fact("grown_bytes", float(grown), float(limit)),
             Fact("grown_in_second_half_share", float(lately / grown), 0.35),
             Fact("memory_bytes", float(used.levels[-1]))),
            ("graph", "list", "cache"),
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Stalled:
    """Nothing was heard of a run that should train."""

    id: str = "D44"
    patience_s: float = 1800.0  # SageMaker Debugger

    def watch(self, evidence: Evidence) -> Finding | None:
        """Half an hour, or less where reports used to come quickly."""
        idle = evidence.idle_s
        if idle is None or not math.isfinite(idle) or idle < self.patience_s:
            return None
        return Finding(
            self.id, Severity.WARNING, 0.8, evidence.last_step,
            (Fact("idle_s", idle, self.patience_s),), ("deadlock", "disk"),
        )  # fmt: skip
