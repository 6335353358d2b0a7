"""`LiveRun`: what the user's training loop talks to.

    run.attach(model=model, optimizer=optimizer)
    for epoch in run.steps():
        …
        run.report(val_loss=…)

Orders are obeyed between two steps, when the body of the loop is done: a checkpoint taken there
holds everything the step changed, whatever came after `report()`. A stop is obeyed at the next
report; changes of live parameters are obeyed between two batches where the loop uses `batches()`.
Without a tuner the same calls do nothing but count.
"""

import importlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, final

from luthier.contracts import Assignment
from luthier.core.course import extras, without_extras
from luthier.core.domain import Value
from luthier.core.errors import (
    AttachError,
    CheckpointError,
    MetricError,
    OptionError,
    PauseRun,
    PointError,
    ReadBackError,
    StopRun,
)
from luthier.core.lr_find import LrFinding
from luthier.core.shapes import Shape, shape
from luthier.core.study import Checkpoint, RunState
from luthier.worker import rng
from luthier.worker.autonomy import Autonomy
from luthier.worker.average import Average
from luthier.worker.checkpoint import State, read_checkpoint
from luthier.worker.drift import Drift
from luthier.worker.link import Link, NoLink, Order
from luthier.worker.live import Live, Own, shown
from luthier.worker.lr_find import find_lr
from luthier.worker.orders import Orders
from luthier.worker.parameters import Parameters
from luthier.worker.position import Position
from luthier.worker.saving import Saving
from luthier.worker.schedule import Schedule
from luthier.worker.stateful import Stateful, stateful
from luthier.worker.wire import REPORT, WireWriter

_AT_ONCE = ("change", "mark", "continue")  # obeyed between two batches

Batch = TypeVar("Batch")


