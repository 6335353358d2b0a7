"""The beginning of a study that nobody gave a policy: measure, choose, go on with the choice.

The measured run is the study's first trial, at the default point: what it has trained is kept.
Where it breaks before it reports, another point is tried.
Copies of it, that are not, show what threads and runs side by side are worth.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, final

from luthier.contracts import Executor, Policy
from luthier.core.action import Action, Continue, Start, Stop
from luthier.core.auto import is_mixed
from luthier.core.choose import SHARE, Choice, Facts, Mode, choose
from luthier.core.course import live_rate
from luthier.core.domain import Choice as Options
from luthier.core.domain import Int, Value
from luthier.core.errors import TrainingError
from luthier.core.study import Run, RunState, Study, StudyView
from luthier.executors.copies import Copies
from luthier.executors.local import LocalExecutor
from luthier.executors.machine import free_mb, n_cores
from luthier.policies.drawing import draw
from luthier.samplers.random import Random

# the code before the colon: the autopilot, if it is chosen, counts the run among its probes
REASON = "probe: measures how long a step takes"
_FIRST_SHARE = 0.3  # of what may be spent, that the second slice of the first run may take
_MOST_SHARE = 0.05  # of a full training, that is trained before there is a choice
_MOST_STEPS = 50  # of it, where its length is not known
_LEAST_STEPS = 2  # of it all the same: the first one has its own costs


@final
class Calibration:
    """A policy until it has chosen one; then that one.

    `made` gives the policy for a choice. With `only_look` nothing is trained after the choice.
    """

    def __init__(
        self,
        study: Study,
        executor: Executor,
        made: Callable[[Choice, Facts], Policy],
        *,
        asked: Mapping[str, Any],
        n_gpus: int = 0,
        only_look: bool = False,
    ) -> None:
        self._executor = executor
        self._made = made
        self._asked = asked
        self._n_gpus = n_gpus
        self._only_look = only_look
        self._limit_s = SHARE * (study.budget.time_s or 0.0)
        self._policy: Policy | None = None
        self._interrupted = False
        self._asked_s = time.perf_counter()  # when the first run was asked for
        self._began_s: float | None = None  # when its training began
        self._samples: list[tuple[float, float]] = []  # (step, train_s) of the second slice
        self._first: tuple[float, float] | None = None  # at the end of the first
        self._memory: tuple[float, float] | None = None

    @property
    def forks_before(self) -> float | None:
        """As the policy that was chosen has it (core/retention.py)."""
        return getattr(self._policy, "forks_before", None)

    def decide(self, view: StudyView) -> Sequence[Action]:
        """The first run and its second slice; then what the chosen policy says."""
        if self._policy is not None:
            return self._policy.decide(view)
        if not view.trials:
            if self._local is not None:
                self._local.load()
            return self._begin(_point(view))
        run = list(view.current().values())[-1]
        self._look(run)
        if _told_nothing(run) and not self._only_look and view.n_new:
            return self._begin(*draw(view, Random(), 1))  # the tuner says when it is enough
        if self._began_s is None and run.state is RunState.PENDING:
            return []
        if run.active and not self._spent() and not (run.step >= 1 and not run.pausable):
            return []
        if run.state is RunState.PAUSED and self._first is None:
            self._first = (run.step, run.train_s)
            if (slice_ := self._second_slice(view, run)) > run.step:
                return [Continue(run_id=run.id, to_step=slice_, reason=REASON)]
        return self._choose(view, run)

    def _begin(self, *points: Mapping[str, Value]) -> Sequence[Action]:
        self._began_s, self._asked_s = None, time.perf_counter()
        self._samples, self._first, self._memory = [], None, None
        return [Start(params=point, to_step=1, reason=REASON) for point in points]

    def interrupt(self) -> None:
        """End the measurement at once, without a choice; safe in a signal handler."""
        self._interrupted = True

    def _look(self, run: Run) -> None:
        if self._began_s is None and run.state is not RunState.PENDING:
            self._began_s = time.perf_counter()
        found = self._local.memory_mb(run.id) if self._local and run.active else None
        if found is not None:
            both = zip(found, self._memory or found, strict=True)
            self._memory = max(next(both)), max(next(both))
        at = (run.step, run.train_s)
        if run.step >= 1 and at != self._first and at not in self._samples:
            self._samples.append(at)

    @property
    def _local(self) -> LocalExecutor | None:
        return self._executor if isinstance(self._executor, LocalExecutor) else None

    def _left_s(self) -> float:
        if self._interrupted:
            return 0.0
        began_s = self._began_s or self._asked_s
        return self._limit_s - (time.perf_counter() - began_s)

    def _spent(self) -> bool:
        return self._left_s() <= 0.0

    def _second_slice(self, view: StudyView, run: Run) -> float:
        """Where a second slice of the first run would end; its own step when there is no time."""
        n = int(min(_FIRST_SHARE * self._limit_s, self._left_s()) / max(run.train_s, 1e-3))
        last = view.study.max_steps
        most = _MOST_STEPS if last is None else max(_LEAST_STEPS, int(_MOST_SHARE * last))
        most = most if last is None else min(most, last)
        return min(1 + n, most)

    def _choose(self, view: StudyView, run: Run) -> Sequence[Action]:
        if self._only_look and _told_nothing(run):
            why = [run.reason, *run.error.strip().splitlines()][-1]
            raise TrainingError(
                f"nothing could be measured at {point_words(run.params)}: {why}.", run.error
            )
        facts = self._facts(view, run)
        if self._interrupted:  # half a measurement is none: the study is measured when it resumes
            return []
        choice = choose(facts, **self._asked)
        self._policy = self._made(choice, facts)
        if self._only_look:
            self._policy = _Nothing()
            return [] if run.pausable or run.state.ended else [
                Stop(run_id=run.id, reason="only-looked")
            ]  # fmt: skip
        n_free = view.n_free
        if self._local is not None:
            self._local.share_out(choice.workers, choice.threads)
            n_free = self._local.n_free
        going: list[Action] = []
        if choice.policy == "full" and run.state is RunState.PAUSED and n_free:
            # it never goes back to what has begun
            to_step = view.study.max_steps or float("inf")
            going, n_free = [Continue(run_id=run.id, to_step=to_step, reason="goes-on")], n_free - 1
        study = view.study
        if choice.n_steps is not None and study.budget.n_steps is None:  # as it is in the store now
            study = replace(study, budget=replace(study.budget, n_steps=choice.n_steps))
            view = replace(view, study=study)
        new = study.budget.n_trials
        n_new = n_free if new is None else max(0, min(n_free, new - len(view.trials)))
        return [*going, *self._policy.decide(replace(view, n_free=n_free, n_new=n_new))]

    def _facts(self, view: StudyView, run: Run) -> Facts:
        study, budget_s = view.study, view.study.budget.time_s or 0.0
        space = study.space
        checkpoint = run.latest
        facts = Facts(
            budget_s=budget_s,
            spent_s=view.elapsed_s,
            max_steps=study.max_steps,
            step_s=self._step_s(run),
            start_s=max(0.0, (self._began_s or self._asked_s) - self._asked_s),
            seen_s=time.perf_counter() - (self._began_s or self._asked_s),
            pausable=run.pausable,
            tunable=live_rate(space.domains) is not None,
            n_parameters=len(space.names),
            n_cores=n_cores(),
            n_gpus=self._n_gpus,
            free_mb=free_mb(),
            peak_mb=self._memory[0] if self._memory else None,
            own_mb=self._memory[1] if self._memory else None,
            checkpoint_mb=checkpoint.n_bytes / 1e6 if checkpoint else None,
            measured_at=point_words(run.params),
            varying=_varying(study),
            mixed=is_mixed(space),
        )
        local = self._local
        if local is None:  # this process only: one run, as it is
            return replace(facts, n_cores=1)
        most = self._asked.get("workers") or self._n_gpus or facts.n_cores
        if run.active or facts.step_s is None or facts.n_cores == most == 1:
            return facts
        began_s = time.perf_counter()
        found = Copies(local, study, run, facts, self._left_s).measure(int(most))
        spent_s = view.elapsed_s + time.perf_counter() - began_s
        return replace(found, spent_s=spent_s)

    def _step_s(self, run: Run) -> float | None:
        """Seconds a step, without the way to the first one where that can be told apart."""
        if _told_nothing(run):
            return None
        if len(self._samples) >= 2:
            (first, first_s), (last, last_s) = self._samples[0], self._samples[-1]
            if last > first:
                return (last_s - first_s) / (last - first)
        if self._first is not None and run.step > self._first[0]:
            return (run.train_s - self._first[1]) / (run.step - self._first[0])
        return run.train_s / run.step if run.step >= 1 else None


@final
class _Nothing:
    """Trains nothing."""

    def decide(self, view: StudyView) -> Sequence[Action]:
        """No action."""
        return []


def choice_to_json(choice: Choice, facts: Facts) -> dict[str, Any]:
    """For the recipe of the study."""
    return {**asdict(choice), "facts": asdict(facts)}


def say(choice: Choice) -> None:
    """Print the reasons."""
    for words in choice.why:
        print(words, file=sys.stderr)


def point_words(params: Mapping[str, Value]) -> str:
    """A point on one line."""
    return " ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}"
                    for k, v in params.items())  # fmt: skip


def asked_of(mode: str | None, workers: int | None, n_children: int | None) -> dict[str, Any]:
    """What the user gave, for `choose`."""
    known: Mode | None = mode  # type: ignore[assignment]
    return {"mode": known, "workers": workers, "n_children": n_children}


def _told_nothing(run: Run) -> bool:
    """Whether it broke before its first report."""
    return run.state is RunState.FAILED and not len(run.curve)


def _point(view: StudyView) -> dict[str, Value]:
    """The default point; where constraints forbid it, the first that is drawn."""
    space = view.study.space
    default = space.default()
    if space.feasible(default):
        return default
    points = draw(view, Random(), 1)
    return points[0] if points else default


def _varying(study: Study) -> tuple[str, ...]:
    """Parameters that a step's time may depend on: whole numbers and numbers to choose from."""
    return tuple(
        name
        for name, domain in study.space.domains.items()
        if isinstance(domain, Int)
        or (isinstance(domain, Options) and all(isinstance(o, int) for o in domain.options))
    )
