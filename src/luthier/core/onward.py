"""How a study goes on: by a command, or by the loop of its user that trains it."""

import shlex
from collections.abc import Mapping
from typing import Any


def onward(name: str, recipe: Mapping[str, Any], where: str = "", run: str = "") -> str:
    """What to write to go on with it, such as `luthier resume net-1`; empty for an imported one.

    `where` is said of a command alone, as " --store FILE"; `run` is the one meant, if only one is.
    """
    if recipe.get("target"):
        return f"luthier resume {shlex.quote(name + (f'/{run}' if run else ''))}{where}"
    if "imported" in recipe:
        return ""
    call = "start" if recipe.get("executor") == "here" else "create"
    return f"luthier.{call}(…, name={name!r}, resume=True)"
