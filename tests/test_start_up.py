"""What the promise of a fast start rests on: nothing heavy is imported."""

import subprocess
import sys

import pytest

HEAVY = ("numpy", "torch", "scipy", "pandas", "sqlite3", "rich", "cloudpickle")


@pytest.mark.parametrize("code", ["import luthier", "import luthier.cli"])
def test_nothing_heavy_is_imported(code: str) -> None:
    program = f"import sys; {code}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_plain_script_without_tuner() -> None:
    code = (
        "import luthier; run = luthier.current_run()\n"
        "for step in run.steps(3): run.report(loss=1.0 / step)\n"
        "print(run.step, dict(run.params))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"3 {}"
