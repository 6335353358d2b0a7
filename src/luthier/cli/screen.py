"""The live screen of `luthier tune`, and the plain log where there is no terminal."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from luthier.cli.look import by_merit, curve_values, number, params_words, sparkline
from luthier.contracts import Store
from luthier.core.short import error_line
from luthier.core.study import Run, RunState, StudyView
from luthier.knowledge.reasons import reason_words
from luthier.sitting import Observer
from luthier.tuner import n_steps

_REFRESH_S = 0.5
_N_BEST, _N_RUNNING, _N_NEWS = 6, 8, 5
_COLORS = {"completed": "green", "running": "cyan", "pending": "cyan", "failed": "red",
           "lost": "red", "stopped": "yellow", "paused": "yellow"}  # fmt: skip


@contextmanager
def watching(*, quiet: bool) -> Iterator[Observer]:
    """An observer for `search`: a live screen on a terminal, lines elsewhere, nothing if quiet."""
    console = Console(stderr=quiet)
    if quiet:
        yield lambda store, view: None
    elif not console.is_terminal:
        log = _News(width=200)

        def write(store: Store, view: StudyView) -> None:
            for line in log.new(view):
                print(line, flush=True)

        yield write
    else:
        news = _News(width=console.width)
        recent: deque[str] = deque(maxlen=_N_NEWS)
        drawn_s = 0.0
        with Live(console=console, auto_refresh=False, redirect_stderr=False) as live:
            live.update(Text("loading the script …", style="dim"), refresh=True)
            seen: list[StudyView] = []

            def observe(store: Store, view: StudyView) -> None:
                nonlocal drawn_s
                seen[:] = [view]
                now_s = time.monotonic()
                if store.closed or now_s - drawn_s >= _REFRESH_S:
                    drawn_s = now_s
                    recent.extend(news.new(view))
                    live.update(_screen(view, recent), refresh=True)

            try:
                yield observe
            finally:  # the picture at the end, however it came
                for view in seen:
                    recent.extend(news.new(view))
                    live.update(_screen(view, recent), refresh=True)


def _screen(view: StudyView, news: deque[str]) -> RenderableType:
    study = view.study
    head = Table.grid(padding=(0, 1))
    done, words = _progress(view)
    head.add_row(Text(study.name, style="bold"), ProgressBar(1.0, done, width=30), words)
    now = [run for run in view.current().values() if run.active][:_N_RUNNING]
    return Group(
        head,
        _table("best", view, by_merit(view)[:_N_BEST]),
        *([_table("training now", view, now)] if now else []),
        *(Text(line, style="dim", overflow="ellipsis", no_wrap=True) for line in news),
    )  # fmt: skip


def _table(title: str, view: StudyView, runs: list[Run]) -> Table:
    metric = view.study.metric
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1), expand=True
    )
    table.add_column("trial", justify="right", no_wrap=True, min_width=5)
    table.add_column(Text(metric), justify="right", no_wrap=True, min_width=min(len(metric), 14))
    table.add_column("step", justify="right", no_wrap=True, min_width=4)
    table.add_column("state", no_wrap=True, min_width=9)
    table.add_column("curve", no_wrap=True, min_width=16)
    table.add_column("parameters", no_wrap=True, overflow="ellipsis", ratio=1)
    for run in runs:
        value = number(view.study.loss(run.best_loss)) if len(run.own_curve) else "–"
        state = Text(run.state.value, style=_COLORS[run.state.value])
        curve = sparkline(curve_values(view, run))
        words = Text(params_words(run))  # as it is: a user's [bold] is no markup
        table.add_row(str(run.trial), value, f"{run.step:g}", state, curve, words)
    return table


def _progress(view: StudyView) -> tuple[float, str]:
    """Share of the budget that is spent (the limit that is nearest), and what is left in words."""
    budget, trials = view.study.budget, len(view.trials)
    parts: list[tuple[float, str]] = []
    if budget.time_s is not None:
        left_s = max(0, round(budget.time_s - view.elapsed_s))
        left = f"{left_s // 60}:{left_s % 60:02} left"
        parts.append((view.elapsed_s / budget.time_s, left))
    if budget.n_trials is not None:
        parts.append((trials / budget.n_trials, f"of {budget.n_trials}"))
    if budget.n_steps is not None:
        parts.append(
            (n_steps(view) / budget.n_steps, f"{n_steps(view):g}/{budget.n_steps:g} steps")
        )
    share, words = max(parts, default=(0.0, ""))
    return min(share, 1.0), f"{words}  {trials} trials, {n_steps(view):g} steps"


class _News:
    """What became of runs since it was last asked, one line each."""

    def __init__(self, width: int) -> None:
        self._told: dict[str, tuple[RunState, float]] = {}
        self._best = float("inf")
        self._width = width
        self._first = True

    def new(self, view: StudyView) -> list[str]:
        old, self._first = self._first, False  # what a resumed study begins with is no news
        if old:
            known = [r.best_loss for r in view.runs.values() if len(r.curve)]
            self._best = min((loss for loss in known if loss == loss), default=float("inf"))
        lines = []
        for run in view.runs.values():
            now = (run.state, run.step if not run.active else 0.0)
            if run.active or self._told.get(run.id) == now:
                continue
            self._told[run.id] = now
            why = reason_words(run.reason)
            value = number(view.study.loss(run.curve.last)) if len(run.curve) else "–"
            better = run.best_loss < self._best
            if better:
                self._best = run.best_loss
                if run.best_loss < run.curve.last:
                    best = number(view.study.loss(run.best_loss))
                    value += f", best {best} at step {run.best_step:g}"
            error = f": {line}" if (line := error_line(run.error)) else ""
            star = "  ← best so far" if better else ""
            told = f"trial {run.trial} {run.state.value} at step {run.step:g}, "
            told += f"{view.study.metric} {value} ({why}{error}"
            room = self._width - len(star) - 1
            told = told if len(told) <= room else f"{told[: room - 1]}…"
            lines.append(f"{told}){star}")
        return [] if old else lines
