"""A few of the trainings of benchmarks/diagnose.py, real and short."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

FILE = Path(__file__).parents[2] / "benchmarks" / "diagnose.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("benchmark_diagnose", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    torch.set_num_threads(1)
    return module


@pytest.mark.parametrize(
    "name", ["lr too low, Adam", "softmax twice", "frozen layers", "imbalance", "NaN batch"]
)
def test_a_fault_is_named_first(benchmark: ModuleType, name: str) -> None:
    case = next(c for c in benchmark.FAULTS if c.name == name)
    outcome = benchmark.judge(replace(case, epochs=12), seed=5)
    assert outcome.first in case.expected


@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_a_healthy_training_is_left_in_peace(benchmark: ModuleType, name: str) -> None:
    case = next(c for c in benchmark.HEALTHY if c.name == name)
    assert benchmark.judge(replace(case, epochs=12), seed=5).alarms == ()
