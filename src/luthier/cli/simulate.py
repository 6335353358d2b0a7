"""`luthier simulate`: policies side by side on stored curves."""

import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import click
import numpy as np

from luthier.contracts import Policy
from luthier.core.auto import choose
from luthier.core.budget import Budget
from luthier.core.errors import DomainError, OptionError, TableError
from luthier.core.short import counted
from luthier.core.space import Space
from luthier.plots.figure import check_name, figure, save
from luthier.simulation import Outcome, policy_on, simulate
from luthier.table_folder import load_table, tables_of
from luthier.tables import Table, table_of_study

_SHARES = {"r10": 0.1, "r30": 0.3, "r100": 1.0}


@final
@dataclass(frozen=True, slots=True)
class Case:
    """One simulated search and its figures."""

    task: str
    policy: str
    seed: int
    workers: int
    outcome: Outcome
    table: Table

    @property
    def target_runs(self) -> float:
        """Full trainings' worth of steps to the table's target; NaN where it was not reached."""
        step = self.outcome.target_step
        return math.nan if step is None else step / self.table.max_steps

    def figures(self) -> dict[str, float]:
        """Regrets, CPU milliseconds per decision, peak memory of the process."""
        outcome = self.outcome
        p50, p95 = np.quantile(outcome.decision_ms, [0.5, 0.95]) if len(outcome.decision_ms) else (
            math.nan, math.nan)  # fmt: skip
        return {
            "anytime": outcome.anytime,
            **{name: outcome.at(share) for name, share in _SHARES.items()},
            "decision_ms_p50": float(p50),
            "decision_ms_p95": float(p95),
            "peak_mb": outcome.peak_mb,
        }

    def line(self) -> str:
        """One JSON object."""
        about = {"task": self.task, "policy": self.policy, "seed": self.seed,
                 "workers": self.workers}  # fmt: skip
        target = {} if self.table.target is None else {"target_runs": self.target_runs}
        figures = {**self.figures(), **target}
        rounded = {k: round(v, 6) if math.isfinite(v) else None for k, v in figures.items()}
        return json.dumps({**about, **rounded})


def simulate_command(
    names: Sequence[str],
    policies: Sequence[str],
    budget_runs: float,
    n_workers: int,
    n_seeds: int,
    first_seed: int,
    prior: str | None,
    output: str | None,
    *,
    as_json: bool,
) -> None:
    """Print a line per search as JSON, or a table of means; draw a picture if asked to."""
    if not 0 < budget_runs < math.inf or n_workers < 1 or n_seeds < 1:
        raise OptionError(
            f"--budget-runs {budget_runs:g} --workers {n_workers} --seeds {n_seeds}; "
            "expected finite numbers above zero."
        )
    if output:
        check_name(Path(output))  # before the work, not after it
    known = _read_prior(Path(prior)) if prior else {}
    tables = {name: (table, with_priors(table.space, known)) for name, table in _tables(names)}
    searches = [
        (name, table, space, policy, _player(table, space, policy, budget_runs, n_workers))
        for name, (table, space) in tables.items()
        for policy in dict.fromkeys(policies)
    ]  # all of them before the first: a wrong name is found at once
    cases = []
    for name, table, space, policy, player in searches:
        for seed in range(first_seed, first_seed + n_seeds):
            outcome = simulate(
                table, player, budget_runs=budget_runs, n_workers=n_workers, seed=seed, space=space
            )
            cases.append(Case(name, policy, seed, n_workers, outcome, table))
            if as_json:
                click.echo(cases[-1].line())
    if not as_json:
        click.echo(_words(cases, budget_runs))
    if output:
        save(lambda: _picture(cases, budget_runs), Path(output))
        click.echo(f"picture in {output}", err=as_json)


def _player(table: Table, space: Space, policy: str, budget_runs: float, n_workers: int) -> Policy:
    live = any(domain.live for domain in space.domains.values())
    if policy == "autopilot" or (policy == "pbt" and not live):
        raise OptionError(
            f"--policy {policy} on {table.name}; it changes what trains, which a stored curve "
            "cannot do: expected a policy that starts, continues and stops runs, such as asha."
        )
    if policy != "auto":
        return policy_on(table, policy)
    budget = Budget(n_steps=budget_runs * table.max_steps)
    chosen = choose(space, table.max_steps, budget, n_workers)
    click.echo(
        f"auto on {table.name}: {chosen.policy}, {chosen.sampler}: {chosen.reason}", err=True
    )
    return policy_on(table, chosen.policy, chosen.sampler)


def with_priors(space: Space, known: Mapping[str, Any]) -> Space:
    """The space with priors: by name a value, or {"prior": …, "confidence": …}."""
    unknown = sorted(known.keys() - space.domains.keys())
    if unknown:
        raise OptionError(f"the prior names {unknown}; the table has {sorted(space.domains)}.")
    domains = dict(space.domains)
    for name, told in known.items():
        fields = dict(told) if isinstance(told, Mapping) else {"prior": told}
        extra = sorted(fields.keys() - {"prior", "confidence"})
        if extra or "prior" not in fields:
            raise OptionError(
                f"the prior of {name} is {told!r}; expected a value, or prior and confidence."
            )
        try:
            domains[name] = _with_prior(domains[name], fields)
        except DomainError as error:
            raise OptionError(f"the prior of {name}: {error.args[0]}") from error
    return replace(space, domains=domains)


