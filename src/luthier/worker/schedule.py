"""A learning-rate schedule that leaves room for a hand on the rate.

rate = base rate * shape(fraction done). A live change scales the base, so that it holds whatever
the shape does next; a scheduler that computes from its own base would undo it.
"""

from typing import Any, final

from luthier.core.shapes import Shape


@final
class Schedule:
    """Drives the rates of an optimizer; `LiveRun.schedule` makes it and moves it."""

    def __init__(self, optimizer: Any, shape: Shape, n_steps: float) -> None:  # noqa: ANN401
        self._optimizer = optimizer
        self._shape = shape
        self._n_steps = n_steps
        self._step = 0.0
        # found by name when a live change scales the rate
        self.base_lrs = [float(group["lr"]) for group in optimizer.param_groups]
        self.move(0.0)

    def move(self, step: float) -> None:
        """Set the rates for training from `step` on (fractions of steps allowed)."""
        self._step = step
        factor = self._shape(min(step / self._n_steps, 1.0))
        for group, base in zip(self._optimizer.param_groups, self.base_lrs, strict=True):
            rate = base * factor
            if hasattr(group["lr"], "fill_"):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """Base rates and place."""
        return {"base_lrs": list(self.base_lrs), "step": self._step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put them back; the rates themselves are in the optimizer's state."""
        self.base_lrs, self._step = list(state["base_lrs"]), state["step"]
