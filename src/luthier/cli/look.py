"""What a study looks like in words, tables and sparklines."""

import json
import math
import shlex
import time
from collections import Counter
from pathlib import Path
from typing import Any

from luthier import api
from luthier.core.errors import StudyError
from luthier.core.onward import onward
from luthier.core.person import waits_for_a_person
from luthier.core.short import counted, step_words
from luthier.core.study import Run, RunState, StudyView
from luthier.hindsight import misjudged
from luthier.sitting import DEFAULT_STORE
from luthier.stores.sqlite_file import list_studies
from luthier.worker.lock import ProcessLock

_BROKEN = {RunState.FAILED, RunState.LOST}
_BARS = "▁▂▃▄▅▆▇█"


def number(value: float) -> str:
    """A metric's value in few digits; NaN and infinities by name."""
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def where_of(store: str) -> str:
    """What a command needs to find the store; nothing for the usual name."""
    return "" if store == DEFAULT_STORE else f" --store {shlex.quote(store)}"


def params_words(run: Run) -> str:
    """The parameters on one line."""
    return " ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}"
                    for k, v in run.params.items())  # fmt: skip


def sparkline(values: list[float], width: int = 16) -> str:
    """A curve in `width` characters at most; a value that is no number shows as ×."""
    if len(values) > width:
        values = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    numbers = [v for v in values if math.isfinite(v)]
    if not numbers:
        return "×" * len(values)
    low, high = min(numbers), max(numbers)
    span = high / 2 - low / 2  # halves: the whole may be no number
    return "".join(
        _BARS[int((v / 2 - low / 2) / span * 7) if span else 3] if math.isfinite(v) else "×"
        for v in values
    )


def curve_values(view: StudyView, run: Run) -> list[float]:
    """The metric as reported, step by step."""
    return [view.study.loss(float(value)) for value in run.curve.values]


def by_merit(view: StudyView) -> list[Run]:
    """The result of every trial, the best first, those without a number last."""

    def merit(run: Run) -> tuple[bool, float]:
        loss = run.best_loss
        return math.isnan(loss), loss if not math.isnan(loss) else 0.0

    return sorted(view.results().values(), key=lambda run: (*merit(run), run.trial))


def studies(path: Path, *, as_json: bool) -> str:
    """The studies of a store, the newest first."""
    rows = list_studies(path)
    if as_json:
        return json.dumps(rows)
    lines = [f"{'study':24} {'created':16} {'trials':>7} {'tuned':>8}  state"]
    for row in rows:
        created = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["created_s"]))
        state = row["closed"] or f"open: {_onward(api.open_study(path, row['name']), path)}"
        tuned = f"{row['elapsed_s']:.0f} s"
        lines.append(f"{row['name']:24} {created:16} {row['n_trials']:7} {tuned:>8}  {state}")
    return "\n".join(lines)


def show_study(store: str, name: str | None, n_rows: int, *, as_json: bool) -> str:
    """A study: what is sought, how it stands, the best trials."""
    result = api.open_study(store, name)
    view = result.view
    study = view.study
    if as_json:
        return json.dumps({"study": result.name, "metric": study.metric, "goal": study.goal,
                           "elapsed_s": view.elapsed_s, "closed": result.store.closed,
                           "choice": result.store.recipe.get("choice"),
                           "trials": [_run_json(view, run) for run in by_merit(view)]})  # fmt: skip
    states = Counter(run.state.value for run in view.current().values())
    lines = [
        f"study {result.name}: {study.goal} {study.metric}, {view.elapsed_s:.0f} s of tuning"
        + (f", {result.store.closed}" if result.store.closed else ""),
        ", ".join(f"{n} {state}" for state, n in states.most_common()) or "no trials yet",
        *_choice_lines(result),
        "",
        f"{'trial':>5} {study.metric:>14} {'at':>5} {'steps':>6}  {'state':10} {'curve':16} params",
    ]
    for run in by_merit(view)[:n_rows]:
        best, at = number(study.loss(run.best_loss)), step_words(run.best_step)
        best, at = (best, at) if len(run.own_curve) else ("–", "–")
        lines.append(
            f"{run.trial:5} {best:>14} {at:>5} {run.step:6g}  "
            f"{run.state.value:10} {sparkline(curve_values(view, run)):16} {params_words(run)}"
        )
    found = misjudged(view)
    return "\n".join([*lines, *([""] if found else []), *map(str, found)])


def _choice_lines(result: api.StudyResult) -> list[str]:
    """How the study came to be tuned as it is, where that was measured."""
    choice = result.store.recipe.get("choice")
    return ["", *choice["why"]] if choice else []


