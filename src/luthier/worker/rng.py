"""Every global source of random numbers: seeded, saved and put back together."""

import random
import sys
from typing import Any

import numpy as np


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and, where it is loaded, PyTorch (all devices)."""
    random.seed(seed)
    np.random.seed(seed)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def capture() -> dict[str, Any]:
    """The states as they are now."""
    states: dict[str, Any] = {"python": random.getstate(), "numpy": np.random.get_state()}
    if torch := sys.modules.get("torch"):
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def put_back(states: dict[str, Any]) -> None:
    """Set the states that were captured."""
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    if torch := sys.modules.get("torch"):
        if "torch" in states:
            torch.set_rng_state(states["torch"])
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(states["cuda"])
