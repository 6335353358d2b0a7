"""Pages of the diary in the terminal, in Markdown, as JSON."""

import math
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from luthier import api
from luthier.core.script import script_of
from luthier.core.short import short
from luthier.diary import Page, diary_of, schedule_code, schedule_toml, verdict_words
from luthier.handle import RunHandle

_STYLES = {"helped": "green", "hurt": "red", "could not tell": "yellow"}
_HEADS = ("#", "when", "step", "who", "what", "why", "came of it")


def diary_table(store: str, hand: RunHandle) -> None:
    """Print the diary on the terminal."""
    title = f"diary of run {hand.id}"
    table = Table(box=None, padding=(0, 1), title=title, title_justify="left", expand=True)
    for head in _HEADS:
        number = head in ("#", "step")
        table.add_column(
            head, justify="right" if number else "left",
            no_wrap=head in _HEADS[:4], ratio=None if head in _HEADS[:4] else 1,
        )  # fmt: skip
    for page, cells in _rows(store, hand):
        outcome = page.verdict.outcome if page.verdict else ""
        style = _STYLES.get(outcome, "red" if page.entry.state == "refused" else "")
        table.add_row(*map(Text, cells[:-1]), Text(cells[-1], style=style))
    Console().print(table)


def diary_markdown(store: str, hand: RunHandle) -> str:
    """The diary as a Markdown table."""
    rows = [_HEADS, ["---"] * len(_HEADS), *(cells for _, cells in _rows(store, hand))]
    return "\n".join(f"| {' | '.join(c.replace('|', '/') for c in cells)} |" for cells in rows)


def diary_json(store: str, hand: RunHandle) -> list[dict[str, Any]]:
    """The diary for programs; numbers that are none by name."""
    found = []
    for page in _pages(store, hand):
        entry, judged = page.entry, page.verdict
        found.append(
            {
                "number": entry.number,
                "time": entry.time_s,
                "step": entry.step,
                "author": entry.action.author.value,
                "kind": page.kind,
                "run": entry.run_id,
                "parent": entry.parent,
                "reason": entry.action.reason,
                "state": entry.state,
                "why": entry.why,
                "before": dict(page.before),
                "after": dict(page.after),
                "forecast": {
                    "value": _plain(page.forecast),
                    "error": _plain(page.forecast_error),
                    "at_step": _plain(page.horizon),
                },
                "verdict": judged
                and {
                    "outcome": judged.outcome,
                    "observed": _plain(judged.observed),
                    "expected": _plain(judged.expected),
                    "error": _plain(judged.error),
                    "n_reports": judged.n,
                    "until_step": _plain(judged.until),
                },
            }
        )
    return found


def schedule(store: str, hand: RunHandle, how: str) -> str:
    """The changes that made the run what it is, as code or TOML."""
    found = api.open_study(store, hand.study).store
    script = script_of(found.view(), found.diary(), hand.id)
    return (schedule_toml(script) or "# no changes") if how == "toml" else schedule_code(script)


def replay_words(result: api.StudyResult, old_id: str, new_id: str) -> str:
    """Whether a replay gave the same reports."""
    store = result.store
    old, new = store.metrics(old_id), store.metrics(new_id)
    study = store.study
    run = store.view().runs[new_id]
    words = f"run {new_id}: {run.state.value} at step {run.step:g}, {study.metric} "
    words += f"{study.loss(run.curve.last):.6g}"
    if run.step < store.view().runs[old_id].step:
        return words
    same = all(
        name in new
        and np.array_equal(new[name].until(curve.steps[-1]).values, curve.values, equal_nan=True)
        for name, curve in old.items()
        if not name.startswith("probe/")  # clocks, and what was looked at when there was time
    )
    return f"{words}; {'the same as' if same else 'not the same as'} run {old_id}"


def cells_of(page: Page, metric: str, sign: float) -> list[str]:
    """A page as the cells of a row."""
    entry = page.entry
    what = f"{page.kind} {entry.parent}→{entry.run_id}" if entry.parent else page.kind
    for name, value in page.after.items():
        was = page.before.get(name)
        what += f" {name} {short(was)}→{short(value)}" if was is not None else (
            f" {name}={short(value)}"
        )  # fmt: skip
    came = entry.why if entry.state == "refused" else verdict_words(page, metric, sign)
    if entry.state != "obeyed":
        came = f"{entry.state}: {came}" if came else entry.state
    elif entry.why:
        came = f"{came}; {entry.why}" if came else entry.why
    return [
        str(entry.number),
        _when(entry.time_s),
        "" if entry.step is None else f"{entry.step:.4g}",
        entry.action.author.value,
        what,
        entry.action.reason,
        came,
    ]


def _pages(store: str, hand: RunHandle) -> list[Page]:
    return diary_of(api.open_study(store, hand.study).store, hand.id)


def _rows(store: str, hand: RunHandle) -> list[tuple[Page, list[str]]]:
    study = api.open_study(store, hand.study).store.study
    sign = study.loss(1.0)
    return [(page, cells_of(page, study.metric, sign)) for page in _pages(store, hand)]


def _when(time_s: float) -> str:
    then, now = time.localtime(time_s), time.localtime()
    return time.strftime("%H:%M:%S" if then[:3] == now[:3] else "%m-%d %H:%M", then)


def _plain(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
