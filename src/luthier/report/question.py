"""The question: its space beside what is recommended; the budget beside what was spent."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from luthier.core.domain import Choice, Constant, Domain, Float, Int, Value
from luthier.core.space import Space
from luthier.hindsight import Misjudged, misjudged
from luthier.knowledge.hyperparameter import OPTIMIZERS, Hyperparameter, known
from luthier.report.case import Case
from luthier.report.document import Block, Cards, Paragraph, Section, Table
from luthier.report.numbers import percent, seconds_words, value_words
from luthier.report.players import policy_words
from luthier.report.words import Words
from luthier.svg.axis import shown


def opening(case: Case) -> Section:
    """The figures that matter most."""
    w, best, told = case.words, case.standing, case.balance
    trained_s = sum(run.train_s for run in case.view.runs.values())
    cards = []
    if best is not None:
        words = w("card_best_words", trial=best.best.trial, step=f"{best.best.best_step:g}")
        cards.append((w("card_best", metric=case.study.metric), shown(best.value), words))
    if best is not None and best.n_rivals:
        words = w("card_sure_words", n=best.n_rivals + 1)
        sure = w("unknown") if best.p_best is None else percent(best.p_best)
        cards.append((w("card_sure"), sure, words))
    cards.append((w("card_trials"), str(len(case.view.trials)), states_words(case)))
    cards.append((w("card_time"), seconds_words(case.view.elapsed_s),
                  w("card_time_words", time=seconds_words(trained_s))))  # fmt: skip
    if told.n_left:
        whole = told.steps_saved + told.steps_spent
        cards.append((w("card_saved"), percent(told.steps_saved / (whole or 1.0)),
                      w("card_saved_words", n=f"{whole:,.0f}")))  # fmt: skip
    blocks: list[Block] = [Cards(tuple(cards))]
    if best is None:
        blocks.append(Paragraph(w("nothing")))
    return Section("top", "", tuple(blocks))


def states_words(case: Case) -> str:
    """How many trials are completed, paused, …."""
    counts = Counter(run.state.value for run in case.view.current().values())
    return case.words("comma").join(
        f"{n} {case.words('state_' + state)}" for state, n in counts.most_common()
    )


def question(case: Case) -> Section:
    """The space: values, prior, tier, what is recommended, where from."""
    w, study = case.words, case.study
    end = w("lowest" if study.goal == "minimize" else "highest")
    text = w("asked", end=end, metric=study.metric)
    if study.max_steps:
        text += " " + w("full", n=study.max_steps)
    optimizers = _optimizers(study.space)
    rows = tuple(_row(name, domain, optimizers, w) for name, domain in study.space.domains.items())
    keys = ["name", "values", "prior", "tier", "advised", "remarks"]
    # columns that no parameter fills are left out
    filled = [i for i in range(len(keys)) if i < 2 or any(row[i] for row in rows)]
    head = tuple(w(keys[i]) for i in filled)
    table = Table(head, tuple(tuple(row[i] for i in filled) for row in rows),
                  frozenset({filled.index(3)}) if 3 in filled else frozenset())  # fmt: skip
    names = _options(optimizers, w)
    said = w("advised_words", optimizer=w("with_optimizer", name=names) if names else "")
    wrong = [Paragraph(_wrong_words(one, w)) for one in misjudged(case.view)]
    blocks: list[Block] = [Paragraph(text), table, *wrong, Paragraph(said, quiet=True)]
    if study.space.constraints:
        rules = "; ".join(map(str, study.space.constraints))
        blocks.append(Paragraph(w("constraints", rules=rules)))
    return Section("question", w("question"), tuple(blocks))


def _wrong_words(found: Misjudged, w: Words) -> str:
    low, high = value_words(found.lowest), value_words(found.highest)
    there = low if low == high else w("linear", low=low, high=high)
    key = "wrong_prior" if found.what == "prior" else "wrong_range"
    stated = value_words(found.stated)
    n = {"n": found.n_there, "of": found.n_best}
    return w(key, name=found.name, stated=stated, there=there, **n)


def budget(case: Case) -> Section:
    """What was given and what was spent."""
    w, given, view = case.words, case.study.budget, case.view
    runs = view.runs.values()
    steps = sum(run.step - (run.parent.step if run.parent else 0.0) for run in runs)
    none = w("no_limit")
    rows = (
        (w("budget_time"), none if given.time_s is None else seconds_words(given.time_s),
         seconds_words(view.elapsed_s)),
        (w("budget_trials"), none if given.n_trials is None else f"{given.n_trials:,}",
         f"{len(view.trials):,}"),
        (w("budget_steps"), none if given.n_steps is None else f"{given.n_steps:,.0f}",
         f"{steps:,.0f}"),
        (w("budget_train"), none, seconds_words(sum(run.train_s for run in runs))),
    )  # fmt: skip
    blocks: list[Block] = [Table(("", w("given"), w("spent")), rows, frozenset({1, 2}))]
    if view.runs:
        blocks.append(Paragraph(w("states", states=states_words(case))))
    if policy := policy_words(case.recipe):
        workers = case.recipe.get("workers") or 1
        blocks.append(Paragraph(w("how", policy=policy, workers=workers)))
    if case.closed:
        blocks.append(Paragraph(w("ended", why=case.closed)))
    return Section("budget", w("budget"), tuple(blocks))


def _optimizers(space: Space) -> tuple[str, ...]:
    """Those that the space names and the knowledge knows; what may have momentum may be it."""
    domain = space.domains.get("optimizer")
    options = domain.options if isinstance(domain, Choice) else ()
    options = (domain.value,) if isinstance(domain, Constant) else options
    found = [name for option in options if (name := str(option).lower()) in OPTIMIZERS]
    if "sgd" in found and "momentum" in space.domains and "momentum" not in found:
        found.append("momentum")
    return tuple(found)


def _row(name: str, domain: Domain, optimizers: tuple[str, ...], w: Words) -> tuple[str, ...]:
    prior = ""
    if domain.prior is not None:
        prior = f"{value_words(domain.prior)} ({w(domain.confidence)})"
    remarks = [w("live")] * domain.live
    conditions = [
        w("in", name=parent, values=_options(_several(wanted), w))
        for parent, wanted in (domain.when or {}).items()
    ]
    if conditions:
        remarks.append(w("when", condition=", ".join(conditions)))
    if domain.source:
        remarks.append(domain.source)
    return (name, _values(domain, w), prior, str(domain.tier), _advised(known(name), optimizers, w),
            "; ".join(remarks))  # fmt: skip


def _values(domain: Domain, w: Words) -> str:
    match domain:
        case Float() | Int():
            low, high = value_words(domain.low), value_words(domain.high)
            if isinstance(domain, Int) and domain.step > 1:
                return w("stepped", low=low, high=high, step=domain.step)
            return w("log" if domain.log else "linear", low=low, high=high)
        case Choice(options=options):
            return _options(options, w)
        case Constant(value=value):
            return w("fixed", value=value_words(value))
    raise AssertionError(f"a domain that is not known here: {domain!r}")


def _advised(one: Hyperparameter | None, optimizers: tuple[str, ...], w: Words) -> str:
    """The hull of today's ranges for training from scratch, and the tier."""
    if one is None:
        return ""
    ranges = [
        r for r in one.ranges
        if r.view == "modern" and r.setting in ("", "scratch")
        and (not optimizers or not r.optimizer or set(optimizers) & set(r.optimizer))
    ]  # fmt: skip
    options: Mapping[Value, Any] = dict.fromkeys(o for r in ranges for o in r.options)
    lows = [r.low for r in ranges if r.low is not None]
    highs = [r.high for r in ranges if r.high is not None]
    text = "-"
    if lows and highs:
        key = "log" if one.scale == "log" else "linear"
        text = w(key, low=value_words(min(lows)), high=value_words(max(highs)))
    elif options:
        text = _options(tuple(options), w)
    return f"{text} ({one.tier})"


def _options(options: tuple[Value, ...], w: Words) -> str:
    return w("comma").join(value_words(option) for option in options)


def _several(wanted: Value) -> tuple[Value, ...]:
    return tuple(wanted) if isinstance(wanted, list | set | frozenset) else (wanted,)
