"""The batch size of an attached loader."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, final

from luthier.core.domain import Value
from luthier.core.errors import PointError


@final
class BatchSize:
    """Of every attached torch DataLoader that batches by itself; in force from its next pass on."""

    name = "batch_size"
    aliases = frozenset({"batch_size", "bs"})
    restored = False

    def read(self, things: Iterable[Any]) -> list[Value]:
        """One size per loader."""
        return [sampler.batch_size for sampler in self._places(things)]

    def write(self, things: Iterable[Any], change: Callable[[Value], Value]) -> None:
        """Set the size in the loader's batch sampler."""
        for sampler in self._places(things):
            size = change(sampler.batch_size)
            if not isinstance(size, int) or size < 1:
                raise PointError(f"batch size {size!r}; expected a whole number from 1 up.")
            sampler.batch_size = size

    def _places(self, things: Iterable[Any]) -> Iterator[Any]:
        for thing in things:
            sampler = getattr(thing, "batch_sampler", None)
            if isinstance(getattr(sampler, "batch_size", None), int):
                yield sampler
