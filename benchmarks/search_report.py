"""The report of `benchmarks/search.py` in Markdown, and where it goes in a page."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from search_statistics import (
    Runs,
    by_task,
    holm,
    interval,
    mean,
    mean_ranks,
    signed_rank,
    speed_up,
    worse_tasks,
)
from search_venvs import VENVS

OURS, GATE = "freeze-thaw", "asha"
BEGIN, END = "<!-- search -->", "<!-- /search -->"
_PLACE = re.compile(r"\w+://\S+|(/[^/\s:'\"]+){2,}/?")  # addresses and paths mean nothing elsewhere
Line = Mapping[str, Any]
HEAD = (
    "| searcher | anytime regret [95 %] | freeze-thaw on the same (at 100 %) | 10 % | 30 % | 100 % "
    "| mean rank | worse than freeze-thaw on tasks | Wilcoxon over tasks, Holm "
    "| speed-up of freeze-thaw | CPU ms p50 / p95 | tasks × seeds |\n" + "|---" * 12 + "|"
)


def report(lines: Sequence[Line]) -> str:
    """A table for each family, budget and number of workers; then what was not run."""
    results = [line for line in lines if "failed" not in line]
    cases = sorted({(_family(line), line["budget"], line["workers"]) for line in results})
    parts = [
        _section(case, [line for line in results
                        if (_family(line), line["budget"], line["workers"]) == case])
        for case in cases
    ]  # fmt: skip
    parts += [_versions(results), _not_run(lines)]
    return "\n\n".join(part for part in parts if part)


def write(page: Path, text: str) -> None:
    """Put the report between the page's two marks."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no {BEGIN} … {END}; write both where the report is to go.")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def _family(line: Line) -> str:
    return str(line["task"]).rpartition("/")[0]


def _section(case: tuple[str, float, int], lines: Sequence[Line]) -> str:
    family, budget, workers = case
    policies: dict[str, dict[tuple[str, int], Line]] = {}
    for line in lines:
        policies.setdefault(line["policy"], {})[line["task"], line["seed"]] = line
    everywhere = sorted(set.intersection(*(set(runs) for runs in policies.values())))
    ranks = mean_ranks(policies, everywhere) if everywhere else {}
    out = [f"### {family}, budget {budget:g} full trainings, {_workers(workers)}", ""]
    if ranks:
        out += [f"Ranks are on the {_size(everywhere)} that all searchers have.", ""]
    out.append(HEAD)
    ours = policies.get(OURS, {})
    pairs = {p: sorted(set(runs) & set(ours)) if ours else sorted(runs)
             for p, runs in policies.items()}  # fmt: skip
    shown = {p: runs for p, runs in policies.items() if pairs[p]}
    tests = _tests(ours, {p: runs for p, runs in shown.items() if p != OURS}, pairs)
    rng = np.random.default_rng(0)
    rows = []
    for policy, runs in shown.items():
        values = by_task(runs, pairs[policy], "anytime")
        rows.append((mean(values), _row(policy, runs, ours, pairs[policy], ranks, tests, rng)))
    out += [row for _, row in sorted(rows)]
    return "\n".join([*out, *_below(ours, policies.get(GATE, {}), lines)])


