"""A run's parameters as the training loop reads them."""

from collections.abc import Iterator, Mapping
from typing import final

from luthier.core.domain import Value


@final
class Parameters(Mapping[str, Value]):
    """The run's parameters, by key and by attribute: `params["lr"]`, `params.lr`."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)
        self._taken: set[str] = set()  # names that the training code has read

    def __getitem__(self, name: str) -> Value:
        self._taken.add(name)
        return self._values[name]

    def __getattr__(self, name: str) -> Value:
        if name.startswith("_"):  # before __init__ is done, as when it is copied
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            known = ", ".join(self._values)
            raise AttributeError(f"no parameter {name!r}; this run has: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Parameters({', '.join(f'{k}={v!r}' for k, v in self.items())})"
