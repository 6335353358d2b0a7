"""Actions asked for from outside: files that the tuner, the only writer, picks up."""

import json
import uuid
from dataclasses import asdict
from pathlib import Path

from luthier.core.action import KINDS, Action, Author, kind_of


def post(folder: Path, action: Action) -> None:
    """Leave an action for the tuner of the study whose inbox this is."""
    folder.mkdir(parents=True, exist_ok=True)
    name = uuid.uuid4().hex
    part = folder / f".{name}"
    part.write_text(json.dumps({"kind": kind_of(action), **asdict(action)}))
    part.rename(folder / f"{name}.json")


def collect(folder: Path) -> list[Action]:
    """Take out what has come, the oldest first; what cannot be read is set aside."""
    actions = []
    found = folder.glob("*.json") if folder.is_dir() else ()
    for path in sorted(found, key=lambda p: p.stat().st_mtime_ns):
        try:
            fields = json.loads(path.read_text())
            kind = KINDS[fields.pop("kind")]
            actions.append(kind(**{**fields, "author": Author(fields["author"])}))
        except (ValueError, KeyError, TypeError):
            path.rename(path.with_suffix(".bad"))
            continue
        path.unlink()
    return actions