def _with_prior(domain: Any, fields: Mapping[str, Any]) -> Any:  # noqa: ANN401  any domain
    options = {f: getattr(domain, f) for f in domain.__dataclass_fields__ if f != "_"}
    options.update(fields)
    chosen = options.pop("options", ())  # Choice takes them one by one
    return type(domain)(*chosen, **options)


def _read_prior(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        known: Any = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise OptionError(f"--prior {path}: {error}; expected JSON or TOML.") from error
    if not isinstance(known, dict):
        raise OptionError(f"--prior {path} holds no mapping of names to priors.")
    return known


def _tables(names: Sequence[str]) -> Iterator[tuple[str, Table]]:
    """By name, each once; of those that are called alike the later by where they lie."""
    seen: dict[str, str] = {}
    for place, table in (found for name in names for found in _at(Path(name))):
        where = str(place.resolve())
        if where not in seen.values():
            name = str(place) if table.name in seen else table.name
            seen[name] = where
            yield name, table


def _at(path: Path) -> Iterator[tuple[Path, Table]]:
    if path.is_file():
        from luthier import api

        view = api.open_study(path).view
        yield path / view.study.name, table_of_study(view)
    elif path.parent.is_file():
        from luthier import api

        yield path, table_of_study(api.open_study(path.parent, path.name).view)
    elif (path / "meta.json").is_file():
        yield from ((path / task, load_table(path, task)) for task in tables_of(path))
    elif (path.parent / "meta.json").is_file():
        yield path, load_table(path.parent, path.name)
    else:
        raise TableError(
            f"no table {str(path)!r}; expected FOLDER/TASK, a FOLDER, STORE.db or STORE.db/STUDY."
        )


def _mean_words(values: Sequence[float]) -> str:
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.3f}"
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return f"{mean:.3f} ±{error:.3f}"


def _words(cases: Sequence[Case], budget_runs: float) -> str:
    tasks = list(dict.fromkeys(case.task for case in cases))
    policies = list(dict.fromkeys(case.policy for case in cases))
    width = max(12, *(len(policy) for policy in policies))
    columns = ["anytime", *_SHARES]
    n_seeds = len({case.seed for case in cases})
    lines = [
        f"normalised regret (0 best of the table, 1 its median), mean ± standard error of "
        f"{counted(n_seeds, 'seed')}; budget {budget_runs:g} full "
        f"{'run' if budget_runs == 1 else 'runs'}, {counted(cases[0].workers, 'worker')}"
    ]
    for task in [*tasks, "all tasks"] if len(tasks) > 1 else tasks:
        lines += ["", task, f"  {'policy':{width}}" + "".join(f"{c:>15}" for c in columns)
                  + f"{'ms p50':>9}{'p95':>8}{'MB':>7}"]  # fmt: skip
        for policy in policies:
            chosen = [
                case.figures()
                for case in cases
                if case.policy == policy and task in (case.task, "all tasks")
            ]
            parts = [f"{_mean_words([f[c] for f in chosen]):>15}" for c in columns]
            p50 = float(np.mean([f["decision_ms_p50"] for f in chosen]))
            p95 = float(np.mean([f["decision_ms_p95"] for f in chosen]))
            peak = max(f["peak_mb"] for f in chosen)
            tail = f"{p50:9.2f}{p95:8.2f}{peak:7.0f}"
            lines.append(f"  {policy:{width}}" + "".join(parts) + tail)
        here = [case for case in cases if case.task == task and case.table.target is not None]
        lines += [_target_words(policy, here) for policy in policies if here]
    return "\n".join(lines)


def _target_words(policy: str, cases: Sequence[Case]) -> str:
    runs = np.array([case.target_runs for case in cases if case.policy == policy])
    reached = runs[np.isfinite(runs)]
    table = cases[0].table
    target = (table.target or 0.0) * (1.0 if table.goal == "minimize" else -1.0) + 0.0  # no -0
    after = f", after {_mean_words(list(reached))} full runs" if len(reached) else ""
    return f"  {policy}: target {target:g} reached in {len(reached)} of {len(runs)}{after}"


def _picture(cases: Sequence[Case], budget_runs: float) -> Any:  # noqa: ANN401  a Figure
    """Regret over the budget, a panel for each table."""
    tasks = list(dict.fromkeys(case.task for case in cases))
    policies = list(dict.fromkeys(case.policy for case in cases))
    n_columns = min(len(tasks), 3)
    n_rows = math.ceil(len(tasks) / n_columns)
    drawn = figure(5 * n_columns, 3.4 * n_rows)
    axes = drawn.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for panel, task in zip(axes.flat, tasks, strict=False):
        for index, policy in enumerate(policies):
            curves = np.array(
                [c.outcome.regret for c in cases if c.task == task and c.policy == policy]
            )
            spent = np.arange(1, curves.shape[1] + 1) / curves.shape[1] * budget_runs
            mean = curves.mean(axis=0)
            spread = curves.std(axis=0) / math.sqrt(len(curves))
            panel.plot(spent, mean, label=policy, color=f"C{index}")
            panel.fill_between(spent, mean - spread, mean + spread, alpha=0.2, color=f"C{index}")
        panel.set_title(task)
        panel.set_xlabel("budget spent, full runs")
        panel.set_ylim(0, 1.02)
    for panel in axes.flat[len(tasks) :]:
        panel.axis("off")
    for row in axes:
        row[0].set_ylabel("normalised regret")
    axes.flat[0].legend(fontsize=8)
    return drawn
