"""Does annealing the best runs with the last part of a budget find more than new starts do?

    python benchmarks/nursing.py --out RESULTS.jsonl [--tasks digits,…] [--budgets 2,4,8,16]
                                 [--policies freeze-thaw,asha] [--seeds 3] [--first-seed 0]
    python benchmarks/nursing.py --out RESULTS.jsonl --report

The tasks, space and lengths are those of `choose.py`, with the script's rate constant (--shape
linear: annealed by the script, where nursing should find nothing to do). Each search is run twice
with the same seed and the same number of training steps, one run at a time: as it is, and nursed.
The result is the best validation loss seen. Each search appends one line; what is there is not run
again.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from choose import MAX_STEPS, TASKS, train

from luthier.contracts import Policy
from luthier.policies.nursing import Nursing
from luthier.registry import make_policy

BUDGETS = (2.0, 4.0, 8.0, 16.0)
PLAIN = "plain"
# as the constants stand, and others that were looked at
VARIANTS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "nursed": {},
    "peak 1": {"peak": 1.0},
    "peak 3": {"peak": 3.0},
    "one run": {"n_nursed": 1},
    "larger share": {"share": 0.25},
}
KEYS = ("task", "policy", "variant", "shape", "budget", "seed")
_N_BOOTSTRAP = 10_000


def search(
    task: str, policy: str, variant: str, shape: str, budget: float, seed: int
) -> dict[str, Any]:
    """One search in this process; the line for the file."""
    os.environ["LUTHIER_PROBES"] = "off"
    player: Policy = make_policy(policy)
    if variant != PLAIN:
        player = Nursing(player, **VARIANTS[variant])
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = train.search(
            steps=budget * MAX_STEPS, policy=player, executor="inline", seed=seed,
            fixed={"task": task, "shape": shape}, store=Path(folder) / "s.db", lint=False,
            nurse=False,  # not beyond what `player` does
        )  # fmt: skip
        view = result.view
        best = view.best()
        forks = {e.run_id for e in view.diary if e.state == "obeyed"
                 and type(e.action).__name__ == "Fork"}  # fmt: skip
        line = {
            "task": task, "policy": policy, "variant": variant, "shape": shape, "budget": budget,
            "seed": seed, "loss": best.curve.best_loss if best else math.inf,
            "n_trials": len(view.trials), "n_forks": len(forks),
            "fork_wins": best is not None and best.id in forks
            and best.parent is not None and best.curve.best_step > best.parent.step,
            "steps": sum(r.step - (r.parent.step if r.parent else 0) for r in view.runs.values()),
            "wall_s": time.perf_counter() - began_s,
        }  # fmt: skip
        result.store.close()
    return line


def bootstrap(logs: np.ndarray) -> tuple[float, float, float]:
    """Geometric mean of ratios in percent, and its 95 % interval; `logs` by task or as one row."""
    rng = np.random.default_rng(0)
    drawn = rng.choice(logs, (_N_BOOTSTRAP, len(logs))).mean(axis=1)
    ends = [logs.mean(), *np.quantile(drawn, [0.025, 0.975])]
    mean, low, high = (100.0 * math.expm1(e) for e in ends)
    return mean, low, high


def report(lines: list[dict[str, Any]]) -> Iterator[str]:
    """Tables in Markdown: each variant's loss over the plain search's, pair by pair."""
    known = {tuple(line[k] for k in KEYS): line for line in lines}
    for shape in sorted({line["shape"] for line in lines}):
        for policy in sorted({line["policy"] for line in lines}):
            for variant in [v for v in VARIANTS if v != PLAIN]:
                pairs = []
                for key, line in known.items():
                    if key[1:4] != (policy, variant, shape):
                        continue
                    plain = known.get((key[0], policy, PLAIN, *key[3:]))
                    if plain is not None:
                        pairs.append((line, plain))
                if pairs:
                    yield from _table(f"{policy}, {variant}, rate {shape}", pairs)


def _table(title: str, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> Iterator[str]:
    budgets = sorted({line["budget"] for line, _ in pairs})
    yield f"\n| {title} | {' | '.join(f'{b:g}' for b in budgets)} | all |"
    yield "|---|" + "---|" * (len(budgets) + 1)
    tasks = [task for task in TASKS if any(line["task"] == task for line, _ in pairs)]
    for task in [*tasks, "all"]:
        cells = []
        for budget in [*budgets, None]:
            here = [(a, b) for a, b in pairs if task in (a["task"], "all")
                    and budget in (a["budget"], None)]  # fmt: skip
            if not here:
                cells.append("-")
                continue
            logs = np.array([math.log(a["loss"] / b["loss"]) for a, b in here])
            mean, low, high = bootstrap(logs)
            if budget is None or task == "all":
                cells.append(f"{mean:+.1f} % [{low:+.1f}, {high:+.1f}] of {len(here)}")
            else:
                losses = np.mean([[a["loss"], b["loss"]] for a, b in here], axis=0)
                cells.append(f"{losses[1]:.4f} → {losses[0]:.4f}")
        yield f"| {task} | {' | '.join(cells)} |"
    wins = sum(a["fork_wins"] for a, _ in pairs)
    forks = sum(a["n_forks"] for a, _ in pairs) / len(pairs)
    yield f"\nA fork was the best in {wins} of {len(pairs)}; {forks:.1f} forks on average."


def main() -> None:
    """Run what is not there yet, or print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", default="digits,cancer,diabetes,digits-cnn,stdlib,mnist")
    parser.add_argument("--policies", default="freeze-thaw,asha")
    parser.add_argument("--variants", default=f"{PLAIN},nursed")
    parser.add_argument("--shape", choices=["constant", "linear"], default="constant")
    parser.add_argument("--budgets", default=",".join(f"{b:g}" for b in BUDGETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    lines = [json.loads(r) for r in args.out.read_text().splitlines()] if args.out.exists() else []
    if args.report:
        print("\n".join(report(lines)))
        return
    done = {tuple(line[k] for k in KEYS) for line in lines}
    cells = [
        (task, policy, variant, args.shape, budget, seed)
        for seed in range(args.first_seed, args.first_seed + args.seeds)
        for budget in map(float, args.budgets.split(","))
        for task in args.tasks.split(",")
        for policy in args.policies.split(",")
        for variant in args.variants.split(",")
    ]
    for cell in cells:
        if cell in done:
            continue
        line = search(*cell)
        with args.out.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(*cell, f"{line['loss']:.4f} {line['n_forks']} forks {line['wall_s']:.1f} s",
              file=sys.stderr)  # fmt: skip


if __name__ == "__main__":
    main()
