"""Environments of the searchers that `benchmarks/search.py` compares with: one each, made once.

Python 3.11: HEBO's pins have no wheels for later ones.
"""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

TORCH = "torch==2.13.0"


@dataclass(frozen=True)
class Venv:
    """What is installed, one call of pip after the other, and which searchers live there."""

    title: str
    policies: tuple[str, ...]
    script: str  # in benchmarks/peers
    pip: tuple[str, ...]
    imports: tuple[str, ...]  # what the script imports from there
    parallel: tuple[str, ...] = field(default=())  # policies that may have several workers
    torch: bool = True  # first, and by its exact version


_OPTUNA = ("optuna-tpe", "optuna-tpe-hyperband", "optuna-tpe-halving", "optuna-gp")
_SYNE_TUNE = ("syne-tune-bohb", "syne-tune-asha-cqr", "syne-tune-asha-bore")
_SYNE_TUNE_OLD = ("mobster", "hyper-tune", "dyhpo", "syne-tune-pasha")
_HEBO = (
    "numpy==1.24.4 scipy==1.11.4 pandas==2.0.3 scikit-learn==1.3.2 matplotlib==3.7.5 "
    "gpytorch==1.11 linear_operator==0.5.1 catboost disjoint-set GPy==1.13.2 cma==3.2.2 "
    "pymoo==0.6.0 hebo==0.3.6"
)
VENVS = {
    "optuna": Venv(
        "Optuna 5.0.0", _OPTUNA, "optuna_peer.py",
        ("optuna==5.0.0 cmaes scipy sqlalchemy",), ("optuna",), _OPTUNA,
    ),
    "syne-tune": Venv(
        "Syne Tune 0.16.0", _SYNE_TUNE, "syne_tune_peer.py",
        ("syne-tune[extra]==0.16.0",), ("syne_tune",), _SYNE_TUNE,
    ),
    "syne-tune-old": Venv(
        "Syne Tune 0.13.0", _SYNE_TUNE_OLD, "syne_tune_old_peer.py",
        ("syne-tune[gpsearchers,basic]==0.13.0",), ("syne_tune",), _SYNE_TUNE_OLD, torch=False,
    ),
    "smac": Venv(
        "SMAC3 2.4.1", ("smac",), "smac_peer.py", ("smac==2.4.1",), ("ConfigSpace", "smac"),
        torch=False,
    ),
    "dehb": Venv("DEHB 0.1.2", ("dehb",), "dehb_peer.py", ("dehb==0.1.2",), ("dehb",), torch=False),
    "neps": Venv(
        "NePS 0.17.0", ("neps-priorband",), "neps_peer.py",
        ("neural-pipeline-search==0.17.0",), ("neps", "torch"),
    ),
    "hebo": Venv("HEBO 0.3.6", ("hebo",), "hebo_peer.py", (_HEBO,), ("hebo", "pandas", "torch")),
    "ax": Venv("Ax 1.3.1", ("ax",), "ax_peer.py", ("ax-platform==1.3.1",), ("ax", "torch")),
}  # fmt: skip
# a search of 20 full trainings takes more than some ten seconds of CPU: fewer seeds
SLOW = (
    "syne-tune-asha-cqr", "syne-tune-asha-bore", "mobster", "hyper-tune", "dyhpo", "hebo", "ax",
)  # fmt: skip


def venv_of(policy: str) -> Venv:
    """Where a searcher lives."""
    return next(venv for venv in VENVS.values() if policy in venv.policies)


def ready(name: str, folder: Path) -> Path:
    """The environment's Python; installed if it is not there. Raises what pip said."""
    place = folder / name
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    mark = place / "installed"
    venv = VENVS[name]
    wanted = "\n".join(([TORCH] if venv.torch else []) + list(venv.pip))
    if mark.exists() and mark.read_text() == wanted:
        return python
    print(f"installing {name} in {place} (minutes)", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    _call([sys.executable, "-m", "venv", str(place)])
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    constraint = folder / "constraint.txt"
    constraint.write_text(TORCH + "\n")
    if venv.torch:
        _call([*pip, TORCH])
    for line in venv.pip:
        _call([*pip, "-c", str(constraint), *line.split()])
    mark.write_text(wanted)
    return python


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise OSError(f"{' '.join(command[1:3])} failed: {' '.join(last)}")
