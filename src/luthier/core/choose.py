"""One run nursed, a few raised in turn, or many side by side: what the budget buys decides.

The chapter (14.12) leaves the choice between the panda and the caviar to the compute at hand, and
names a way between them: a few children in a lifetime. Here it is a function of what was measured.
"""

from dataclasses import dataclass
from typing import Literal, final

from luthier.core.auto import Known, policy_of_many

Mode = Literal["panda", "children", "caviar"]
MODES: tuple[Mode, ...] = ("panda", "children", "caviar")

# Below so many full trainings a second child could not be raised to its end.
N_CHILDREN = 1.5
# From so many full trainings on, comparing many short runs finds more than raising one after the
# other; see benchmarks/choose.py.
N_CAVIAR = 3.0
SHARE = 0.03  # of the budget, that may go into finding out
# A panda's steps are planned for this share of the time that is left, probes among them: its rate
# has to have come down when the time is over, and steps may turn out slower than measured.
PLANNED = 0.9
PROBES = 1.15  # trainings that a panda takes, with all that the autopilot may try (its own limit)
WORTH = 1.1  # threads or runs side by side have to gain so much before they are used
MEMORY_SHARE = 0.8  # of the free memory, that runs may be planned to fill


@final
@dataclass(frozen=True, slots=True)
class Facts:
    """What is known before the choice; None where it was not measured."""

    budget_s: float  # of the whole study
    spent_s: float  # of it, by now
    max_steps: int | None  # length of a full training
    step_s: float | None  # a step of one run alone, with one thread (on its own device)
    start_s: float  # from the start of a run to its first step
    seen_s: float  # how long the first run has trained: a bound where no step has ended
    pausable: bool
    tunable: bool  # a live rate is in the space: what can be nursed while it trains
    n_parameters: int  # searched
    n_cores: int
    n_gpus: int
    free_mb: float
    own_mb: float | None = None  # memory of one run that it shares with no other
    peak_mb: float | None = None  # all memory of one run
    checkpoint_mb: float | None = None
    thread_gain: float | None = None  # speed with a thread per core over speed with one
    n_together: int = 1  # runs side by side that do most …
    together_gain: float | None = None  # … and the steps they do, over those of one alone
    measured_at: str = ""  # the point, in words
    varying: tuple[str, ...] = ()  # parameters that a step's time may depend on
    mixed: bool = False  # choices or conditions are in the space


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """How the study will be tuned, and why."""

    mode: Mode
    policy: str
    workers: int
    threads: int
    n_children: int | None  # None: as many as the budget raises
    n_steps: int | None  # of all runs together, where the time would end a training too early
    nursed: bool  # the first child is raised by the autopilot
    why: tuple[str, ...]
    sampler: str = "random"


