"""Where normalization and dropout stand: what each reads, and what reads it."""

from dataclasses import dataclass
from typing import Any, final

from luthier.analysis.case import Case


@final
@dataclass(frozen=True, slots=True)
class Placement:
    """One way of standing: `before → layer → after`, and how often it occurs."""

    layer: str  # class, with the rate of a dropout
    before: str
    after: str
    count: int
    first: str  # path of the first such layer


def placements_of(case: Case) -> list[Placement]:
    """In the order of the run; equal ones together."""
    trace = case.trace
    found: dict[tuple[str, str, str], list[str]] = {}
    for call in trace.of("batch_norm", "norm", "dropout"):
        if call.kind == "dropout" and "dropout" not in call.name.lower():
            continue  # stochastic depth and the like
        rate = getattr(call.module, "p", call.options.get("p"))
        layer = f"{call.name}(p={rate:g})" if call.kind == "dropout" else call.name
        made = [c for c in trace.producers(call) if c.kind != "parameter"]
        readers = [_seen_through(trace, reader) for reader in trace.consumers(call)]
        before = _names(made[:1])
        after = _names([reader for reader in readers if reader is not None])
        found.setdefault((layer, before, after), []).append(call.path)
    return [Placement(*key, len(paths), paths[0]) for key, paths in found.items()]


def _seen_through(trace: Any, call: Any) -> Any:  # noqa: ANN401
    while call.kind == "view" and (readers := trace.consumers(call)):
        call = readers[0]
    return call


def _names(calls: list[Any]) -> str:
    return ", ".join(dict.fromkeys(call.name.strip("_") for call in calls)) or "-"
