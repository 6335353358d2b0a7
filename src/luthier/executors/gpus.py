"""NVIDIA devices: which there are, and who gets which."""

import os
from collections.abc import Sequence
from pathlib import Path

from luthier.core.errors import OptionError


def find_gpus() -> tuple[str, ...]:
    """The devices a run may be given, as CUDA_VISIBLE_DEVICES names them."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return tuple(filter(None, visible.split(",")))
    found = sorted(Path("/dev").glob("nvidia[0-9]*"), key=lambda p: (len(p.name), p.name))
    return tuple(path.name.removeprefix("nvidia") for path in found)


def n_places(gpus: Sequence[str], per_run: float | None) -> int:
    """Runs that fit on the devices at a time, one each when nothing is said; 0 without devices."""
    if per_run is None:
        return len(gpus)
    if per_run >= 1 and per_run == int(per_run):
        return len(gpus) // int(per_run)
    if 0 < per_run < 1:
        return len(gpus) * int(1 / per_run + 1e-9)
    raise OptionError(
        f"gpus_per_run={per_run}; expected a whole number of devices, or a share of one such as 0.5"
    )


def shared_out(gpus: Sequence[str], n_workers: int, per_run: float | None) -> tuple[str, ...]:
    """CUDA_VISIBLE_DEVICES of each worker; nothing without devices.

    Without `per_run` workers take turns: 4 workers on 2 devices have half a device each. Raises
    OptionError when the devices do not hold that many runs.
    """
    if not gpus:
        return ()
    if per_run is None:
        return tuple(gpus[slot % len(gpus)] for slot in range(n_workers))
    if n_workers > (most := n_places(gpus, per_run)):
        raise OptionError(
            f"workers={n_workers} with gpus_per_run={per_run:g}; {len(gpus)} devices hold {most}."
        )
    if per_run < 1:
        return tuple(gpus[slot // int(1 / per_run + 1e-9)] for slot in range(n_workers))
    width = int(per_run)
    return tuple(",".join(gpus[slot * width : (slot + 1) * width]) for slot in range(n_workers))
