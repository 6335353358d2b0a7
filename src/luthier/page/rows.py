"""Studies and runs as rows: listed, sorted, filtered."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Choice, Constant, Domain, Float, Int
from luthier.core.short import error_line
from luthier.core.study import Run
from luthier.knowledge.hyperparameter import known
from luthier.page.book import Book, run_state_counts
from luthier.page.plain import number, plain
from luthier.page.problem import Problem
from luthier.page.where import holds, parse

FIELDS = ("id", "trial", "state", "step", "to_step", "train_s", "best", "best_step", "last",
          "reason", "held", "n_actions")  # fmt: skip


def study_json(book: Book) -> dict[str, Any]:
    """One study of the list."""
    view, store = book.view, book.store
    best = book.best()
    merit = book.merits[best] if best else None
    return {
        "name": book.name,
        "metric": view.study.metric,
        "goal": view.study.goal,
        "max_steps": view.study.max_steps,
        "closed": store.closed,
        "tuning": book.tuning(),
        "created_s": book.created_s,
        "elapsed_s": view.elapsed_s,
        "n_trials": len(view.trials),
        "states": run_state_counts(view.current().values()),
        "best": best and merit and {"run": best, "value": merit.best, "step": merit.best_step},
        "revision": book.revision,
    }


def study_details(book: Book) -> dict[str, Any]:
    """The study with its space."""
    study = book.view.study
    names: dict[str, None] = {}
    ids = [*book.view.runs]
    # the newest runs may report what older ones did not; all of them would be too many to read
    for run_id in dict.fromkeys([*ids[:3], *ids[-3:]]):
        names.update(dict.fromkeys(metric_names(book, run_id)))
    recipe = book.store.recipe.get("policy") or {}
    domains = {n: d for n, d in study.space.domains.items() if not isinstance(d, Constant)}
    return {
        **study_json(book),
        "policy": _policy_name(recipe),
        "budget": {
            "time_s": study.budget.time_s,
            "trials": study.budget.n_trials,
            "steps": study.budget.n_steps,
        },
        "seed": study.seed,
        "metrics": sorted(names, key=lambda name: (name != study.metric, name)),
        "live": [name for name, domain in domains.items() if domain.live],
        "space": [domain_json(name, domain) for name, domain in domains.items()],
    }


def metric_names(book: Book, run_id: str) -> list[str]:
    """What a run reports."""
    stamp = book.stamps[run_id]
    found: list[str] = book.kept(("names", run_id), stamp, lambda: [*book.store.metrics(run_id)])
    return found


def domain_json(name: str, domain: Domain) -> dict[str, Any]:
    """One parameter of the space, with what the knowledge says of it."""
    term = known(name)
    numeric = isinstance(domain, Float | Int)
    found = {
        "name": name,
        "kind": type(domain).__name__.lower(),
        "low": domain.low if isinstance(domain, Float | Int) else None,
        "high": domain.high if isinstance(domain, Float | Int) else None,
        "log": isinstance(domain, Float | Int) and domain.log,
        "choices": plain(list(domain.options)) if isinstance(domain, Choice) else None,
        "live": domain.live,
        "tier": domain.tier,
        "prior": plain(domain.prior),
        "active_if": _condition(domain),
        "recommended": None,
        "term": term.id if term else None,
    }
    if term is not None and numeric:
        there = term.range("modern", "", "", "") or term.range("modern", "adamw", "", "scratch")
        if there is not None and there.low is not None and there.high is not None:
            found["recommended"] = [there.low, there.high]
    return found


def row_json(book: Book, run: Run) -> dict[str, Any]:
    """One run as a row of the table."""
    merit = book.merits[run.id]
    parent = run.parent
    return {
        "id": run.id,
        "trial": run.trial,
        "state": run.state.value,
        "step": number(run.step),
        "to_step": number(run.to_step),
        "train_s": number(run.train_s),
        "best": None if math.isnan(merit.best) else merit.best,
        "best_step": None if math.isnan(merit.best_step) else merit.best_step,
        "last": number(merit.last) if len(run.curve) else None,
        "reason": run.reason,
        "held": run.held,
        "params": plain(dict(run.params)),
        "parent": parent and {"run": parent.run_id, "step": parent.step},
        "n_actions": book.n_actions[run.id],
        "error": error_line(run.error),
    }


def select(book: Book, *, sort: str, down: bool, states: str, where: str, text: str) -> list[Run]:
    """The runs that pass, in order; missing values come last whichever way."""
    runs = [*book.view.runs.values()]
    passing = np.ones(len(runs), dtype=bool)
    if states:
        wanted = {word.strip() for word in states.split(",")}
        passing &= np.fromiter((r.state.value in wanted for r in runs), bool, len(runs))
    for name, op, word in parse(where):
        passing &= holds(column(book, name), op, word)
    if text.strip():
        words = text.lower().split()
        passing &= np.fromiter(
            (all(w in told for w in words) for told in map(_words, runs)), bool, len(runs)
        )
    order = _order(book, sort, down)
    return [runs[i] for i in order[passing[order]]]


def column(book: Book, name: str) -> Sequence[Any]:
    """One value per run, None where it has none; a Problem for a name that nobody knows."""

    def make() -> list[Any]:
        runs = book.view.runs.values()
        plain_name = name.removeprefix("p.")
        if plain_name in book.view.study.space.domains:
            return [run.params.get(plain_name) for run in runs]
        if name not in FIELDS:
            raise Problem(
                400, f"no {name!r} to compare or to sort by",
                hint=", ".join([*book.view.study.space.domains, *FIELDS]),
            )  # fmt: skip
        if name in ("best", "best_step", "last"):
            found = (getattr(book.merits[run.id], name) for run in runs)
            return [None if math.isnan(value) else value for value in found]
        if name == "n_actions":
            return [book.n_actions[run.id] for run in runs]
        if name == "state":
            return [run.state.value for run in runs]
        return [getattr(run, name) for run in runs]

    return book.of_revision(("column", name), make)  # type: ignore[no-any-return]


def _order(book: Book, sort: str, down: bool) -> NDArray[np.intp]:
    if sort == "id":
        values: Sequence[Any] = [r.trial + r.attempt / 1e6 for r in book.view.runs.values()]
    else:
        values = column(book, sort)
    there = np.fromiter((v is not None for v in values), bool, len(values))
    if all(isinstance(v, int | float) for v in values if v is not None):
        keys = np.array([0.0 if v is None else v for v in values], dtype=np.float64)
        if sort == "best":
            keys *= book.sign  # the best first, whatever is sought
    else:
        ranks = {word: i for i, word in enumerate(sorted({str(v) for v in values}))}
        keys = np.array([ranks[str(v)] for v in values], dtype=np.float64)
    places = np.argsort(-keys if down else keys, kind="stable")
    ordered = there[places] if len(places) else np.zeros(0, dtype=bool)
    return np.concatenate([places[ordered], places[~ordered]])


def _words(run: Run) -> str:
    params = " ".join(f"{k}={v}" for k, v in run.params.items())
    return f"{run.id} {run.state.value} {run.reason} {params} {run.error}".lower()


def _condition(domain: Domain) -> str | None:
    if not domain.when:
        return None
    told = []
    for name, value in domain.when.items():
        values = value if isinstance(value, list | tuple) else [value]
        told.append(f"{name} = {' or '.join(map(str, values))}")
    return " and ".join(told)


def _policy_name(recipe: dict[str, Any]) -> str:
    from luthier.registry import known as players
    from luthier.registry import without_nurse

    place = without_nurse(recipe)[0].get("class", "")
    return next((n for n, where in players("policies").items() if where == place),
                place.rpartition(":")[2])  # fmt: skip
