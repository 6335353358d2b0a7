"""`luthier what-if`: the balance of stopping early, as a table or as JSON."""

import json
import math
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from luthier.cli.look import number
from luthier.core.short import counted
from luthier.what_if import N_LEAST, WhatIf


def to_json(told: WhatIf) -> str:
    """For programs; what is no number is null."""
    return json.dumps(_plain(asdict(told)))


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_balance(told: WhatIf, n_rows: int) -> None:
    """Print the balance, and the runs most likely to have been better."""
    console = Console()
    table = Table(
        title=f"study {told.study}: what early stopping did",
        title_justify="left",
        show_header=False,
    )
    table.add_column("")
    table.add_column("", justify="right")
    share = told.steps_saved / ((told.steps_saved + told.steps_spent) or 1.0)
    table.add_row("runs trained to the end", f"{told.n_completed}")
    table.add_row(f"runs left before step {told.full_steps:g}", f"{told.n_left}")
    table.add_row("steps trained", f"{told.steps_spent:,.0f}")
    table.add_row("steps saved", f"{told.steps_saved:,.0f} ({share:.0%} of all)")
    table.add_row("seconds trained", f"{told.seconds_spent:,.1f}")
    table.add_row("seconds saved (at each run's pace)", f"{told.seconds_saved:,.1f}")
    table.add_row(f"best {told.metric}", number(told.best) if told.best == told.best else "–")
    if told.p_better is not None and told.missed is not None and told.missed_90 is not None:
        table.add_row("chance that a run left was better", _percent(told.p_better))
        table.add_row(f"expected gain in {told.metric} from training all", number(told.missed))
        table.add_row("  in one case of ten at least", number(told.missed_90))
    console.print(table)
    if told.n_left and told.p_better is None:
        few = (
            f"{counted(told.n_finished, 'run')} trained to the end with a number, {N_LEAST} are "
            "needed"
        )
        why = few if told.n_finished < N_LEAST else "what was left had reported nothing"
        console.print(f"What it may have cost cannot be told: {why}.")
    if not told.left:
        return
    rows = Table(title="most likely to have been better", title_justify="left")
    for name in ("trial", "left at", told.metric, "recorded", "now", "reason"):
        rows.add_column(name, justify="left" if name == "reason" else "right")
    chance = {run.run: run.p_better or 0.0 for run in told.left}
    order = sorted(told.left, key=lambda r: (-chance[r.run], -(r.recorded_p_best or 0.0)))
    for run in order[:n_rows]:
        rows.add_row(
            str(run.trial), f"{run.step:g}", "–" if run.value is None else number(run.value),
            _percent(run.recorded_p_best), _percent(run.p_better), run.reason,
        )  # fmt: skip
    console.print(rows)


def _percent(chance: float | None) -> str:
    return "-" if chance is None else f"{chance:.1%}"
