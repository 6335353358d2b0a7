"""The contract, and what is particular to processes."""

from pathlib import Path

import pytest

from luthier.contracts import Executor
from luthier.core.errors import OptionError
from luthier.executors.gpus import find_gpus, n_places, shared_out
from luthier.executors.inline import InlineExecutor
from luthier.executors.local import LocalExecutor
from luthier.testing import ExecutorContract
from luthier.worker.target import function_of, load_target


class TestInlineExecutor(ExecutorContract):
    def make(self, script: Path) -> Executor:
        return InlineExecutor(function_of(load_target(str(script))))


class TestForkedProcesses(ExecutorContract):
    def make(self, script: Path) -> Executor:
        return LocalExecutor(str(script), 2)


class TestFreshProcesses(ExecutorContract):
    def make(self, script: Path) -> Executor:
        return LocalExecutor(str(script), 1, fresh=True)


def test_devices_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    gpus = find_gpus()
    assert gpus == ("3", "5")
    assert shared_out(gpus, 2, None) == ("3", "5")
    assert shared_out(gpus, 4, None) == ("3", "5", "3", "5")
    assert shared_out(gpus, 4, 0.5) == ("3", "3", "5", "5")
    assert shared_out(gpus, 3, 1 / 3) == ("3", "3", "3")
    assert shared_out(gpus, 1, 2) == ("3,5",)
    assert shared_out((), 4, 0.5) == ()
    assert [n_places(gpus, share) for share in (None, 0.5, 1, 2, 3)] == [2, 4, 2, 1, 0]
    with pytest.raises(OptionError, match="hold 4"):
        shared_out(gpus, 5, 0.5)
    for nonsense in (0.0, -1.0, 1.5):
        with pytest.raises(OptionError, match="whole number"):
            n_places(gpus, nonsense)
