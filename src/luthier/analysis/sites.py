"""Where things were made: the line of the user's code that constructed a module or an optimizer."""

import importlib.util
import sys
import sysconfig
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, final

_OWN = str(Path(__file__).resolve().parent.parent)
_FOREIGN = (
    _OWN,
    "<frozen",
    sysconfig.get_path("stdlib"),
    sysconfig.get_path("purelib"),
    sysconfig.get_path("platlib"),
)


@final
@dataclass(frozen=True, slots=True)
class Site:
    """One line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def is_users(file: str) -> bool:
    """Whether a file is the user's: neither Luthier's, Python's own, nor an installed package's."""
    return not file.startswith(_FOREIGN) and "-packages" not in file


def calling_site(frame: FrameType | None, made: object = None) -> Site | None:
    """The innermost line of the user's code; constructors of `made` itself are passed over."""
    while frame is not None:
        code = frame.f_code
        inside = made is not None and code.co_name == "__init__" and _first(frame) is made
        if not inside and is_users(code.co_filename) and not code.co_filename.startswith("<"):
            return Site(code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


@final
class Sites:
    """Thing -> the line that made it, for as long as the thing lives."""

    def __init__(self) -> None:
        self._of: weakref.WeakKeyDictionary[Any, Site] = weakref.WeakKeyDictionary()

    def __getitem__(self, thing: object) -> Site | None:
        with suppress(TypeError):  # no weak reference to it
            return self._of.get(thing)
        return None

    def put(self, thing: object, site: Site | None) -> None:
        """Keep the first line known of a thing: the innermost constructor runs last."""
        if site is not None and thing not in self._of:
            self._of[thing] = site


@contextmanager
def recording(sites: Sites) -> Iterator[None]:
    """Note where modules, optimizers, schedulers and loaders are made inside of the block."""
    if importlib.util.find_spec("torch") is None:  # then there are no such things
        yield
        return
    from torch import nn, optim
    from torch.utils.data import DataLoader

    kinds: tuple[Any, ...] = (
        nn.Module,
        optim.Optimizer,
        optim.lr_scheduler.LRScheduler,
        DataLoader,
    )
    before = [kind.__init__ for kind in kinds]

    def noting(original: Any) -> Any:  # noqa: ANN401
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            sites.put(self, calling_site(sys._getframe(1), self))
            original(self, *args, **kwargs)

        return __init__

    for kind, original in zip(kinds, before, strict=True):
        kind.__init__ = noting(original)
    try:
        yield
    finally:
        for kind, original in zip(kinds, before, strict=True):
            kind.__init__ = original


def _first(frame: FrameType) -> object:
    names = frame.f_code.co_varnames
    return frame.f_locals.get(names[0]) if names else None
