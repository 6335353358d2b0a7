"""Which parameters matter, and the objective over those that matter most."""

import math

import numpy as np

from luthier.core.domain import Choice, Domain, Float, Int
from luthier.importance import N_LEAST, importances
from luthier.report.case import Case
from luthier.report.document import Block, Gallery, Paragraph, Picture, Section
from luthier.report.numbers import value_words
from luthier.svg.axis import Axis, axis_of, loss_axis
from luthier.svg.chart import bars, dots

_N_PICTURES = 6


def parameters(case: Case) -> Section:
    """Importance with its error, and a picture for each of the first few."""
    w = case.words
    found = importances(case.view)
    if not found:
        n = sum(len(run.curve) > 0 for run in case.view.current().values())
        few = Paragraph(w("importance_few", n=n, least=N_LEAST))
        return Section("importance", w("importance"), (few,))
    title = w("importance")
    picture = bars([(i.name, i.value, i.error) for i in found], title=title)
    blocks: list[Block] = [
        Paragraph(w("importance_words", metric=case.study.metric)),
        Picture("importance", picture),
        Paragraph(w("importance_method"), quiet=True),
    ]
    pictures = [_dots(case, one.name, number) for number, one in enumerate(found[:_N_PICTURES])]
    return Section("importance", title, (*blocks, Gallery(tuple(pictures))))


def _dots(case: Case, name: str, number: int) -> Picture:
    w, domain = case.words, case.study.space.domains[name]
    runs = [r for r in case.ranked if name in r.params and math.isfinite(r.best_loss)]
    y = np.array([case.study.loss(run.best_loss) for run in runs])
    best = case.standing.best.trial if case.standing else -1
    mark = next((i for i, run in enumerate(runs) if run.trial == best), -1)
    x = np.array([place_of(domain, run.params[name]) for run in runs])
    up = loss_axis([y], case.study.metric, case.study.loss(1.0))
    caption = w("importance_caption", metric=case.study.metric, name=name)
    svg = dots(x, y, axis_for(domain, name), up, best=mark, title=caption)
    return Picture(f"parameter-{number}", svg, caption)


def place_of(domain: Domain, value: object) -> float:
    """Where a value lies on its axis: numbers as they are, options by their place."""
    if isinstance(domain, Choice):
        return float(domain.options.index(domain.cast(value)))
    return float(value) if isinstance(value, int | float) else math.nan


def axis_for(domain: Domain, name: str) -> Axis:
    """The whole domain, in the logarithm where it is searched so."""
    if isinstance(domain, Choice):
        names = tuple(map(value_words, domain.options))
        return Axis(-0.5, len(names) - 0.5, label=name, names=names)
    if isinstance(domain, Float | Int):
        return axis_of(np.array([domain.low, domain.high], dtype=float), name, log=domain.log)
    return Axis(0.0, 1.0, label=name)