def _row(
    policy: str, runs: Runs, ours: Runs, pairs: Sequence[tuple[str, int]],
    ranks: Mapping[str, float], tests: Mapping[str, float], rng: np.random.Generator,
) -> str:  # fmt: skip
    values = by_task(runs, pairs, "anytime")
    low, high = interval(values, rng)
    shares = [mean(by_task(runs, pairs, f"r{p}")) for p in (10, 30, 100)]
    same = worse = speed = ""
    if ours and policy != OURS:
        mine = by_task(ours, pairs, "anytime")
        same = f"{mean(mine):.3f} ({mean(by_task(ours, pairs, 'r100')):.3f})"
        n_worse = sum(values[task].mean() > mine[task].mean() for task in mine)
        worse = f"{n_worse} of {len(mine)}"
        speed = f"{speed_up(ours, runs, pairs):.2f}"
    p_value = f"{tests[policy]:.2g}" if policy in tests else ""
    rank = f"{ranks[policy]:.2f}" if policy in ranks else ""
    cells = [
        policy, f"{mean(values):.3f} [{low:.3f}, {high:.3f}]", same,
        *(f"{share:.3f}" for share in shares), rank, worse, p_value, speed,
        f"{_ms(runs, 'p50')} / {_ms(runs, 'p95')}", _size(pairs, short=True),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _tests(
    ours: Runs, others: Mapping[str, Runs], pairs: Mapping[str, Sequence[tuple[str, int]]]
) -> dict[str, float]:
    """Wilcoxon over the tasks' means for each other searcher, adjusted for their number."""
    found = {}
    for policy, runs in others.items():
        if not ours:
            continue
        mine, theirs = (by_task(r, pairs[policy], "anytime") for r in (ours, runs))
        if len(mine) > 1:
            found[policy] = signed_rank([v.mean() for v in mine.values()],
                                        [v.mean() for v in theirs.values()])  # fmt: skip
    return dict(zip(found, holm(list(found.values())), strict=True))


def _below(ours: Runs, gate: Runs, lines: Sequence[Line]) -> list[str]:
    """Tasks on which the gate wins, and how predictions held."""
    out = []
    pairs = sorted(set(ours) & set(gate))
    if pairs:
        worse = worse_tasks(ours, gate, pairs)
        sure = [row for row in worse if row[3] < 0.05]
        told = [f"{task.rpartition('/')[2]} {mine:.3f} against {theirs:.3f} (p {p:.2g}, {n} seeds)"
                for task, mine, theirs, p, n in sure]  # fmt: skip
        out += ["", f"Beside `{GATE}`, pairs of the same seed, on {_size(pairs)}: higher on "
                    f"average on {len(worse)} tasks; significantly worse (Wilcoxon on each "
                    f"task, Holm over tasks) on {'; '.join(told) or 'none'}."]  # fmt: skip
    predicted = sum(line["predicted"] for line in lines)
    if predicted:
        covered = sum(line["covered"] for line in lines)
        out += ["", f"80 % intervals of freeze-thaw covered {100 * covered / predicted:.0f} % of "
                    f"{predicted} later readings."]  # fmt: skip
    return out


def _not_run(lines: Iterable[Line]) -> str:
    why: dict[str, Counter[str]] = {}
    for line in lines:
        if "failed" in line:
            why.setdefault(line["policy"], Counter())[_PLACE.sub("…", line["failed"])] += 1
    told = [f"- not run: {policy}, {n} searches: {reason}"
            for policy, reasons in sorted(why.items())
            for reason, n in reasons.items()]  # fmt: skip
    return "\n".join(told)


def _versions(lines: Iterable[Line]) -> str:
    """What the searchers are that do not come from Luthier."""
    there = {line["policy"] for line in lines}
    told = [
        f"{venv.title} ({', '.join(f'`{policy}`' for policy in own)})"
        for venv in VENVS.values() if (own := [p for p in venv.policies if p in there])
    ]  # fmt: skip
    return f"Peers: {'; '.join(told)}." if told else ""


def _workers(n: int) -> str:
    return "1 worker" if n == 1 else f"{n} workers"


def _size(pairs: Sequence[tuple[str, int]], *, short: bool = False) -> str:
    counts = Counter(task for task, _ in pairs)
    low, high = min(counts.values()), max(counts.values())
    seeds = f"{low}" if low == high else f"{low} to {high}"
    return f"{len(counts)} × {seeds}" if short else f"{len(counts)} tasks × {seeds} seeds"


def _ms(runs: Runs, which: str) -> str:
    found = [line[f"decision_ms_{which}"] for line in runs.values()]
    known = [ms for ms in found if ms is not None]
    return f"{np.mean(known):.1f}" if known else "–"