@final
class LiveRun:
    """One run as seen from inside its training loop."""

    def __init__(
        self,
        assignment: Assignment | None = None,
        *,
        params: Mapping[str, Value] | None = None,
        max_steps: int | None = None,
        wire: WireWriter | None = None,
        link: Link | None = None,
    ) -> None:
        run = assignment.run if assignment else None
        given = run.params if run else params or {}
        self.params = Parameters(without_extras(given))
        self.step: float = 0  # steps trained so far
        self._assignment = assignment
        self._max_steps = assignment.study.max_steps if assignment else max_steps
        self._to_step = run.to_step if run else math.inf
        self._wire = wire
        self._link = link or NoLink()
        self._live = Live()
        self._access: dict[str, Stateful] = {}
        self._probes: Any = None
        self._looping = False
        self._announced = False
        self._orders = Orders(self._link, assignment.plan if assignment else ())
        self._schedules: list[Schedule] = []
        self._average = Average()
        self._autonomy = Autonomy(self._live, self._average, extras(given))
        self._position: Position | None = None  # inside of a step that goes through batches()
        self._resume_at: dict[str, Any] | None = None  # a position that a checkpoint held
        self._discarding = False  # the step under way is to be rolled back
        self._drift = Drift()
        self._reported: set[str] = set()
        self._began_s = time.perf_counter()
        self._before_s = run.train_s if run else 0.0
        self._saving: Saving | None = None
        if assignment:
            folder = assignment.paths.checkpoints
            self._saving = Saving(assignment.run.id, folder, self._tell_saved)

    @property
    def id(self) -> str:
        """The run's name in the study; empty without a tuner."""
        return self._assignment.run.id if self._assignment else ""

    @property
    def trial(self) -> int:
        """The trial's number; 0 without a tuner."""
        return self._assignment.run.trial if self._assignment else 0

    @property
    def seed(self) -> int:
        """The trial's seed, which all global generators were seeded with; 0 without a tuner."""
        return self._assignment.seed if self._assignment else 0

    @property
    def train_s(self) -> float:
        """Seconds since the training code began, those before a pause included."""
        return self._before_s + time.perf_counter() - self._began_s

    @property
    def metrics(self) -> frozenset[str]:
        """Names reported so far by this process."""
        return frozenset(self._reported)

    @property
    def things(self) -> Mapping[str, Any]:
        """What was attached so far, by name."""
        return dict(self._live.things)

    def attach(self, **things: Any) -> None:  # noqa: ANN401  the user's objects
        """Hand over what holds state, which gives pause, resume, rollback and fork.

        Anything with `state_dict` and `load_state_dict`, and random generators. Call it before
        the loop over `steps()`; there the states are restored if the run goes on from a checkpoint.
        Raises AttachError for what has no state.
        """
        if self._looping:
            raise AttachError("attach() inside of the loop; call it before `for … in run.steps()`.")
        self._access |= {name: stateful(name, thing) for name, thing in things.items()}
        self._live.attach(things)
        self._average.attach(things)
        tier = os.environ.get("LUTHIER_PROBES", "economy")
        if self._assignment and "torch" in sys.modules and tier != "off":
            if self._probes is not None:
                self._probes.close()
            probes = importlib.import_module("luthier.worker.probes")  # it needs torch
            self._probes = probes.Probes(self._live.things, tier)

    def live(
        self,
        name: str,
        write: Callable[[Value], object],
        read: Callable[[], Value] | None = None,
    ) -> None:
        """Make a parameter of the space live with a function of your own.

        `write` is called with every new value, `read` gives the value in force. Needed only for
        what Luthier does not find in the attached objects and the loop does not read from
        `run.params` at every step: the strength of an augmentation, say.
        """
        if name not in self.params:
            raise OptionError(f"live({name!r}): this run has {[*self.params]}.")
        self._live.bind(Own(name, write, read, self.params[name]))

    def schedule(
        self,
        optimizer: Any,  # noqa: ANN401
        how: str | Shape = "linear",
        *,
        n_steps: float | None = None,
        warmup: float = 0.0,
        cooldown: float = 0.2,
        final: float = 0.0,
    ) -> Schedule:
        """Drive the learning rate: "constant", "linear", "cosine", "cooldown" or "one-cycle".

        Or any function of the fraction done (0 to 1) that gives the factor on the optimizer's
        rate. Moves by itself between steps, and between batches in `batches()`; a live change of
        the rate holds under it. `warmup`, `cooldown` and `final` as in `luthier.core.shapes`.
        """
        last = n_steps or self._max_steps
        if last is None:
            raise OptionError("schedule() does not know the length; write n_steps=30.")
        curve = how if callable(how) else shape(
            how, warmup=warmup, cooldown=cooldown, final=final
        )  # fmt: skip
        made = Schedule(optimizer, curve, last)
        self._schedules.append(made)
        self.attach(**{f"schedule_{len(self._schedules)}": made})
        return made

    def find_lr(
        self,
        step: Callable[[], Any],
        *,
        low: float = 1e-7,
        high: float = 10.0,
        n_steps: int = 100,
    ) -> LrFinding:
        """A range test with what was attached: `step()` trains one batch and gives its loss.

        Attached objects and random generators are put back exactly; see docs/lr-find.md.
        """
        if self._probes is not None:
            self._probes.pause(True)
        try:
            return find_lr(self._live.things, step, low=low, high=high, n_steps=n_steps)
        finally:
            if self._probes is not None:
                self._probes.pause(False)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """For evaluation: the attached modules hold the mean of their weights in this block.

        Where the run's `weights/average` says over how many steps; without it, nothing happens.
        """
        with self._average.in_place():
            yield

    def steps(self, n: int | None = None) -> Iterator[int]:
        """Step numbers 1, 2, … to `n` (default: the study's `max_steps`).

        Goes on behind the checkpoint after a pause, and back by itself after a rollback.
        """
        limits = [limit for limit in (n, self._max_steps) if limit is not None]
        if not limits:
            raise OptionError(
                "run.steps() does not know how many; write run.steps(30) or @tune(max_steps=30)."
            )
        last = min(limits)
        if self._max_steps is None:
            self._max_steps = last
        self._restore_parent()
        self._looping = True
        self._freeze()
        self._announce(self.step, pausable=bool(self._access))
        self._obey_due(self.step)  # what is planned for the first step
        self._follow(self.step)
        self.params._taken.clear()
        while self.step < last:
            self.step = math.floor(self.step) + 1
            self._position = None
            yield int(self.step)
            self._discard_or_move()
            self._between_steps(last)
        self._looping = False

    def batches(self, loader: Iterable[Batch]) -> Iterator[Batch]:
        """The batches of `loader`; between two of them changes of live parameters are obeyed.

        For the loop over the training data, once in a step. After a restore to the middle of a
        step it goes on behind the batches that were trained: the states of the random generators
        are put back, and those batches are fetched once more. Other loops over data in the same
        step just run through.
        """
        if not self._looping or self._position is not None or not hasattr(loader, "__len__"):
            yield from loader
            return
        self._position = position = Position(loader, self._resume_at)
        self._resume_at = None
        start = math.floor(self.step) - 1
        for batch in self._autonomy.kept(position, start):
            yield batch
            at = start + position.fraction
            for schedule in self._schedules:
                schedule.move(at)
            self._follow(at)
            if position.fraction < 1.0 and self._assignment is not None:
                self._between_batches(at)
                if self._discarding:
                    return

    def report(self, *, step: float | None = None, **metrics: Any) -> None:  # noqa: ANN401
        """Record metrics of the step under way (fractions of steps allowed); never waits.

        Numbers, and anything `float()` takes: tensors of one element, NumPy scalars. NaN and
        infinities are kept. When it returns, the values survive the death of this process.
        A stop is obeyed here.
        """
        if not metrics:
            raise MetricError("report() without metrics; write such as run.report(val_loss=0.3).")
        try:
            values = {name: float(value) for name, value in metrics.items()}
        except (TypeError, ValueError) as error:
            raise MetricError(f"report({metrics!r}): {error}; expected numbers.") from error
        if step is not None:
            at = float(step)
            last = self._max_steps if self._assignment else None
            if not math.isfinite(at) or (last is not None and at > last):
                limit = "" if last is None else f" up to {last:g}, the study's max_steps"
                raise MetricError(f"report(step={step!r}); expected a number of steps{limit}.")
            if not self._looping:
                self.step = at
        elif self._looping:
            at = self.step
        else:
            at = self.step = self.step + 1
        assignment = self._assignment
        if assignment is None or self._discarding:
            return
        self._reported.update(values)
        if self._probes is not None:
            values |= self._probes.collect()
        if not self._announced:  # a loop without steps(): can be stopped, not paused
            self._announce(0, pausable=False)
        self._say(REPORT, at, self.train_s, values)
        if self._saving and (value := values.get(assignment.study.metric)) is not None:
            self._saving.reported(assignment.study.loss(value))
        if self._orders.listen():
            self._obey_stop()

    def finish(self, state: RunState, reason: str = "", error: str = "") -> None:
        """Say the last word of this process about the run; for executors."""
        if self._probes is not None:
            self._probes.close()
        if self._saving:
            self._saving.join()
        if state is RunState.COMPLETED and self.step > 0:
            self._save(wait=True)  # a loop that was left early has not saved its last step
        # before the loop the step is not known here: what has been reported counts
        step = self.step if self._announced else None
        self._say("end", state.value, step, self.train_s, reason, error)
        self._link.ring()

    def _announce(self, step: float, *, pausable: bool) -> None:
        self._announced = True
        train_s = self.train_s if pausable else None  # else the first step is in it
        self._say("started", step, pausable, shown(self._live.read()), train_s)

    def _freeze(self) -> None:
        """Parts that the run's parameters say stand still from the start."""
        for name, value in self.params._values.items():
            knob = self._live.knob(name)
            if knob is not None and knob.name == "frozen":
                self._live.apply({}, {name: value})

    def _discard_or_move(self) -> None:
        if not self._discarding:
            for schedule in self._schedules:
                schedule.move(self.step)
            self._follow(self.step)

    def _follow(self, at: float) -> None:
        """Move what follows a course; a change under judgement moves along with it."""
        self._drift.follow(self._autonomy.move(at))

    def _between_steps(self, last: int) -> None:
        if self._assignment is None:
            return
        self._position = None
        self._orders.listen()
        self._obey_stop()
        if noted := self._drift.look(self._live, self.step):
            self._say("noted", *noted)
        pause = self._obey_due(self.step)
        self._discarding = False
        if not self._access:
            return
        if self.step >= last:
            self._save(wait=True)
        elif pause or self.step >= self._to_step:
            self._save(wait=True)
            raise PauseRun(pause or "slice-end")
        elif self._saving and self._saving.due(self.step, self._autonomy.save_every):
            self._save(wait=False)

    def _between_batches(self, at: float) -> None:
        self._orders.listen()
        if not self._orders:
            return
        self._obey_stop()
        self._obey_due(at, _AT_ONCE)
        # weights that will be thrown away need no more training; the loop is left at its end
        self._discarding = bool(self._access) and self._orders.has("rollback")

    def _obey_stop(self) -> None:
        order = self._orders.stop(can_save=bool(self._access))
        if order is None:
            return
        if order["number"]:  # 0: nobody asked, as when the process is to go
            self._say("obeyed", order["number"], self.step, {}, {}, {})
        raise StopRun(order["reason"])

    def _obey_due(self, at: float, kinds: tuple[str, ...] = ()) -> str:
        """Obey what has come and what was planned up to `at`; for a pause, returns its reason."""
        pause = ""
        for order in self._orders.due(at, kinds):
            pause = self._obey(order, at) or pause
        return pause

    def _obey(self, order: Order, at: float) -> str:
        """Carry out one order at step `at`; for a pause, returns its reason."""
        number, kind = order["number"], order["kind"]
        before, was = self._live.read(), self.params._values
        if kind in ("pause", "rollback", "mark") and not self._access:
            return self._refuse(number, "the run attached nothing that could be saved")
        changed: Mapping[str, Value] = {}
        if kind == "continue":
            self._to_step = max(self._to_step, order["to_step"])
        elif kind == "mark":
            # waited for: whoever marks may want to go back there at once
            self._save(wait=True, at=at, kept=f"mark: {order['reason']}")
        elif kind == "change":
            try:
                changed = self._change(order["params"], number, at)
            except (PointError, ReadBackError) as error:
                return self._refuse(number, str(error.args[0]))
            self._drift.watch(number, before, self._live.read())
        elif kind == "rollback":
            try:
                at, changed = self._roll_back(order)
                self._follow(at)
            except (CheckpointError, PointError) as error:
                return self._refuse(number, str(error.args[0]))
        elif kind != "pause":
            return self._refuse(number, f"a running run does not know {kind!r}")
        if number:
            read_back = shown(self._live.read())
            asked = {name: was[name] for name in changed if name in was}
            self._say("obeyed", number, at, read_back, changed, {**asked, **shown(before)})
            self._link.ring()
        return order["reason"] if kind == "pause" else ""

    def _refuse(self, number: int, why: str) -> str:
        if number:
            self._say("refused", number, why)
            self._link.ring()
        return ""

    def _change(self, params: Mapping[str, Value], number: int, at: float) -> Mapping[str, Value]:
        own = without_extras(params)
        for name in own:
            read_by_loop = name in self.params._taken or at == 0
            if self._live.knob(name) is None and not read_by_loop:
                raise PointError(
                    f"nothing attached holds {name}, and the loop does not read run.params.{name} "
                    f"at every step: a change would do nothing. Attach what holds it, or give "
                    f"run.live({name!r}, write=…) before the loop."
                )
        self._autonomy.check(extras(params))
        self._save(wait=False, at=at, kept=f"before:{number}")
        self._live.apply(self.params._values, own)
        self._take(own)
        self._autonomy.take(extras(params))
        self._autonomy.move(at)
        return params

    def _roll_back(self, order: Order) -> tuple[float, Mapping[str, Value]]:
        if self._saving:
            self._saving.join()
        to = Checkpoint(**order["checkpoint"])
        state = read_checkpoint(Path(order["path"]), to)
        self._autonomy.check(extras(order["params"]))
        self._say("back", to.step)
        self._autonomy.take(extras(order["params"]))
        self._restore(to, state, {**self.params._values, **without_extras(order["params"])})
        return to.step, order["params"]

    def _take(self, params: Mapping[str, Value]) -> None:
        taken = self.params._taken
        self.params = Parameters({**self.params._values, **params})
        self.params._taken |= taken

    def _restore_parent(self) -> None:
        if self._assignment and self._assignment.resume_from and not self._announced:
            to = self._assignment.resume_from
            state = read_checkpoint(Path(self._assignment.resume_path), to)
            self._restore(to, state, self.params._values)

    def _restore(self, to: Checkpoint, state: State, params: Mapping[str, Value]) -> None:
        missing = sorted(state["things"].keys() ^ self._access.keys())
        if missing:
            raise AttachError(
                f"checkpoint and run.attach() differ in {missing}; attach the same things under "
                "the same names as when it was saved."
            )
        for name, saved in state["things"].items():
            self._access[name].put(saved)
        self._live.restore(state["effective"], state["params"], params)
        self._take(params)
        self.step = to.step
        if self._saving:
            self._saving.restored(to)
        self._autonomy.restored(state.get("factors", {}), state.get("batches", {}))
        self._average.restore(state.get("average"))
        self._resume_at = state["position"]
        self._drift.forget()
        rng.put_back(state["rng"])

    def _save(self, *, wait: bool, at: float | None = None, kept: str = "") -> None:
        """A checkpoint of step `at` (default: the step that is done); `kept`: why it stays."""
        if self._saving is not None and self._access:
            at = self.step if at is None else at
            self._saving.save(lambda: self._state(at), at, wait=wait, kept=kept)

    def _state(self, at: float) -> State:
        """All that a checkpoint of step `at` holds."""
        return {
            "things": {name: access.take() for name, access in self._access.items()},
            "params": dict(self.params._values),
            "effective": self._live.read(),
            "factors": dict(self._autonomy.factors),
            "batches": self._autonomy.batches(at),
            "average": self._average.state(),
            "rng": rng.capture(),
            "position": self._position.state() if self._position and at % 1 else None,
        }

    def _tell_saved(self, c: Checkpoint) -> None:
        self._say("saved", c.step, c.file, c.n_bytes, c.crc32, c.loss, c.kept)

    def _say(self, *parts: object) -> None:
        if self._wire is not None:
            self._wire.say(*parts)


_current: LiveRun | None = None


def current_run() -> LiveRun:
    """The run that this process trains; one that does nothing when there is no tuner."""
    return _current or LiveRun()


def set_current(run: LiveRun | None) -> None:
    """Make `run` the one that `current_run` gives; for executors."""
    global _current
    _current = run
