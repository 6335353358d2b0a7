"""A learning-rate range test on live objects; all is put back afterwards, bit by bit."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from luthier.core.errors import AttachError, OptionError
from luthier.core.lr_find import LrFinding, diverged, ramp, suggest
from luthier.worker import rng
from luthier.worker.stateful import stateful


def find_lr(
    things: Mapping[str, Any],
    step: Callable[[], Any],
    *,
    low: float = 1e-7,
    high: float = 10.0,
    n_steps: int = 100,
) -> LrFinding:
    """Train `n_steps` steps at growing rates; `step()` trains one and gives its loss.

    `things`: by name, what `step` changes and has state; an optimizer among them. Ratios of rates
    between parameter groups are kept: the first group has the rate that is told.
    """
    if not (0.0 < low < high and n_steps > 1):
        raise OptionError(f"low={low}, high={high}, n_steps={n_steps}; expected 0 < low < high, "
                          "and 2 steps or more.")  # fmt: skip
    optimizers = [thing for thing in things.values() if hasattr(thing, "param_groups")]
    if not optimizers:
        raise AttachError("find_lr() sees no optimizer; call run.attach(model=…, optimizer=…).")
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    base = float(groups[0]["lr"])
    if not base > 0.0:
        raise OptionError(f"the first parameter group has lr={base}; expected more than 0.")
    ratios = [float(group["lr"]) / base for group in groups]
    lrs, losses = [float(lr) for lr in ramp(low, high, n_steps)], list[float]()
    with kept(things):
        for lr in lrs:
            now = [group for optimizer in optimizers for group in optimizer.param_groups]
            for group, ratio in zip(now, ratios, strict=True):
                group["lr"] = lr * ratio
            losses.append(float(step()))
            if diverged(losses):
                break
    return suggest(lrs, losses)


@contextmanager
def kept(things: Mapping[str, Any]) -> Iterator[None]:
    """Put states, gradients, modes and random generators back when the block is left."""
    access = {name: stateful(name, thing) for name, thing in things.items()}
    states = {name: copy.deepcopy(one.take()) for name, one in access.items()}
    modules = [m for thing in things.values() if hasattr(thing, "modules") for m in thing.modules()]
    modes = [(module, module.training) for module in modules]
    weights = [w for thing in things.values() if hasattr(thing, "parameters")
               for w in thing.parameters()]  # fmt: skip
    grads = [(w, None if w.grad is None else w.grad.detach().clone()) for w in weights]
    random = rng.capture()
    try:
        yield
    finally:
        for name, state in states.items():
            access[name].put(state)
        for module, mode in modes:
            module.training = mode
        for weight, grad in grads:
            weight.grad = grad
        rng.put_back(random)
