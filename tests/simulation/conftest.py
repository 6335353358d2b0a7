"""Tables of synthetic curves, made where a test needs them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.table_folder import load_table
from luthier.tables import Table

Maker = Callable[..., Table]


def synthetic(n: int, n_steps: int, seed: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Losses that fall towards a floor set by the learning rate; high rates diverge, and one
    optimizer needs a momentum which the other does not have."""
    rng = np.random.default_rng(seed)
    rate = 10 ** rng.uniform(-5, 0, n)
    width = rng.integers(8, 256, n)
    adam = rng.random(n) < 0.5
    momentum = np.where(adam, np.nan, rng.uniform(0, 0.99, n))
    distance = np.log10(rate) + np.where(adam, 3.0, 1.5)
    floor = 0.1 + 0.2 * distance**2 + 0.05 * np.abs(np.log(width / 64)) + rng.normal(0, 0.01, n)
    step = np.arange(n_steps + 1)
    speed = 10 ** rng.uniform(-0.4, 0.1, n)
    loss = floor[:, None] + (2.3 - np.minimum(floor, 2.2))[:, None] * (1 + step) ** -speed[:, None]
    loss[distance > 1.2, 2:] = np.nan
    about = {
        "learning_rate": {"kind": "float", "low": 1e-5, "high": 1.0, "log": True},
        "width": {"kind": "int", "low": 8, "high": 256, "log": True},
        "optimizer": {"kind": "categorical", "choices": ["adam", "sgd"]},
        "momentum": {"kind": "float", "low": 0.0, "high": 0.99, "log": False,
                     "active_when": {"optimizer": "sgd"}},
    }  # fmt: skip
    arrays = {
        "hp:learning_rate": rate,
        "hp:width": width,
        "hp:optimizer": np.where(adam, "adam", "sgd"),
        "hp:momentum": momentum,
        "y:loss": loss,
        "fid": step.astype(float),
        "t": np.cumsum(np.repeat((width / 64.0)[:, None], n_steps + 1, axis=1), axis=1),
    }
    return about, arrays


@pytest.fixture
def write_table(tmp_path: Path) -> Callable[..., Path]:
    """Write a folder with one task; returns the folder."""

    def write(
        about: dict[str, Any], arrays: dict[str, np.ndarray], direction: str = "min", **more: object
    ) -> Path:
        folder = tmp_path / "family"
        folder.mkdir(exist_ok=True)
        np.savez(folder / "task.npz", **arrays)  # type: ignore[arg-type]
        task = {"file": "task.npz", "main": "loss", "direction": direction, **more,
                "hyperparameters": about}  # fmt: skip
        (folder / "meta.json").write_text(json.dumps({"family": "f", "tasks": {"task": task}}))
        return folder

    return write


@pytest.fixture
def make_table(write_table: Callable[..., Path]) -> Maker:
    """A synthetic table of `n` rows."""

    def make(n: int = 200, n_steps: int = 27, seed: int = 0) -> Table:
        return load_table(write_table(*synthetic(n, n_steps, seed)), "task")

    return make
