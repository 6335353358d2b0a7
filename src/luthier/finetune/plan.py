"""What trains from which step on, and how fast, carried out on a model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from torch import nn

from luthier.core.errors import OptionError
from luthier.finetune.blocks import is_batch_norm

NEVER = math.inf


@final
@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """Parameters that begin to train together, at one rate."""

    name: str
    parameters: tuple[nn.Parameter, ...]
    factor: float = 1.0  # of the learning rate
    first_step: float = 1.0  # steps count from 1; NEVER: frozen for good


@final
class Plan:
    """Parameter groups for an optimizer, and what of them trains at each step.

    What a step trains follows from the step alone, so a run that goes on from a checkpoint goes on
    right. A frozen parameter asks for no gradient and has none, and what never trains is in no
    group: no optimizer moves it, not by momentum and not by decay.
    """

    def __init__(
        self,
        model: nn.Module,
        shares: Sequence[Share],
        *,
        lr: float,
        weight_decay: float | None = None,
        freeze_bn: bool = False,
    ) -> None:
        if not any(share.first_step <= 1 and share.parameters for share in shares):
            raise OptionError("nothing would train at the first step; choose another strategy.")
        self.model = model
        self.shares = tuple(shares)  # from the input to the head
        self._lr = lr
        self._weight_decay = weight_decay
        self._freeze_bn = freeze_bn
        self._n_unfrozen: int | None = None
        self.train(1)

    @property
    def groups(self) -> list[dict[str, Any]]:
        """For the optimizer: one group per share that ever trains, from the input to the head.

        With a weight decay, biases and normalization layers are in groups of their own without.
        """
        made = []
        for share in self.shares:
            if share.first_step == NEVER or not share.parameters:
                continue
            base = {"lr": self._lr * share.factor, "name": share.name}
            if self._weight_decay is None:
                made.append({"params": list(share.parameters), **base})
                continue
            for params, decay in (
                ([p for p in share.parameters if p.ndim > 1], self._weight_decay),
                ([p for p in share.parameters if p.ndim <= 1], 0.0),
            ):
                if params:
                    made.append({"params": params, **base, "weight_decay": decay})
        return made

    @property
    def unfrozen(self) -> int:
        """How many shares train now, counted from the head."""
        return sum(any(p.requires_grad for p in share.parameters) for share in self.shares)

    def unfreeze(self, n: int) -> None:
        """Train the last `n` shares from now on, whatever the steps say: for `run.live`.

        `run.live("unfrozen", plan.unfreeze, lambda: plan.unfrozen)` makes the number a live
        parameter, which a policy or a person changes while the run trains.
        """
        can = [share for share in self.shares if share.first_step != NEVER]
        if not 1 <= n <= len(can):
            raise OptionError(
                f"unfreeze({n}); this plan has 1 to {len(can)} shares that can train."
            )
        self._n_unfrozen = n
        self._apply({share.name for share in can[-n:]})

    def train(self, step: float) -> tuple[str, ...]:
        """Put the model into training mode for this step; returns the names of what trains.

        Call it instead of `model.train()`. BatchNorm whose parameters stand still keeps its
        statistics, as does every BatchNorm with `freeze_bn`.
        """
        if self._n_unfrozen is not None:
            self.unfreeze(self._n_unfrozen)
        else:
            self._apply({share.name for share in self.shares if share.first_step <= step})
        self.model.train()
        for module in self.model.modules():
            if is_batch_norm(module):
                own = list(module.parameters(recurse=False))
                if self._freeze_bn or (own and not any(p.requires_grad for p in own)):
                    module.eval()
        return tuple(
            share.name for share in self.shares if any(p.requires_grad for p in share.parameters)
        )

    def _apply(self, training: set[str]) -> None:
        trained = {id(p) for s in self.shares if s.name in training for p in s.parameters}
        for parameter in self.model.parameters():
            parameter.requires_grad_(id(parameter) in trained)
            if id(parameter) not in trained:
                parameter.grad = None
