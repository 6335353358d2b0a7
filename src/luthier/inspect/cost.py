"""What a training step costs: operations, and bytes by the size of the batch."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

from luthier.analysis.case import Case, copied, small, terms_of, untouched

_STATES = {"SGD": 0, "RMSprop": 1, "Adagrad": 1, "Adadelta": 2, "Adam": 2, "AdamW": 2, "NAdam": 2,
           "RAdam": 2, "Adamax": 2}  # fmt: skip
DEFAULT_OPTIMIZER = "AdamW"  # where none is given
BATCH_SIZES = (1, 8, 32, 128, 512)


@final
@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one training step, without the allocator's and the kernels' own."""

    parameter_bytes: int
    buffer_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    optimizer: str  # whose state was counted
    activation_bytes_per_example: int  # kept for the backward pass, and the inputs

    def total_bytes(self, n_examples: int) -> int:
        """All of it for a batch."""
        fixed = (
            self.parameter_bytes + self.buffer_bytes + self.gradient_bytes + self.optimizer_bytes
        )
        return fixed + n_examples * self.activation_bytes_per_example


@final
@dataclass(frozen=True, slots=True)
class Operations:
    """Floating point operations per example; a multiplication with an addition counts two."""

    forward_flops: int
    training_flops: int  # forward and backward
    by_module: dict[str, int]  # forward, by path


def memory_of(case: Case) -> Memory:
    """By the tensors that one forward pass keeps for the backward pass, each storage once."""
    import torch

    model = case.subject.model
    with untouched(), torch.enable_grad():
        copy, loss = copied(model, case.subject.loss if case.has_batch else None)
        copy.train()
        (args, options), target = small(case.sample, case.batch[1])
        n = _n_examples(args, options)
        held = {p.untyped_storage().data_ptr() for p in copy.parameters()}
        saved: dict[int, int] = {}

        def keep(tensor: Any) -> Any:  # noqa: ANN401
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in held:
                saved[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            output = copy(*args, **options)
            total = _total(loss, output, target)
        inputs = sum(t.nbytes for t in _tensors((args, options)))
        del output, total
    parameters = list(model.parameters())
    trainable = sum(p.nbytes for p in parameters if p.requires_grad)
    name, states = _optimizer_states(case)
    return Memory(
        sum(p.nbytes for p in parameters),
        sum(b.nbytes for b in model.buffers()),
        trainable,
        states * trainable,
        name,
        (sum(saved.values()) + inputs) // max(1, n),
    )


def operations_of(case: Case) -> Operations:
    """By torch's counter, with attention and recurrence taken apart so that it sees them."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    with untouched(), torch.enable_grad():
        model, loss = copied(case.subject.model, case.subject.loss if case.has_batch else None)
        model.train()
        (args, options), target = small(case.sample, case.batch[1])
        n = _n_examples(args, options)
        counter = FlopCounterMode(display=False)
        with warnings.catch_warnings(), counter, sdpa_kernel(SDPBackend.MATH), _no_fused_cells():
            output = model(*args, **options)
            total = _total(loss, output, target)
            forward = counter.get_total_flops()
            by_module = {k: sum(v.values()) for k, v in counter.get_flop_counts().items()}
            if total is not None and total.requires_grad:
                total.backward()
        training = counter.get_total_flops()
    prefix = f"{type(case.subject.model).__name__}."
    by_path = {path.removeprefix(prefix): flops // n for path, flops in by_module.items()
               if path.startswith(prefix) and flops}  # fmt: skip
    return Operations(forward // n, training // n, by_path)


@contextmanager
def _no_fused_cells() -> Iterator[None]:
    """Recurrent layers as matrix products, which the counter knows."""
    import torch

    warnings.simplefilter("ignore")  # the switch speaks of other devices
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


def _optimizer_states(case: Case) -> tuple[str, int]:
    """The optimizer's name, and how many numbers it keeps per parameter."""
    if not case.subject.optimizers:
        return f"{DEFAULT_OPTIMIZER} (assumed)", _STATES[DEFAULT_OPTIMIZER]
    optimizer = case.subject.optimizers[0]
    name = type(optimizer).__name__
    group = optimizer.param_groups[0]
    n = _STATES.get(name, 2) + (1 if group.get("momentum") and name in ("SGD", "RMSprop") else 0)
    return name, n + (1 if group.get("amsgrad") else 0)


def _total(loss: Any, output: Any, target: Any) -> Any:  # noqa: ANN401
    if loss is not None:
        given = loss(output) if target is None else loss(output, target)
    else:
        given = getattr(output, "loss", None)
    if given is None:
        given = [t.float().sum() for t in _tensors(output)
                 if t.is_floating_point() and t.requires_grad]  # fmt: skip
    terms = [t.sum() for t in terms_of(given).values() if hasattr(t, "sum")]
    return sum(terms) if terms else None


def _n_examples(args: Sequence[Any], options: Any) -> int:  # noqa: ANN401
    tensors = [t for t in _tensors((args, options)) if t.dim()]
    return int(tensors[0].shape[0]) if tensors else 1


def _tensors(value: Any) -> list[Any]:  # noqa: ANN401
    from torch import Tensor
    from torch.utils._pytree import tree_leaves

    if hasattr(value, "to_tuple"):
        value = value.to_tuple()
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
