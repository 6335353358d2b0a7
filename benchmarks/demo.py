"""The demo's study with early stopping, and random search without it in the same time.

python benchmarks/demo.py [TIME] [N_SEEDS]
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples" / "mnist.py"


def best(policy: str, time_text: str, seed: int) -> tuple[float, int]:
    """Best validation accuracy, and how many trials there were."""
    with tempfile.TemporaryDirectory() as folder:
        store = f"{folder}/demo.db"
        command = [sys.executable, "-m", "luthier", "tune", str(EXAMPLE), "--json"]
        options = ["--time", time_text, "--policy", policy, "--seed", str(seed), "--store", store]
        subprocess.run([*command, *options], check=True, capture_output=True)
        look = [sys.executable, "-m", "luthier", "show", "--json", "--store", store]
        shown = json.loads(subprocess.run(look, check=True, capture_output=True).stdout)
    return shown["trials"][0]["best"], len(shown["trials"])


if __name__ == "__main__":
    time_text = sys.argv[1] if len(sys.argv) > 1 else "2m"
    for seed in range(int(sys.argv[2]) if len(sys.argv) > 2 else 1):
        for policy in ("asha", "random"):
            value, n_trials = best(policy, time_text, seed)
            print(
                f"seed {seed}  {policy:7} val_accuracy {value:.4f}  {n_trials} trials", flush=True
            )
