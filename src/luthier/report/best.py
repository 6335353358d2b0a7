"""The best trial: how it stands beside the second, how sure that is, its curves."""

import shlex
from collections.abc import Mapping

import numpy as np

from luthier.core.action import Change, RollBack
from luthier.core.curve import Curve
from luthier.report.case import Case
from luthier.report.document import Block, Gallery, Paragraph, Picture, Section, Table
from luthier.report.numbers import percent, value_words
from luthier.standing import N_DRAWS, Standing
from luthier.svg.axis import axis_of, loss_axis, shown
from luthier.svg.chart import BLUE, GREEN, ORANGE, PURPLE, Line, chart

_N_PICTURES = 8
_SIDES = (("train", BLUE), ("val", ORANGE), ("test", GREEN))


def best(case: Case) -> Section:
    """What won, by how much, and how sure that is."""
    w, found = case.words, case.standing
    if found is None:
        return Section("best", w("best"), (Paragraph(w("nothing")),))
    run = found.best
    text = w("best_words", trial=run.trial, run=run.id, metric=case.study.metric,
             value=shown(found.value), step=f"{run.best_step:g}",
             of=f"{run.step:g}")  # fmt: skip
    rows = tuple((name, value_words(value)) for name, value in case.best_params.items())
    blocks: list[Block] = [Paragraph(text), *_sure(case, found)]
    if changed := [n for n, value in run.params.items() if case.best_params[n] != value]:
        blocks.append(Paragraph(w("best_values", names=w("comma").join(changed))))
    blocks += [Table((w("name"), w("values")), rows), _curve(case)]
    if pictures := _others(case):
        blocks.append(Gallery(tuple(pictures)))
    return Section("best", w("best"), tuple(blocks))


def _sure(case: Case, found: Standing) -> list[Block]:
    w = case.words
    if found.second is None:
        return [Paragraph(w("no_second"))]
    words = [w("second_words", trial=found.second.trial, value=shown(found.second_value),
               gap=shown(found.gap))]  # fmt: skip
    if found.p_best is not None:
        words.append(w("sure_words", n=found.n_rivals + 1, p=percent(found.p_best)))
    study = case.study.name
    names = [shlex.quote(f"{study}/{run.id}") for run in (found.best, found.second)]
    repeat = "; ".join(f"luthier replay {name} --seed 1{case.store_option}" for name in names)
    words.append(w(f"noise_{found.noise_of}", noise=shown(found.noise), command=repeat))
    blocks: list[Block] = [Paragraph(" ".join(words) if w.lang == "en" else "".join(words))]
    if found.p_best is not None:
        blocks.append(Paragraph(w("sure_method", n=f"{N_DRAWS:,}"), quiet=True))
    return blocks


def _curve(case: Case) -> Picture:
    """The objective of the best and the second."""
    w, found = case.words, case.standing
    assert found is not None
    curve = case.values(found.best)
    name = w("trial", n=found.best.trial)
    lines = [Line(curve.steps, curve.values, ORANGE, 2.4, name=name,
                  mark=(found.best.best_step, found.value))]  # fmt: skip
    if found.second is not None:
        second = case.values(found.second)
        lines.insert(0, Line(second.steps, second.values, BLUE, 1.6, name=w(
            "trial", n=found.second.trial)))  # fmt: skip
    x = axis_of(np.concatenate([line.x for line in lines]), w("step"))
    y = loss_axis([line.y for line in lines], case.study.metric, case.study.loss(1.0), room=30.0)
    events = [
        (entry.step, f"#{entry.number}") for entry in case.diary
        if isinstance(entry.action, Change | RollBack) and entry.state == "obeyed"
        and entry.run_id == found.best.id and entry.step is not None
    ]  # fmt: skip
    key = "curve_best" if found.second is not None and not events else "curve_alone"
    caption = w(key, metric=case.study.metric)
    svg = chart(lines, x, y, title=caption, width=900, events=events)
    return Picture("best-objective", svg, caption)


def _others(case: Case) -> list[Picture]:
    """All other metrics of the best; training and validation in one picture."""
    w, found = case.words, case.standing
    assert found is not None
    metrics = {
        name: curve for name, curve in case.store.metrics(found.best.id).items()
        if not name.startswith("probe/") and len(curve) > 1
    }  # fmt: skip
    pictures: list[Picture] = []
    for number, (stem, group) in enumerate(_groups(metrics).items()):
        if set(group) == {case.study.metric} or len(pictures) == _N_PICTURES:
            continue
        lines = [Line(c.steps, c.values, _color(name), 1.8, name=name if len(group) > 1 else "")
                 for name, c in group.items()]  # fmt: skip
        x = axis_of(np.concatenate([line.x for line in lines]), w("step"))
        y = loss_axis([line.y for line in lines], stem, room=30.0)
        caption = w("curve_other", metric=", ".join(group))
        svg = chart(lines, x, y, title=caption, width=310, height=210)
        pictures.append(Picture(f"best-metric-{number}", svg, caption))
    return pictures


def _groups(metrics: Mapping[str, Curve]) -> dict[str, dict[str, Curve]]:
    """Metrics that differ only in the data they were taken on."""
    groups: dict[str, dict[str, Curve]] = {}
    for name, curve in metrics.items():
        stem = name
        for side, _ in _SIDES:
            stem = stem.removeprefix(f"{side}_").removeprefix(f"{side}/")
        groups.setdefault(stem, {})[name] = curve
    return groups


def _color(name: str) -> str:
    return next((color for side, color in _SIDES if name.startswith(side)), PURPLE)
