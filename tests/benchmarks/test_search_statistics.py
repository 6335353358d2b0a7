from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def line(curve: list[float], **more: Any) -> dict[str, Any]:
    return {"curve": curve, "r10": curve[0], "r30": curve[0], "r100": curve[-1],
            "anytime": float(np.mean(curve)), **more}  # fmt: skip


def test_holm_as_in_the_paper() -> None:
    holm = import_module("search_statistics").holm
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_speed_up_is_the_share_of_steps_that_reach_their_end() -> None:
    statistics = import_module("search_statistics")
    ours, theirs = line([0.9, 0.4, 0.2, 0.1]), line([0.9, 0.8, 0.7, 0.4])
    assert statistics.step_ratio(ours, theirs) == pytest.approx(2 / 5)  # the last value is added
    assert statistics.step_ratio(theirs, ours) == pytest.approx(5 / 2)  # and the other way round
    pairs = [("t", 0), ("u", 0)]
    a, b = dict.fromkeys(pairs, ours), dict.fromkeys(pairs, theirs)
    assert statistics.speed_up(a, b, pairs) == pytest.approx(2.5)
    assert statistics.speed_up(b, a, pairs) == pytest.approx(0.4)


def test_a_searcher_that_found_nothing_is_not_beaten_by_the_first_step() -> None:
    statistics = import_module("search_statistics")
    nothing, late = line([1.0] * 4), line([1.0, 1.0, 0.5, 0.5])
    assert statistics.step_ratio(nothing, nothing) == 1.0
    assert statistics.step_ratio(late, nothing) == pytest.approx(3 / 5)


def test_pairs_and_tasks_count_and_nothing_else() -> None:
    statistics = import_module("search_statistics")
    runs = {("t", s): line([0.1 * s]) for s in range(3)} | {("u", 0): line([0.5])}
    values = statistics.by_task(runs, [("t", 0), ("t", 2), ("u", 0)], "anytime")
    assert statistics.mean(values) == pytest.approx((0.1 + 0.5) / 2)
    low, high = statistics.interval(values, np.random.default_rng(0))
    assert 0.0 <= low < 0.3 < high <= 0.5
    assert statistics.signed_rank([1.0, 2.0], [1.0, 2.0]) == 1.0


def test_a_task_on_which_we_are_worse_is_named() -> None:
    statistics = import_module("search_statistics")
    pairs = [(task, seed) for task in ("good", "bad") for seed in range(12)]
    ours = {p: line([0.2 if p[0] == "good" else 0.9 + 0.001 * p[1]]) for p in pairs}
    asha = {p: line([0.5 + 0.01 * p[1]]) for p in pairs}
    (task, mine, theirs, p_value, n_seeds), *others = statistics.worse_tasks(ours, asha, pairs)
    assert (task, n_seeds, others) == ("bad", 12, [])
    assert mine > theirs
    assert p_value < 0.01


def lines() -> list[dict[str, Any]]:
    made = []
    for policy, n_seeds, regret in (("freeze-thaw", 3, 0.2), ("asha", 3, 0.3), ("ax", 2, 0.1)):
        made += [
            line([regret + 0.01 * seed], task=f"f/{task}", policy=policy, budget=5.0, workers=1,
                 seed=seed, decision_ms_p50=1.0, decision_ms_p95=None, covered=0, predicted=0)
            for seed in range(n_seeds) for task in ("a", "b")
        ]  # fmt: skip
    broken = {"task": "f/a", "policy": "hebo", "budget": 5.0, "workers": 1, "seed": 0}
    return [
        *made,
        {**broken, "failed": "not installed: no network in /home/me/venvs: see https://a.b/c"},
    ]


def test_the_report_says_sizes_and_what_was_not_run(tmp_path: Path) -> None:
    report = import_module("search_report")
    text = report.report(lines())
    assert "### f, budget 5 full trainings, 1 worker" in text
    assert "Ranks are on the 2 tasks × 2 seeds" in text
    (ax,) = [row for row in text.splitlines() if row.startswith("| ax ")]
    assert "2 × 2 |" in ax
    assert "| 0.205 (0.205) |" in ax  # freeze-thaw on the two seeds that Ax has
    assert "- not run: hebo, 1 searches: not installed: no network in …: see …" in text
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- search -->\nold\n<!-- /search -->\nafter\n")
    report.write(page, "new")
    assert page.read_text() == ("before\n<!-- search -->\n\nnew\n\n<!-- /search -->\nafter\n")
    page.write_text("no marks")
    with pytest.raises(ValueError, match="has no"):
        report.write(page, "new")
