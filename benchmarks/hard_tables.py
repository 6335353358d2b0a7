"""Made-up tables that are hard to search, for `luthier simulate` (docs/tables.md).

    python benchmarks/hard_tables.py FOLDER [--points 300]

Seven kinds, a folder for each: two tables with 27 steps and two with 50; what is hard stands with
each maker.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray
Made = tuple[dict[str, Any], dict[str, Array]]  # hyperparameters, and the columns of the file
_LOG = {"kind": "float", "log": True}
_CHANCE = 0.69  # the loss of one who knows nothing


def _steps(n_steps: int) -> Array:
    return np.arange(1, n_steps + 1)[None, :]


def bloomers(n: int, n_steps: int, seed: int) -> Made:
    """Small rates learn slowly and end best; large ones look best for the first quarter."""
    rng = np.random.default_rng(seed)
    rate, decay = 10 ** rng.uniform(-4, 0, n), 10 ** rng.uniform(-5, -1, n)
    lr, wd = np.log10(rate), np.log10(decay)
    floor = 0.2 + 0.12 * (lr + 2.6) ** 2 + 0.05 * (wd + 3) ** 2 + rng.normal(0, 0.01, n)
    speed = 10 ** (0.55 * (lr + 2.0) - 0.1 * (wd + 3) + rng.normal(0, 0.08, n))
    fallen = np.exp(-((_steps(n_steps) * speed[:, None] / (0.3 * n_steps)) ** 1.3))
    loss = floor[:, None] + np.maximum(2.3 - floor[:, None], 0.05) * fallen
    about = {"speed": {**_LOG, "low": 1e-4, "high": 1.0},
             "decay": {**_LOG, "low": 1e-5, "high": 0.1}}  # fmt: skip
    noisy = loss + rng.normal(0, 0.008, loss.shape)
    return about, {"hp:speed": rate, "hp:decay": decay, "y:loss": noisy}


def crossing(n: int, n_steps: int, seed: int) -> Made:
    """The best third looks worst of all for three tenths of a training; no number sets the pace."""
    rng = np.random.default_rng(seed)
    rate, decay = 10 ** rng.uniform(-5, 0, n), 10 ** rng.uniform(-6, -1, n)
    floor = 0.2 * (np.log10(rate) + 2) ** 2 + 0.05 * (np.log10(decay) + 4) ** 2
    loss = floor[:, None] + 2 * np.exp(-5 * _steps(n_steps) / n_steps)
    loss[floor < np.quantile(floor, 0.3), : round(0.3 * n_steps)] += 3.0
    about = {"speed": {**_LOG, "low": 1e-5, "high": 1.0},
             "decay": {**_LOG, "low": 1e-6, "high": 0.1}}  # fmt: skip
    noisy = loss + rng.normal(0, 0.02, loss.shape)
    return about, {"hp:speed": rate, "hp:decay": decay, "y:loss": noisy}


def ragged(n: int, n_steps: int, seed: int) -> Made:
    """Noisy curves that jump up where a schedule restarts, each run at steps of its own."""
    rng = np.random.default_rng(seed)
    rate, drop = 10 ** rng.uniform(-5, 0, n), rng.uniform(0, 0.8, n)
    floor = 0.3 + 0.15 * (np.log10(rate) + 2.5) ** 2 + 0.3 * (drop - 0.3) ** 2
    start = (2.5 - np.minimum(floor, 2.4))[:, None]
    loss = floor[:, None] + start * _steps(n_steps) ** -(10 ** rng.uniform(-0.3, 0.1, (n, 1)))
    for row in loss:
        for step in np.cumsum(rng.integers(5, 15, 4)):
            row[step:] += 0.35 * np.exp(-np.arange(len(row[step:])) / 2.0)
    about = {"rate": {**_LOG, "low": 1e-5, "high": 1.0},
             "drop": {"kind": "float", "low": 0.0, "high": 0.8}}  # fmt: skip
    noisy = loss + rng.normal(0, 0.04, loss.shape)
    return about, {"hp:rate": rate, "hp:drop": drop, "y:loss": noisy}


def brittle(n: int, n_steps: int, seed: int) -> Made:
    """A conditional space in which a third of the runs break at their first step."""
    rng = np.random.default_rng(seed)
    rate, depth = 10 ** rng.uniform(-5, 0, n), rng.integers(1, 9, n)
    optimizer = rng.choice(["adam", "lion", "sgd"], n)
    sgd = optimizer == "sgd"
    momentum = np.where(sgd, rng.uniform(0, 0.99, n), np.nan)
    best = np.select([sgd, optimizer == "adam"], [-1.2, -3.0], -4.0)
    away = np.log10(rate) - best
    floor = 0.2 + 0.15 * away**2 + 0.03 * np.abs(depth - 4) + rng.normal(0, 0.01, n)
    floor += np.where(sgd, 0.3 * (np.nan_to_num(momentum) - 0.9) ** 2, 0.0)
    start = (2.3 - np.minimum(floor, 2.2))[:, None]
    loss = floor[:, None] + start * _steps(n_steps) ** -(10 ** rng.uniform(-0.4, 0.0, (n, 1)))
    loss[(away > 1.0) | (rng.random(n) < 0.08)] = np.nan
    about = {
        "rate": {**_LOG, "low": 1e-5, "high": 1.0},
        "optimizer": {"kind": "categorical"},
        "momentum": {"kind": "float", "low": 0.0, "high": 0.99,
                     "active_when": {"optimizer": "sgd"}},
        "depth": {"kind": "int", "low": 1, "high": 8},
    }  # fmt: skip
    return about, {"hp:rate": rate, "hp:optimizer": optimizer, "hp:momentum": momentum,
                   "hp:depth": depth, "y:loss": loss}  # fmt: skip


def sitters(n: int, n_steps: int, seed: int) -> Made:
    """Most sit at the level of one who knows nothing; the few that learn look worse at first."""
    rng = np.random.default_rng(seed)
    lr, wd = rng.uniform(-6, 0, n), rng.uniform(-6, 0, n)
    learns = (np.abs(lr + 3.3) < 0.5) & (wd < -2.0)
    idle = _idle(rng, n_steps, lr < -4.0)
    done = (_steps(n_steps) / n_steps) ** 0.7
    falling = 0.78 - (0.5 - 0.3 * np.abs(lr + 3.3))[:, None] * done
    return _speed_and_decay(rng, lr, wd, np.where(learns[:, None], falling, idle))


def late(n: int, n_steps: int, seed: int) -> Made:
    """Good runs sit at chance like most, and take off after a sixth to two fifths of training."""
    rng = np.random.default_rng(seed)
    lr, wd = rng.uniform(-6, 0, n), rng.uniform(-6, 0, n)
    learns = (np.abs(lr + 3) < 0.8) & (wd < -1.5)
    idle = _idle(rng, n_steps, lr < -4.5)
    off = rng.uniform(0.15, 0.4, n)[:, None]
    since = ((_steps(n_steps) / n_steps - off) / (1 - off)).clip(0.0, 1.0)
    falling = _CHANCE - (0.5 - 0.25 * np.abs(lr + 3))[:, None] * since**0.7
    return _speed_and_decay(rng, lr, wd, np.where(learns[:, None] & (since > 0), falling, idle))


def _idle(rng: np.random.Generator, n_steps: int, slow: Array) -> Array:
    """Losses of those who learn nothing: at chance after a step or two, or well above it."""
    n = len(slow)
    sitting = _CHANCE + np.exp(-3.0 * _steps(n_steps)) * rng.uniform(0, 0.3, n)[:, None]
    waiting = 1.1 + rng.uniform(-0.1, 0.1, n)[:, None] + np.zeros(n_steps)
    return np.where(slow[:, None], waiting, sitting)


def _speed_and_decay(rng: np.random.Generator, lr: Array, wd: Array, loss: Array) -> Made:
    about = {name: {**_LOG, "low": 1e-6, "high": 1.0} for name in ("speed", "decay")}
    noisy = loss + rng.normal(0, 1e-4, loss.shape)
    return about, {"hp:speed": 10**lr, "hp:decay": 10**wd, "y:loss": noisy}


def easy(n: int, n_steps: int, seed: int) -> Made:
    """Many are good after a step or two, as in fine-tuning; large rates never are."""
    rng = np.random.default_rng(seed)
    rate, decay = 10 ** rng.uniform(-6, -1, n), 10 ** rng.uniform(-5, 0, n)
    drop = rng.uniform(0, 0.5, n)
    lr, wd = np.log10(rate), np.log10(decay)
    floor = 0.1 + 0.008 * (lr + 4) ** 2 + 0.003 * (wd + 2) ** 2 + 0.02 * (drop - 0.1) ** 2
    floor += rng.normal(0, 0.002, n)
    fallen = np.exp(-((_steps(n_steps) * 10 ** (lr[:, None] + 4.6)) ** 0.8))
    loss = floor[:, None] + (2.3 - floor[:, None]) * fallen + 0.02 * _steps(n_steps) ** -0.5
    failed = np.minimum(2.3, 0.3 + 1.5 * (lr + 2.2) + 0.1 * rng.random(n))
    loss = np.where((lr > -2.2)[:, None], failed[:, None], loss)
    loss += rng.normal(0, 0.002, loss.shape)
    about = {"speed": {**_LOG, "low": 1e-6, "high": 0.1},
             "decay": {**_LOG, "low": 1e-5, "high": 1.0},
             "drop": {"kind": "float", "low": 0.0, "high": 0.5}}  # fmt: skip
    return about, {"hp:speed": rate, "hp:decay": decay, "hp:drop": drop, "y:loss": loss}


MAKERS: tuple[Callable[[int, int, int], Made], ...] = (
    bloomers, crossing, ragged, brittle, sitters, late, easy,
)  # fmt: skip


def main() -> None:
    """Write all tables, and what each `meta.json` says of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=300)
    asked = parser.parse_args()
    for maker in MAKERS:
        kind = maker.__name__
        folder, tasks = asked.folder / kind, {}
        folder.mkdir(parents=True, exist_ok=True)
        for n_steps, first_seed in ((27, 0), (50, 10)):
            for number in range(2):
                name = f"{kind}-{n_steps}-{number}"
                about, columns = maker(asked.points, n_steps, first_seed + number)
                np.savez(folder / f"{name}.npz", **columns)  # type: ignore[arg-type]
                tasks[name] = {"file": f"{name}.npz", "main": "loss", "direction": "min",
                               "hyperparameters": about}  # fmt: skip
        (folder / "meta.json").write_text(json.dumps({"tasks": tasks}), encoding="utf-8")
        print(f"{len(tasks)} tables in {folder}")


if __name__ == "__main__":
    main()
