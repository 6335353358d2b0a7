"""Where in a pass over the data a step stands, so that a restore can go on there."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, final

from luthier.core.errors import AttachError
from luthier.worker import rng
from luthier.worker.stateful import Stateful, stateful


@final
class Position:
    """One pass over a loader of known length, from its start or from a place that was saved."""

    def __init__(self, loader: Any, saved: dict[str, Any] | None) -> None:  # noqa: ANN401
        self._loader = loader
        self._n_batches = max(1, len(loader))
        self._access = _access(loader)
        self._n_done: int = saved["n_done"] if saved else 0
        if saved:
            now = rng.capture()
            rng.put_back(saved["rng"])
            if self._access is not None:
                self._access.put(saved["loader"])
            self._begin()
            self._skipped = islice(self._iterator, self._n_done)
            self._after_skip: dict[str, Any] | None = now
        else:
            self._begin()
            self._skipped = islice(iter(()), 0)
            self._after_skip = None

    @property
    def fraction(self) -> float:
        """Share of the pass that is done."""
        return min(1.0, self._n_done / self._n_batches)

    def batches(self) -> Iterator[Any]:
        """What is left of the pass."""
        for _ in self._skipped:
            pass
        if self._after_skip is not None:
            rng.put_back(self._after_skip)
        for batch in self._iterator:
            self._n_done += 1  # looked at only when the loop asks for the next one
            yield batch

    def state(self) -> dict[str, Any]:
        """How the pass began, and how far it is."""
        return {"n_done": self._n_done, "rng": self._began, "loader": self._began_loader}

    def _begin(self) -> None:
        self._began = rng.capture()
        self._began_loader = self._access.take() if self._access is not None else None
        self._iterator = iter(self._loader)


def _access(loader: Any) -> Stateful | None:  # noqa: ANN401
    """The loader's own random state, if it has one."""
    try:
        return stateful("loader", loader)
    except AttachError:
        return None
