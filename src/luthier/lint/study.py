"""The case of a study: its space, its script, and the model that the script's `build` makes."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from luthier.analysis.case import Case
from luthier.analysis.subject import Subject, build_subject
from luthier.core.space import Space

BUILD = "build"  # the name by which a script offers its model


def case_of_study(
    space: Space, module: ModuleType | None, trials: int | None = None
) -> tuple[Case, str]:
    """A case, and why the model is not in it ("" when it is).

    The training function itself is not run. A function `build` of the script is called with the
    space's priors (the middle where there is none) for arguments of the same names.
    """
    file = getattr(module, "__file__", None)
    script = Path(file) if file else None
    subject = Subject(space=space, trials=trials, script=script)
    build = getattr(module, BUILD, None)
    if build is None or "torch" not in sys.modules:
        return Case(subject), f"the script has no function {BUILD!r}"
    try:
        built = _built(build, script, space.default())
    except Exception as error:  # the user's code; a study does not depend on it
        return Case(subject), f"{BUILD}() raised {type(error).__name__}: {error}"
    return Case(replace(built, space=built.space or space, trials=trials)), ""


def _built(build: Any, script: Path | None, params: Mapping[str, Any]) -> Subject:  # noqa: ANN401
    from luthier.analysis.case import untouched

    with untouched():
        return build_subject(build, script, params=params)
