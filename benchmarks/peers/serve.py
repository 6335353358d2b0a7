"""The process of a peer: jobs come in as lines of JSON, a line of results goes out for each.

`VENV/bin/python benchmarks/peers/NAME_peer.py [JOBS.jsonl]`; without a file, standard input. A job
has `task policy budget workers seed` and `file`, the table as `search_jobs.export` wrote it. A job
that raises gives a line with `failed`, and the next one begins. What the libraries print goes to
standard error.
"""

import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from curves import Curves, load
from line import line_of
from pool import Search, Searcher

KEYS = ("task", "policy", "budget", "workers", "seed")
Make = Callable[[Curves, int, int, int], Searcher]  # curves, seed, workers, budget in steps


def once(job: Mapping[str, Any], make: Make) -> dict[str, Any]:
    """Search once; the line."""
    curves = load(Path(job["file"]))
    budget = max(1, round(job["budget"] * curves.max_steps))
    np.random.seed(job["seed"])  # some peers draw from the global generator
    began_s = time.process_time()
    searcher = make(curves, job["seed"], job["workers"], budget)
    rng = np.random.default_rng(job["seed"])
    search = Search(curves, searcher, budget, job["workers"], rng)
    search.run()
    cpu_s = time.process_time() - began_s
    return line_of({k: job[k] for k in KEYS}, search.regret(), search.decision_ms, cpu_s)


def serve(makers: Mapping[str, Make]) -> None:
    """Answer every job that comes in."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with open(sys.argv[1]) if len(sys.argv) > 1 else sys.stdin as jobs:
        for text in jobs:
            job = json.loads(text)
            try:
                line = once(job, makers[job["policy"]])
            except Exception as error:
                traceback.print_exc()
                why = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                line = {**{k: job[k] for k in KEYS}, "failed": why}
            out.write(json.dumps(line) + "\n")
            out.flush()
            gc.collect()
