"""All that is read off a model, as one piece of data."""

from dataclasses import asdict, dataclass
from typing import Any, final

from luthier.analysis.case import Case
from luthier.inspect.cost import BATCH_SIZES, Memory, Operations, memory_of, operations_of
from luthier.inspect.counts import Block, Sharing, blocks_of, sharing_of
from luthier.inspect.field import Kernel, kernels_of
from luthier.inspect.knobs import Knob, knobs_of
from luthier.inspect.placement import Placement, placements_of


@final
@dataclass(frozen=True, slots=True)
class Summary:
    """A model and its training. What needs a batch is empty or None without one."""

    name: str
    blocks: tuple[Block, ...]
    sharing: tuple[Sharing, ...]
    kernels: tuple[Kernel, ...]
    placements: tuple[Placement, ...]
    knobs: tuple[Knob, ...]
    memory: Memory | None
    operations: Operations | None
    batch_sizes: tuple[int, ...]
    error: str  # why the model could not be run
    noise: str  # shape of the noise that it ran on, where no batch was given

    @property
    def n_trainable(self) -> int:
        """Numbers that gradients change."""
        return sum(block.n_trainable for block in self.blocks)

    @property
    def n_frozen(self) -> int:
        """Parameters that nothing changes."""
        return sum(block.n_frozen for block in self.blocks)

    @property
    def n_buffers(self) -> int:
        """Numbers in buffers."""
        return sum(block.n_buffers for block in self.blocks)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON data."""
        data = asdict(self)
        data |= {"n_trainable": self.n_trainable, "n_frozen": self.n_frozen,
                 "n_buffers": self.n_buffers}  # fmt: skip
        if self.memory is not None:
            data["memory"]["total_bytes"] = {n: self.memory.total_bytes(n)
                                             for n in self.batch_sizes}  # fmt: skip
        return data


def summarize(case: Case, depth: int = 1) -> Summary:
    """Look at the model of a case; with a batch it is run, on copies."""
    runs = case.has_flow and not case.run.error
    sizes = sorted({*BATCH_SIZES, *([case.n_examples] if case.n_examples else [])})
    return Summary(
        type(case.subject.model).__name__,
        tuple(blocks_of(case, depth)),
        tuple(sharing_of(case)),
        tuple(kernels_of(case)) if case.has_flow else (),
        tuple(placements_of(case)) if case.has_flow else (),
        tuple(knobs_of(case)),
        memory_of(case) if runs else None,
        operations_of(case) if runs else None,
        tuple(sizes),
        case.run.error if case.has_flow else "",
        case.noise,
    )
