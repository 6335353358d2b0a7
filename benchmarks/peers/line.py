"""The line of JSON that one search gives."""

import resource
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def peak_mb() -> float:
    """Most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak / (2**20 if sys.platform == "darwin" else 2**10))


def line_of(
    key: dict[str, Any],
    regret: NDArray[np.float64],
    decision_ms: Sequence[float] | NDArray[np.float64],
    cpu_s: float,
) -> dict[str, Any]:
    """The line of a search, the same for Luthier's policies and for peers."""
    ms = np.asarray(decision_ms)
    shares = {
        f"r{p}": float(regret[max(1, round(p / 100 * len(regret))) - 1]) for p in (10, 30, 100)
    }
    return {
        **key, "anytime": float(regret.mean()), **shares,
        "curve": [round(float(r), 4) for r in regret[:: max(1, len(regret) // 100)]],
        "decision_ms_p50": float(np.median(ms)) if len(ms) else None,
        "decision_ms_p95": float(np.quantile(ms, 0.95)) if len(ms) else None,
        "cpu_s": cpu_s, "peak_mb": peak_mb(), "covered": 0, "predicted": 0,
    }  # fmt: skip