def choose(
    facts: Facts,
    *,
    mode: Mode | None = None,
    workers: int | None = None,
    n_children: int | None = None,
) -> Choice:
    """The way to tune for these facts; what is given is kept."""
    side = side_by_side(facts) if workers is None else workers
    n_alone, n_all = trainings(facts, alone=True), trainings(facts, workers=side)
    chosen, why = _mode(facts, n_alone, n_all) if mode is None else (mode, "as you asked")
    if workers is None:
        at_once = side if chosen == "caviar" else 1
        if chosen == "children" and n_all is not None:
            n_raised = n_children or int(n_all)
            at_once = max(1, min(side, n_raised // 2))  # later children learn from earlier ones
    else:
        at_once = workers
    policy, sampler = _policy(facts, chosen, n_all, at_once)
    threads = max(1, facts.n_cores // at_once) if _threads_help(facts) and at_once == 1 else 1
    if chosen == "children" and n_children is None and n_all is not None:
        n_children = max(2, round(n_all)) if n_all >= N_CHILDREN else None
    n_steps = _planned_steps(facts, chosen, n_alone)
    words = (
        _measured(facts), _room(facts), _scaling(facts), _buys(facts, n_alone, n_all),
        f"{_name(chosen)}: {why}; policy {policy}, {_runs(at_once)} at a time, "
        f"{_length(facts, chosen, n_steps)}",
    )  # fmt: skip
    nursed = chosen == "children" and facts.tunable and facts.pausable
    return Choice(chosen, policy, at_once, threads, n_children, n_steps, nursed, words, sampler)


def side_by_side(facts: Facts) -> int:
    """Runs at a time: as many as gain something and fit into memory."""
    n = facts.n_together if (facts.together_gain or 1.0) >= WORTH else 1
    if facts.together_gain is None:  # not measured: one per device or core
        n = facts.n_gpus or facts.n_cores
    if facts.own_mb:
        n = min(n, int(MEMORY_SHARE * facts.free_mb / facts.own_mb))
    return max(1, n)


def trainings(facts: Facts, *, alone: bool = False, workers: int = 1) -> float | None:
    """Full trainings that what is left of the budget buys; None when a length is not known."""
    if facts.max_steps is None:
        return None
    full_s = facts.max_steps * step_s(facts)
    gain = facts.thread_gain if _threads_help(facts) and (alone or workers == 1) else None
    if not alone and workers > 1:
        gain = facts.together_gain or float(workers)
    left_s = max(facts.budget_s - facts.spent_s, 0.0)
    return left_s * (gain or 1.0) / full_s if full_s > 0 else None


def step_s(facts: Facts) -> float:
    """Seconds a step; where none has ended, twice as long as it has been waited for."""
    return facts.step_s if facts.step_s is not None else 2.0 * facts.seen_s


def _mode(facts: Facts, n_alone: float | None, n_all: float | None) -> tuple[Mode, str]:
    if n_alone is None or n_all is None:
        return "caviar", "the length of a training is not known (no max_steps)"
    if facts.n_parameters == 0:
        return "panda", "the space has nothing to search"
    if n_all >= N_CAVIAR:
        return "caviar", f"{n_all:.3g} full trainings are at least {N_CAVIAR:g}"
    if n_alone < N_CHILDREN and not facts.pausable:
        return "children", "the run attaches nothing, so that it could not be nursed"
    if n_alone < N_CHILDREN and not facts.tunable:
        return "children", "no learning rate is live=True, so that no run could be nursed"
    if n_alone < N_CHILDREN:
        return "panda", f"{n_alone:.2g} full trainings are fewer than {N_CHILDREN:g}"
    return "children", f"{n_all:.2g} full trainings lie between {N_CHILDREN:g} and {N_CAVIAR:g}"


def _policy(facts: Facts, mode: Mode, n_trainings: float | None, workers: int) -> tuple[str, str]:
    """The names of policy and sampler."""
    if mode != "caviar":
        return "autopilot" if mode == "panda" else "children", "random"
    chosen = policy_of_many(Known(
        facts.max_steps, n_trainings, workers, facts.n_parameters, mixed=facts.mixed,
        pausable=facts.pausable, step_s=step_s(facts),
    ))  # fmt: skip
    return chosen.policy, chosen.sampler


def _threads_help(facts: Facts) -> bool:
    return not facts.n_gpus and (facts.thread_gain or 0.0) >= WORTH


def _measured(facts: Facts) -> str:
    if facts.step_s is None:
        words = (
            f"no step ended within {SHARE:.0%} of the budget ({facts.seen_s:.2g} s): taken as "
            f"{seconds(step_s(facts))} a step; give more --time for a better choice"
        )
    else:
        words = f"a step takes {seconds(facts.step_s)}, a start {seconds(facts.start_s)}"
    if facts.max_steps is not None:
        words += f", {facts.max_steps} steps {seconds(facts.max_steps * step_s(facts))}"
    if facts.measured_at:
        words += f" (at {facts.measured_at}"
        words += f"; other {', '.join(facts.varying)}, other times)" if facts.varying else ")"
    return words


def _room(facts: Facts) -> str:
    gpus = f", {facts.n_gpus} GPUs" if facts.n_gpus else ", no GPU"
    words = f"{_count(facts.n_cores, 'core')}{gpus}, {facts.free_mb / 1024:.3g} GB free"
    if facts.own_mb is not None and facts.peak_mb is not None:
        words += f"; a run takes {facts.peak_mb:.0f} MB, {facts.own_mb:.0f} of them for itself"
    if facts.checkpoint_mb is not None:
        words += f"; a checkpoint {facts.checkpoint_mb:.2g} MB"
    if not facts.pausable:
        words += "; the run attaches nothing, so that it cannot pause"
    return words


def _scaling(facts: Facts) -> str:
    parts = []
    if facts.thread_gain is not None:
        parts.append(_threads(facts.n_cores, facts.thread_gain))
    if facts.together_gain is not None and facts.n_together > 1:
        gain = f"{facts.together_gain:.2g} times as much as one"
        parts.append(f"{facts.n_together} runs side by side do {gain}")
    if parts:
        return ", ".join(parts)
    if facts.n_cores == 1 and facts.n_gpus <= 1:
        return "one core: nothing to share out"
    return "threads and runs side by side were not measured: taken as one run per core or device"


def _buys(facts: Facts, n_alone: float | None, n_all: float | None) -> str:
    budget = seconds(facts.budget_s)
    if n_alone is None or n_all is None or facts.max_steps is None:
        return f"what {budget} buy cannot be said in trainings without max_steps"
    words = f"{budget} buy {n_alone:.3g} full trainings one after the other"
    if n_all > n_alone * 1.01:
        words += f", {n_all:.3g} side by side"
    words += f", or {n_all * facts.max_steps:.3g} single steps"
    if n_alone < 1.0:
        words += f"; a full training needs --time {seconds(facts.budget_s / n_alone)}"
    return words


def _planned_steps(facts: Facts, mode: Mode, n_alone: float | None) -> int | None:
    if mode != "panda" or facts.max_steps is None or n_alone is None:
        return None
    n_planned = PLANNED * n_alone
    return None if n_planned >= PROBES else max(1, int(n_planned * facts.max_steps))


def _length(facts: Facts, mode: Mode, n_steps: int | None) -> str:
    if n_steps is not None:
        return f"{n_steps} steps with all probes, so that its rate comes down in time"
    if facts.max_steps is None:
        return "each as long as it takes"
    if mode == "caviar":
        return f"from 1 to {facts.max_steps} steps each, as it deserves"
    return f"{facts.max_steps} steps each" if mode == "children" else f"{facts.max_steps} steps"


def seconds(value: float) -> str:
    """A time for people, as --time takes it."""
    if value < 1.0:
        return f"{1e3 * value:.3g}ms"
    if value < 120.0:
        return f"{value:.3g}s"
    if value < 7200.0:
        return f"{value / 60:.3g}m"
    return f"{value / 3600:.3g}h"


def _threads(n: int, gain: float) -> str:
    if gain < 0.05:
        return f"{n} threads are far slower than one"
    return f"{n} threads are {gain:.2g} times as fast as one"


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _runs(n: int) -> str:
    return _count(n, "run")


def _name(mode: Mode) -> str:
    return {"panda": "panda (one run, nursed)", "children": "children (a few, one learns from "
            "the other)", "caviar": "caviar (many, compared)"}[mode]  # fmt: skip