def show_trial(store: str, name: str | None, trial: int, *, as_json: bool) -> str:
    """A trial: parameters, every metric, checkpoints, diary, and the error if it failed."""
    result = api.open_study(store, name)
    view = result.view
    runs = [run for run in view.runs.values() if run.trial == trial]
    if not runs:
        raise StudyError(
            f"study {result.name!r} has no trial {trial}; "
            f"it has {counted(len(view.trials), 'trial')}, from 0 on."
        )
    if as_json:
        return json.dumps([_run_json(view, run) for run in runs])
    lines = []
    for run in runs:
        lines += [f"trial {trial}, run {run.id}: {run.state.value} ({run.reason or '-'}) "
                  f"at step {run.step:g}, {run.train_s:.1f} s",
                  f"  {params_words(run)}"]  # fmt: skip
        for metric, curve in result.store.metrics(run.id).items():
            values = [float(v) for v in curve.values]
            lines.append(f"  {metric:20} {sparkline(values, 40)}  last {number(curve.last)}")
        lines += [f"  checkpoint at step {c.step:g}, {c.n_bytes / 1e6:.2f} MB: "
                  f"{result.store.paths.run(c.run_id).checkpoints / c.file}"
                  for c in run.checkpoints]  # fmt: skip
        if run.error:
            lines += ["", *("  " + line for line in run.error.rstrip().splitlines())]
        if (output := result.store.paths.run(run.id).stdout).exists():  # no own loop has one
            lines.append(f"  output: {output}")
    lines += ["", "diary"]
    ids = {run.id for run in runs}
    for entry in result.store.diary():
        if entry.run_id in ids:
            at = f"at step {entry.step:g}" if entry.step is not None else ""
            kind = type(entry.action).__name__
            p_best = getattr(entry.action, "p_best", None)
            chance = "" if p_best is None else f" (chance to become the best: {p_best:.1%})"
            lines.append(
                f"  {entry.number:4} {entry.action.author.value:6} {kind:9} "
                f"{entry.action.reason:14} {entry.state} {at} {entry.why}{chance}"
            )
    return "\n".join(lines)


def best_words(result: api.StudyResult, store: str, *, as_json: bool = False) -> str:
    """The winner, its curve and its checkpoint."""
    best, view = result.best, result.view
    if as_json:
        path = best.checkpoint_path
        return json.dumps({**_run_json(view, best.run), "checkpoint": path and str(path)})
    values = curve_values(view, best.run)
    state = best.run.state
    broke = f" (it {state} at step {best.run.step:g})" if state in _BROKEN else ""
    lines = [
        f"best of {counted(len(view.trials), 'trial')}: trial {best.run.trial}, "
        f"{view.study.metric} {number(best.value)} at step {best.step:g}{broke}",
        f"  params      {params_words(best.run)}",
        f"  curve       {sparkline(values, 40)}  {number(values[0])} → {number(values[-1])}",
    ]
    if best.checkpoint is not None:
        lines.append(f"  checkpoint  {_checkpoint_words(best)}: {best.checkpoint_path}")
    else:
        lines.append("  checkpoint  none was saved (what is given to run.attach is)")
    which = shlex.quote(f"{result.name}/{best.run.trial}")
    lines.append(f"  closer look luthier show {which}{where_of(store)}")
    return "\n".join(lines)


def _checkpoint_words(best: api.Best) -> str:
    """Its step; where that is not the best one, also what it was worth."""
    saved = best.checkpoint
    if saved is None or saved.step == best.step:
        return f"step {best.step:g}"
    value = "" if best.checkpoint_value is None else f", by then {number(best.checkpoint_value)}"
    return f"step {saved.step:g}{value} (step {best.step:g} itself was not saved)"


def export_words(result: api.StudyResult, folder: Path) -> str:
    """Where the best went, and which of its steps that is."""
    what = f", checkpoint of {_checkpoint_words(result.best)}" if result.best.checkpoint else ""
    return f"exported to {folder}{what}"


def end_words(result: api.StudyResult, store: str, *, as_json: bool) -> str:
    """What is said when a sitting of tuning ends."""
    view = result.view
    if as_json:
        return show_study(store, result.name, 0, as_json=True)
    where, lines = where_of(store), []
    if view.best() is not None:
        lines.append(best_words(result, store))
    elif seen := [run for run in view.current().values() if len(run.curve)]:
        which = shlex.quote(f"{result.name}/{seen[0].trial}")
        lines.append(f"no trial reported a finite {view.study.metric}; look for the cause: "
                     f"luthier diagnose {which}{where}")  # fmt: skip
    for state in (RunState.FAILED, RunState.LOST):
        if runs := [run for run in view.current().values() if run.state is state]:
            which = shlex.quote(f"{result.name}/{runs[0].trial}")
            what = f"{counted(len(runs), 'trial')} {state.value}"
            lines.append(f"{what}; see luthier show {which}{where}")
    wanted, n = view.study.budget.n_trials, len(view.trials)
    if result.store.closed == "finished" and wanted is not None and n < wanted:
        lines.append(f"ended after {n} of {wanted} trials: the policy had no other point to begin")
    lines += map(str, misjudged(view))
    if not result.store.closed:
        lines.append(_onward(result, Path(store)))
    return "\n".join(lines) or "nothing was trained"


def _onward(result: api.StudyResult, store: Path) -> str:
    """How a study that is not closed goes on: a run that a person paused is theirs to resume."""
    if (owner := ProcessLock(result.store.paths.lock).owner()) is not None:
        return f"tuned by process {owner}"
    view = result.view
    waiting = [run for run in view.runs.values() if waits_for_a_person(view, run)]
    which = f"run {waiting[0].id} is paused" if waiting else "paused"
    more = f", and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    run = waiting[0].id if waiting else ""
    how = onward(result.name, result.store.recipe, where_of(str(store)), run)
    return f"{which}{more}; go on with: {how}" if how else which


def _run_json(view: StudyView, run: Run) -> dict[str, Any]:
    """NaN and infinities by name: JSON has no such numbers."""

    def plain(value: float) -> float | str:
        return value if math.isfinite(value) else str(value)

    return {
        "trial": run.trial,
        "run": run.id,
        "state": run.state.value,
        "reason": run.reason,
        "params": dict(run.params),
        "step": run.step,
        "train_s": run.train_s,
        "best": plain(view.study.loss(run.best_loss)),
        "best_step": plain(run.best_step),
        "steps": [float(step) for step in run.curve.steps],
        "values": [plain(value) for value in curve_values(view, run)],
        "error": run.error,
    }
