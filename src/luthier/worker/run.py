"""`LiveRun`: what the user's training loop talks to.

    run.attach(model=model, optimizer=optimizer)
    for epoch in run.steps():
        …
        run.report(val_loss=…)

Orders are obeyed between two steps, when the body of the loop is done: a checkpoint taken there
holds everything the step changed, whatever came after `report()`. Only a stop is obeyed at once.
Without a tuner the same calls do nothing but count.
"""

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

from luthier.contracts import Assignment
from luthier.core.domain import Value
from luthier.core.errors import AttachError, MetricError, OptionError, PauseRun, StopRun
from luthier.core.study import Checkpoint, RunState
from luthier.worker import live, rng
from luthier.worker.checkpoint import CheckpointWriter, read_checkpoint
from luthier.worker.link import Link, NoLink, Order
from luthier.worker.stateful import Stateful, stateful
from luthier.worker.wire import REPORT, WireWriter

# Checkpoints nobody asked for may take this share of the training time …
SAVE_SHARE = 0.02
# … are at least this far apart, and come this often even when nothing got better.
SAVE_GAP_S, SAVE_EVERY_S = 1.0, 30.0


@final
class Parameters(Mapping[str, Value]):
    """The run's parameters, by key and by attribute: `params["lr"]`, `params.lr`."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __getattr__(self, name: str) -> Value:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            known = ", ".join(self.__dict__.get("_values", {}))
            raise AttributeError(f"no parameter {name!r}; this run has: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Parameters({', '.join(f'{k}={v!r}' for k, v in self.items())})"


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
        self.params = Parameters(run.params if run else params or {})
        self.step: float = 0  # steps trained so far
        self._assignment = assignment
        self._max_steps = assignment.study.max_steps if assignment else max_steps
        self._to_step = run.to_step if run else math.inf
        self._wire = wire
        self._link = link or NoLink()
        self._things: dict[str, Any] = {}
        self._access: dict[str, Stateful] = {}
        self._looping = False
        self._announced = False
        self._waiting: list[Order] = []
        self._reported: set[str] = set()
        self._began_s = time.perf_counter()
        self._before_s = run.train_s if run else 0.0
        self._loss = math.nan  # newest objective, as a loss
        self._best_loss = math.inf
        self._better = False  # since the last checkpoint
        self._saved_s = self._began_s
        self._save_cost_s = 0.0
        self._saved_step: float | None = None
        self._writer: CheckpointWriter | None = None
        if assignment:
            folder = assignment.paths.checkpoints
            self._writer = CheckpointWriter(assignment.run.id, folder, self._tell_saved)

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

    def attach(self, **things: Any) -> None:  # noqa: ANN401  the user's objects
        """Hand over what holds state, which gives pause, resume, rollback and fork.

        Anything with `state_dict` and `load_state_dict`, and random generators. Call it before
        the loop over `steps()`; there the states are restored if the run goes on from a checkpoint.
        Raises AttachError for what has no state.
        """
        if self._looping:
            raise AttachError("attach() inside of the loop; call it before `for … in run.steps()`.")
        access = {name: stateful(name, thing) for name, thing in things.items()}
        self._things |= things
        self._access |= access

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
        self._restore_parent()
        self._looping = True
        self._announce(self.step, pausable=bool(self._access))
        while self.step < last:
            self.step = math.floor(self.step) + 1
            yield int(self.step)
            self._between_steps(last)
        self._looping = False

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
            if not self._looping:
                self.step = at
        elif self._looping:
            at = self.step
        else:
            at = self.step = self.step + 1
        assignment = self._assignment
        if assignment is None:
            return
        self._reported.update(values)
        if not self._announced:  # a loop without steps(): can be stopped, not paused
            self._announce(0, pausable=False)
        self._say(REPORT, at, self.train_s, values)
        if (value := values.get(assignment.study.metric)) is not None:
            self._loss = assignment.study.loss(value)
            if self._loss < self._best_loss:
                self._best_loss, self._better = self._loss, True
        if orders := self._link.poll():
            self._waiting += orders
            self._obey_stop()

    def finish(self, state: RunState, reason: str = "", error: str = "") -> None:
        """Say the last word of this process about the run; for executors."""
        if self._writer:
            self._writer.join()
        self._say("end", state.value, self.step, self.train_s, reason, error)
        self._link.ring()

    def _announce(self, step: float, *, pausable: bool) -> None:
        self._announced = True
        self._say("started", step, pausable, live.shown(self._effective()))

    def _between_steps(self, last: int) -> None:
        if self._assignment is None:
            return
        self._waiting += self._link.poll()
        self._obey_stop()
        orders, self._waiting = self._waiting, []
        pause = ""
        for order in orders:
            pause = self._obey(order) or pause
        if not self._access:
            return
        if self.step >= last:
            self._save(wait=True)
        elif pause or self.step >= self._to_step:
            self._save(wait=True)
            raise PauseRun(pause or "slice-end")
        elif self._save_due():
            self._save(wait=False)

    def _obey_stop(self) -> None:
        for order in self._waiting:
            if order["kind"] == "stop":
                self._say("obeyed", order["number"], self.step, {}, {})
                raise StopRun(order["reason"])

    def _obey(self, order: Order) -> str:
        """Carry out one order; for a pause, returns its reason."""
        number, kind = order["number"], order["kind"]
        if kind in ("pause", "rollback") and not self._access:
            if number:
                self._say("refused", number, "the run attached nothing that could be saved")
            return ""
        if kind == "continue":
            self._to_step = max(self._to_step, order["to_step"])
        elif kind == "change":
            self._change(order["params"])
        elif kind == "rollback":
            self._roll_back(Checkpoint(**order["checkpoint"]), order["path"], order["params"])
        elif kind != "pause":
            self._say("refused", number, f"a running run does not know {kind!r}")
            return ""
        if number:
            read_back = live.shown(self._effective())
            self._say("obeyed", number, self.step, read_back, order.get("params", {}))
            self._link.ring()
        return order["reason"] if kind == "pause" else ""

    def _change(self, params: Mapping[str, Value]) -> None:
        live.apply(self._things.values(), self.params, params)
        self.params = Parameters({**self.params, **params})

    def _roll_back(self, to: Checkpoint, path: str, params: Mapping[str, Value]) -> None:
        if self._writer:
            self._writer.join()
        wanted = {**self.params, **params}
        self._say("back", to.step)
        self._restore(to, path, wanted)
        self._best_loss = self._loss = to.loss if to.loss is not None else math.nan
        self._better = False

    def _restore_parent(self) -> None:
        if self._assignment and self._assignment.resume_from:
            to = self._assignment.resume_from
            self._restore(to, self._assignment.resume_path, self.params)
            self._loss = to.loss if to.loss is not None else math.nan

    def _restore(self, to: Checkpoint, path: str, params: Mapping[str, Value]) -> None:
        state = read_checkpoint(Path(path), to)
        missing = sorted(state["things"].keys() ^ self._access.keys())
        if missing:
            raise AttachError(
                f"checkpoint and run.attach() differ in {missing}; attach the same things under "
                "the same names as when it was saved."
            )
        for name, saved in state["things"].items():
            self._access[name].put(saved)
        live.check(self._things.values(), state["effective"])
        live.apply(self._things.values(), state["params"], params)
        self.params = Parameters(params)
        self.step = to.step
        self._saved_step = to.step
        rng.put_back(state["rng"])

    def _effective(self) -> live.Effective:
        return live.read(self._things.values())

    def _save_due(self) -> bool:
        since_s = time.perf_counter() - self._saved_s
        gap_s = max(SAVE_GAP_S, self._save_cost_s / SAVE_SHARE)
        busy = self._writer is not None and self._writer.busy
        return not busy and since_s >= (gap_s if self._better else max(gap_s, SAVE_EVERY_S))

    def _save(self, *, wait: bool) -> None:
        if self._writer is None or self._saved_step == self.step:
            return
        began_s = time.perf_counter()
        state = {
            "things": {name: access.take() for name, access in self._access.items()},
            "params": dict(self.params),
            "effective": self._effective(),
            "rng": rng.capture(),
        }
        loss = None if math.isnan(self._loss) else self._loss
        self._writer.write(state, self.step, loss, wait=wait)
        self._saved_s = time.perf_counter()
        self._save_cost_s = self._saved_s - began_s
        self._saved_step = self.step
        self._better = False

    def _tell_saved(self, c: Checkpoint) -> None:
        self._say("saved", c.step, c.file, c.n_bytes, c.crc32, c.loss)

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
