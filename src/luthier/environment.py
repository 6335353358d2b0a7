"""Where a study was made: versions and machine, for whoever wants to repeat it."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("luthier", "numpy", "scipy", "torch", "peft", "optuna", "cmaes")


def environment() -> dict[str, str | int]:
    """Versions of Python and packages, the platform, processors; no names of users or paths."""
    found: dict[str, str | int] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """The processor's model where the system tells it, else its architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            rows = (line.partition(":") for line in file)
            return next(value.strip() for name, _, value in rows if name.strip() == "model name")
    except (OSError, StopIteration):
        return platform.machine()
