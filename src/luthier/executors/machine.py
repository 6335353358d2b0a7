"""What this process may use of the machine: cores and memory, limits of containers included."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

_ROOT = Path("/sys/fs/cgroup")


def n_cores() -> int:
    """Cores: by affinity, and by the quota of the control group, rounded up."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [quota for folder in _folders("cpu") if (quota := _quota(folder)) is not None]
    return max(1, min([found or 1, *(int(-(-quota // 1)) for quota in quotas)]))


def n_threads_each(n_workers: int) -> int:
    """Threads of each of some runs that train side by side."""
    return max(1, n_cores() // n_workers)


def free_mb() -> float:
    """Megabytes that are free, under the limit of the control group if there is one."""
    left = [float(psutil.virtual_memory().available)]
    for folder in _folders("memory"):
        for limit, used in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            most, now = _number(folder / limit), _number(folder / used)
            if most is not None and now is not None:
                left.append(max(0.0, most - now + _cache(folder)))
    return min(left) / 2**20


def _folders(controller: str) -> Iterator[Path]:
    """The folders of this process's control group and of those above it, both versions."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        root = _ROOT / controller if names else _ROOT
        folder = root / path.lstrip("/")
        # inside of a container the path may be the host's, and only the root is there
        yield from dict.fromkeys(
            f for f in (folder, *folder.parents, root) if root in (f, *f.parents)
        )


def _quota(folder: Path) -> float | None:
    """Cores that the group may keep busy; None without a limit."""
    try:
        most, period = (folder / "cpu.max").read_text().split()
        return None if most == "max" else float(most) / float(period)
    except (OSError, ValueError):
        most_us = _number(folder / "cpu.cfs_quota_us")
        period_us = _number(folder / "cpu.cfs_period_us")
    return most_us / period_us if most_us and period_us and most_us > 0 else None


def _cache(folder: Path) -> float:
    """Bytes of the group's use that the system gives back when they are needed."""
    try:
        rows = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0.0
    stat = dict(row.split() for row in rows if len(row.split()) == 2)
    return float(stat.get("inactive_file", stat.get("total_inactive_file", 0)))


def _number(path: Path) -> float | None:
    """The number in a file; None where there is none, or it says "max"."""
    try:
        value = float(path.read_text())
    except (OSError, ValueError):
        return None
    return None if value >= 2**60 else value  # how version 1 says that there is no limit
