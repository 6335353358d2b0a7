"""Cores and memory under the limits of a container, read from files as Linux writes them."""

from pathlib import Path

import pytest

from luthier.executors import machine


def limited(folder: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A control group tree in `folder`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(machine, "_ROOT", folder)


def test_no_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(tmp_path, {"cpu.max": "max 100000\n", "memory.max": "max\n"}, monkeypatch)
    free = machine.free_mb()
    assert machine.n_cores() >= 1
    assert free > 0


def test_version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "cpu.max": "50000 100000\n",
        "memory.max": str(300 * 2**20),
        "memory.current": str(250 * 2**20),
        "memory.stat": f"anon 1\ninactive_file {20 * 2**20}\n",
    }
    limited(tmp_path, files, monkeypatch)
    assert machine.n_cores() == 1  # half a core is one
    assert machine.free_mb() == pytest.approx(70.0)  # what is cached can be given back


def test_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "cpu/cpu.cfs_quota_us": "100000\n",
        "cpu/cpu.cfs_period_us": "100000\n",
        "memory/memory.limit_in_bytes": str(64 * 2**20),
        "memory/memory.usage_in_bytes": str(24 * 2**20),
    }
    limited(tmp_path, files, monkeypatch)
    free, cores = machine.free_mb(), machine.n_cores()
    if not any(line.split(":")[1] == "memory" for line in
               Path("/proc/self/cgroup").read_text().splitlines()):  # fmt: skip
        pytest.skip("this system has no control groups of version 1")
    assert cores == 1
    assert free == pytest.approx(40.0)
