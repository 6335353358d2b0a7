"""A running mean of weights, kept beside them.

Over a window of about a hundredth of the training (arXiv:2502.06761). The mean of the first window
weighs all alike, so that it does not hang on where it began. Running statistics of normalization
are averaged like weights, which needs no data; counters are copied.
"""

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final


@final
class Average:
    """The mean over the attached modules; moves with the training, if there is a window."""

    def __init__(self) -> None:
        self._modules: dict[str, Any] = {}
        self._mean: dict[str, list[Any]] = {}  # by module, in the order of `_tensors`
        self._begun = self._at = 0.0  # steps
        self._swapped = False

    def attach(self, things: Mapping[str, Any]) -> None:
        """Average what is a module of torch from now on."""
        if torch := sys.modules.get("torch"):
            self._modules |= {k: v for k, v in things.items() if isinstance(v, torch.nn.Module)}

    @property
    def possible(self) -> bool:
        """Whether a module was attached."""
        return bool(self._modules)

    def move(self, at: float, window: float) -> None:
        """Take in the weights as they are after training up to step `at`; no window, no mean."""
        if window <= 0.0 or not self._modules:
            self._mean = {}
            return
        if not self._mean:
            self._begun = self._at = at
            self._mean = {
                name: [tensor.clone() for tensor in _tensors(module)]
                for name, module in self._modules.items()
            }
            return
        passed, self._at = at - self._at, at
        if passed <= 0.0:
            return
        share = max(-math.expm1(-passed / window), passed / (at - self._begun))
        for name, module in self._modules.items():
            for mean, tensor in zip(self._mean[name], _tensors(module), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(tensor, share)
                else:
                    mean.copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The mean stands in the modules while the block lasts; weights as they are without one."""
        if not self._mean or self._swapped:
            yield
            return
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Any] | None:
        """What a checkpoint holds; None without a mean."""
        if not self._mean:
            return None
        return {"mean": self._mean, "begun": self._begun, "at": self._at}

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Put back what `state` gave."""
        self._mean = {}
        if state is None or state["mean"].keys() != self._modules.keys():
            return
        self._begun, self._at = state["begun"], state["at"]
        for name, module in self._modules.items():
            pairs = zip(state["mean"][name], _tensors(module), strict=True)
            self._mean[name] = [saved.to(tensor.device, copy=True) for saved, tensor in pairs]

    def _swap(self) -> None:
        self._swapped = not self._swapped
        for name, module in self._modules.items():
            for mean, tensor in zip(self._mean[name], _tensors(module), strict=True):
                kept = tensor.clone()
                tensor.copy_(mean)
                mean.copy_(kept)


def _tensors(module: Any) -> list[Any]:  # noqa: ANN401  a module of torch
    """Weights and buffers of a module, off the graph."""
    return [tensor.detach() for tensor in (*module.parameters(), *module.buffers())]
