import os
from pathlib import Path

import pytest

# before anything loads them: several test processes share the cores
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

SCRIPT = '''
import math, os, time
import luthier

class Counter:
    """The smallest thing with state."""
    def __init__(self): self.n = 0
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, state): self.n = state["n"]

@luthier.tune(minimize="loss", max_steps=9, space={"lr": luthier.Float(1e-4, 1.0, log=True)})
def train(run):
    counter = Counter()
    run.attach(counter=counter)
    for step in run.steps():
        counter.n += 1
        assert counter.n == step, (counter.n, step)
        with open(os.environ["STEPS_LOG"], "a") as log:
            log.write(f"{run.trial} {step}\\n")
        time.sleep(float(os.environ.get("STEP_S", "0")))
        run.report(loss=(math.log10(run.params.lr) + 2) ** 2 + 1 / counter.n, extra=math.nan)
'''


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tunable script; every step it trains is a line `trial step` in steps.log."""
    path = tmp_path / "job.py"
    path.write_text(SCRIPT)
    monkeypatch.setenv("STEPS_LOG", str(tmp_path / "steps.log"))
    monkeypatch.chdir(tmp_path)
    return path
