"""New points from a sampler: within the constraints, never the same twice."""

from dataclasses import replace

from luthier.contracts import Sampler
from luthier.core.domain import Value
from luthier.core.errors import ConstraintError
from luthier.core.study import StudyView, Trial

_BLOCKS = (1, 16, 256)  # rows asked for at a time, until one will do …
_N_EVEN = 4096  # … and drawn evenly at last: a sampler that has settled may only repeat itself


def draw(view: StudyView, sampler: Sampler, n: int) -> list[dict[str, Value]]:
    """Up to `n` points; fewer when the sampler, or a finite space, has no more.

    ConstraintError where not even a first is found.

    The first point of a study whose space has a prior is the default point. The numbers behind
    trial k depend on the study's seed and k alone, however many workers there are.
    """
    points: list[dict[str, Value]] = []
    while len(points) < n and (point := _next(view, sampler)) is not None:
        points.append(point)
        number = len(view.trials)
        view = replace(view, trials={**view.trials, number: Trial(number, point)})
    return points


def _next(view: StudyView, sampler: Sampler) -> dict[str, Value] | None:
    space = view.study.space
    if not view.trials and any(d.prior is not None for d in space.domains.values()):
        default = space.default()
        if space.feasible(default):
            return default
    tried = [trial.params for trial in view.trials.values()]
    n_new = 0
    for block in (*_BLOCKS, _N_EVEN):
        rng = view.study.rng(len(view.trials), block)
        even = block == _N_EVEN
        rows = rng.random((block, space.dimension)) if even else sampler.suggest(view, block, rng)
        for row in rows:
            point = space.from_unit(row)
            if point in tried:
                continue
            n_new += 1
            if space.feasible(point):
                return point
        if len(rows) < block:
            return None
    if n_new and not tried:  # else what is allowed has been tried, or is all but impossible to find
        raise ConstraintError(
            f"none of {n_new} points drawn meets {[str(c) for c in space.constraints]}; "
            "narrow the domains to where the constraints hold."
        )
    return None
