"""Luthier: hyperparameter tuning for deep networks. Names are loaded when first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luthier.api import create as create
    from luthier.api import load_checkpoint as load_checkpoint
    from luthier.api import open_study as open  # noqa: F401
    from luthier.api import resume as resume
    from luthier.api import tune as tune
    from luthier.core.domain import Choice as Choice
    from luthier.core.domain import Float as Float
    from luthier.core.domain import Int as Int
    from luthier.core.errors import LuthierError as LuthierError
    from luthier.core.space import Space as Space
    from luthier.knowledge.recommend import recommended as recommended
    from luthier.panda import start as start
    from luthier.worker.run import LiveRun as LiveRun
    from luthier.worker.run import current_run as current_run

__version__ = "0.1.0"
_PLACES = {
    "Choice": "core.domain:Choice",
    "Float": "core.domain:Float",
    "Int": "core.domain:Int",
    "LiveRun": "worker.run:LiveRun",
    "LuthierError": "core.errors:LuthierError",
    "Space": "core.space:Space",
    "create": "api:create",
    "current_run": "worker.run:current_run",
    "load_checkpoint": "api:load_checkpoint",
    "open": "api:open_study",
    "recommended": "knowledge.recommend:recommended",
    "resume": "api:resume",
    "start": "panda:start",
    "tune": "api:tune",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _PLACES:
        raise AttributeError(f"module 'luthier' has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    value = getattr(importlib.import_module(f"luthier.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*_PLACES, "__version__"])
