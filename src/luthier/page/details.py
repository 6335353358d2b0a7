"""One run, the diary, the tree of runs, an order's fate."""

from collections.abc import Iterable, Sequence
from typing import Any

from luthier.core.action import Author, Fork, kind_of
from luthier.core.entry import Entry, entries_of
from luthier.core.study import Checkpoint, Run
from luthier.diary import Page, diary_of, verdict_words
from luthier.page.book import Book
from luthier.page.plain import number, plain
from luthier.page.problem import Problem
from luthier.page.rows import domain_json, metric_names, row_json

_KINDS = {"rollback": "roll_back"}


def find_run(book: Book, run_id: str) -> Run:
    """The run, or a Problem."""
    run = book.view.runs.get(run_id)
    if run is None:
        raise Problem(404, f"study {book.name!r} has no run {run_id[:80]!r}", code="E302")
    return run


def run_json(book: Book, run: Run) -> dict[str, Any]:
    """Everything of a run but its curves."""
    domains = book.view.study.space.domains
    known = [*([run.parent] if run.parent else []), *run.checkpoints]
    return {
        **row_json(book, run),
        "seed": run.seed if run.seed is not None else book.view.study.trial_seed(run.trial),
        "error": run.error,
        "metrics": metric_names(book, run.id),
        "checkpoints": [_checkpoint_json(c, book.sign) for c in known],
        "read_back": plain(dict(run.read_back)),
        "live": [
            {
                **domain_json(name, domain),
                "value": plain(run.params.get(name)),
                "read_back": plain(run.read_back.get(name)),
            }
            for name, domain in domains.items()
            if domain.live and name in run.params
        ],
        "entries": pages_json(book, run.id),
        "tuning": book.tuning(),
        "revision": book.revision,
    }


def _checkpoint_json(checkpoint: Checkpoint, sign: float) -> dict[str, Any]:
    return {
        "run": checkpoint.run_id,
        "step": checkpoint.step,
        "loss": None if checkpoint.loss is None else number(sign * checkpoint.loss),
        "kept": checkpoint.kept,
        "n_bytes": checkpoint.n_bytes,
    }


def pages_json(book: Book, run_id: str) -> list[dict[str, Any]]:
    """The diary of a run with its verdicts."""
    made: list[Page] = book.kept(
        ("diary", run_id),
        (book.stamps.get(run_id, 0), _told(book, run_id)),
        lambda: diary_of(book.store, run_id),
    )  # fmt: skip
    return [page_json(page, book.view.study.metric, book.sign) for page in made]


def _told(book: Book, run_id: str) -> tuple[tuple[int, str], ...]:
    """Its actions, and how each stands."""
    return tuple((e.number, e.state) for e in entries_of(book.entries.values(), run_id))


def page_json(page: Page, metric: str, sign: float) -> dict[str, Any]:
    """An entry with what came of it."""
    judged = page.verdict
    return {
        **entry_json(page.entry),
        "before": plain(dict(page.before)),
        "after": plain(dict(page.after)),
        "verdict": judged
        and {
            "outcome": judged.outcome,
            "observed": number(sign * judged.observed),
            "expected": number(sign * judged.expected),
            "error": number(judged.error),
            "words": verdict_words(page, metric, sign),
        },
    }


def entry_json(entry: Entry) -> dict[str, Any]:
    """One action without verdict."""
    kind = kind_of(entry.action)
    before, after = entry.values
    return {
        "number": entry.number,
        "time_s": entry.time_s,
        "kind": _KINDS.get(kind, kind),
        "run": entry.run_id,
        "parent": entry.parent,
        "author": entry.action.author.value,
        "reason": entry.action.reason,
        "state": entry.state,
        "step": number(entry.step),
        "why": entry.why,
        "before": plain(dict(before)),
        "after": plain(dict(after)),
        "verdict": None,
    }


def actions_json(book: Book, run_id: str, after: int, limit: int) -> dict[str, Any]:
    """The newest entries numbered above `after`; with a run its own, with verdicts."""
    if run_id:
        find_run(book, run_id)
        pages = [page for page in pages_json(book, run_id) if page["number"] > after]
        return {"entries": pages[-limit:], "revision": book.revision}
    numbers: Sequence[int] = sorted(n for n in book.entries if n > after)[-limit:]
    entries = [entry_json(book.entries[n]) for n in numbers]
    return {"entries": entries, "revision": book.revision}


def lineage_json(book: Book, limit: int) -> dict[str, Any]:
    """Which run came from which: of more than `limit` runs those with relatives, then the first."""
    forks = {e.run_id: e.action.author for e in book.entries.values() if isinstance(e.action, Fork)}
    runs = book.view.runs
    shown: Iterable[str] = runs
    if len(runs) > limit:
        with_parent = [run for run in runs.values() if run.parent]
        related = {i for run in with_parent if run.parent for i in (run.parent.run_id, run.id)}
        first = {*[*related, *runs][: limit + len(related)]} if len(related) < limit else related
        shown = [i for i in runs if i in first][:limit]
    nodes = [_node(book, runs[i], forks.get(i)) for i in shown]
    return {"nodes": nodes, "total": len(runs), "revision": book.revision}


def _node(book: Book, run: Run, forked_by: Author | None) -> dict[str, Any]:
    merit = book.merits[run.id]
    kind = "fork" if run.parent or run.attempt else "start"
    return {
        "run": run.id,
        "trial": run.trial,
        "state": run.state.value,
        "parent": run.parent and {"run": run.parent.run_id, "step": run.parent.step},
        "kind": "retry" if forked_by is Author.GUARD else kind,
        "step": number(run.step),
        "best": None if merit.best != merit.best else merit.best,
    }


def ticket_json(book: Book, ticket: str) -> dict[str, Any]:
    """What came of an order."""
    orders = book.store.paths.orders
    # by listing, so that no text of a request becomes a path
    waits = orders.is_dir() and any(path.stem == ticket for path in orders.iterdir())
    book.look(at_once=True)  # an order is in the store before its file is taken away
    entry = book.entries.get(book.tickets.get(ticket, -1))
    if entry is None and not waits:
        raise Problem(404, "no such order; one that cannot be read is set aside")
    if entry is None:
        return {"state": "waiting", "number": None, "step": None, "read_back": {}, "why": ""}
    return {
        "state": entry.state,
        "number": entry.number,
        "run": entry.run_id,
        "step": number(entry.step),
        "read_back": plain(dict(entry.read_back)),
        "why": entry.why,
    }
