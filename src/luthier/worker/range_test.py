"""A learning-rate range test on a training function as it stands: its own loop, its own data.

The function is called as for a run. Hooks on every optimizer of torch raise the rate at each of
its steps, whatever a scheduler has set, and read the loss that `backward()` is called on. When the
test is over, the function is left from inside of `optimizer.step()`.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, final

from luthier.core.domain import Value
from luthier.core.errors import (
    AttachError,
    LuthierError,
    OptionError,
    RunSignal,
    TrainingError,
)
from luthier.core.lr_find import N_LEAST, LrFinding, diverged, ramp, suggest
from luthier.worker import rng
from luthier.worker.lr_find import kept
from luthier.worker.run import LiveRun, set_current
from luthier.worker.target import user_traceback

_N_BLIND = 3  # steps without a loss, after which it is plain that none will come


def range_test(
    function: Callable[[Any], object],
    params: Mapping[str, Value],
    *,
    low: float = 1e-7,
    high: float = 10.0,
    n_steps: int = 100,
    max_steps: int | None = None,
) -> LrFinding:
    """Train `n_steps` batches of `function` at growing rates, and judge the losses.

    Ratios of rates between parameter groups are kept. What the function attaches, and the global
    random generators, are put back. AttachError when no step of a torch optimizer is seen.
    """
    if not (0.0 < low < high < math.inf and n_steps > 1):
        raise OptionError(f"from {low} to {high} in {n_steps} steps; expected 0 < from < to, and "
                          "2 steps or more.")  # fmt: skip
    run = LiveRun(params=params, max_steps=max(max_steps or 0, n_steps))
    lrs = [float(lr) for lr in ramp(low, high, n_steps)]
    random = rng.capture()
    with ExitStack() as after:
        after.callback(rng.put_back, random)
        test = _Test(lrs, lambda: after.enter_context(kept(run.things)))
        after.enter_context(_watched(test))
        after.callback(set_current, None)
        set_current(run)
        try:
            with contextlib.suppress(_Enough):
                function(run)
        except LuthierError:
            raise
        except Exception as error:
            raise TrainingError(
                f"the training code failed: {type(error).__name__}: {error}.",
                user_traceback(error),
            ) from error
    if not test.losses:
        raise AttachError(test.why_blind())
    found = suggest(lrs, test.losses)
    if not test.over and len(test.losses) < N_LEAST:
        words = f"the training ended after {len(test.losses)} optimizer steps; {N_LEAST} are needed"
        found = replace(found, why_not=words)
    return found


class _Enough(RunSignal):
    """The test is over; a BaseException, so that the user's `except Exception` lets it by."""


@final
class _Test:
    def __init__(self, lrs: list[float], begin: Callable[[], object]) -> None:
        self.losses: list[float] = []
        self.over = False
        self._lrs = lrs
        self._begin = begin
        self._seen: list[float] = []  # losses since the last step: several when accumulated
        self._n_steps = 0
        self._bases: dict[int, list[float]] = {}  # per optimizer, as the user set its groups
        self._first: int | None = None

    def see(self, loss: float) -> None:
        """A loss that goes backward."""
        self._seen.append(loss)
        if self._bases and not math.isfinite(loss):
            self.losses.append(loss)  # a gradient scaler would take no step
            self._stop()

    def before_step(self, optimizer: Any) -> None:  # noqa: ANN401
        """Judge the loss of this step, and set the rate that the step is taken with."""
        if type(optimizer).__name__ == "LBFGS":
            raise AttachError(
                "lr-find tries one rate per step, and a step of LBFGS is a line of its own with "
                "several losses; expected an optimizer such as SGD or Adam."
            )
        if not self._bases:
            self._begin()
        key = id(optimizer)
        if key not in self._bases:
            self._bases[key] = _bases(optimizer)
            self._first = key if self._first is None else self._first
        if key == self._first:
            self._n_steps += 1
            if self._seen:
                self.losses.append(sum(self._seen) / len(self._seen))
                self._seen.clear()
            elif self._n_steps > _N_BLIND and not self.losses:
                self._stop()
            if diverged(self.losses) or len(self.losses) > len(self._lrs) - 1:
                self._stop()
        lr = self._lrs[max(len(self.losses) - 1, 0)]
        base = self._bases[self._first or key][0]
        for group, own in zip(optimizer.param_groups, self._bases[key], strict=True):
            rate = lr * own / base
            if hasattr(group["lr"], "fill_"):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def why_blind(self) -> str:
        """What the function lacks that a test could take hold of."""
        if self._bases:
            return (
                "the optimizer stepped, but backward() was called on no loss; lr-find reads it "
                "there. Call run.find_lr(step) in the function instead, where step() trains one "
                "batch and gives its loss."
            )
        return (
            "the function took no step of a torch optimizer, so there is nothing to take hold "
            "of. Call run.find_lr(step) in it instead, where step() trains one batch and gives "
            "its loss."
        )

    def _stop(self) -> None:
        self.over = True
        raise _Enough


def _bases(optimizer: Any) -> list[float]:  # noqa: ANN401
    """The rates of the groups before any schedule; ones where all are zero, as in a warm-up."""
    rates = [float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups]
    return rates if rates[0] > 0.0 else [1.0] * len(rates)


@contextmanager
def _watched(test: _Test) -> Iterator[None]:
    """Have every optimizer ask before it steps, and see every loss."""
    try:
        import torch
        from torch.optim.optimizer import register_optimizer_step_pre_hook
    except ImportError as error:
        raise AttachError("a range test needs torch: pip install 'luthier[torch]'.") from error

    real = torch.autograd.backward

    def backward(tensors: Any, *args: Any, **options: Any) -> None:  # noqa: ANN401
        one = tensors if isinstance(tensors, torch.Tensor) else tensors[0]
        test.see(float(one.detach().mean()))
        real(tensors, *args, **options)

    hook = register_optimizer_step_pre_hook(lambda optimizer, *_: test.before_step(optimizer))
    torch.autograd.backward = backward
    try:
        yield
    finally:
        torch.autograd.backward = real
        hook.remove()
