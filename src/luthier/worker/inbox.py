"""Actions asked for from outside: files that the tuner, the only writer, picks up."""

import json
import uuid
from dataclasses import asdict
from pathlib import Path

from luthier.core.action import Action, action_from_json, kind_of


def post(folder: Path, action: Action) -> str:
    """Leave an action for the tuner of the study whose inbox this is; returns its ticket."""
    folder.mkdir(parents=True, exist_ok=True)
    ticket = uuid.uuid4().hex
    part = folder / f".{ticket}"
    part.write_text(json.dumps({"kind": kind_of(action), **asdict(action)}))
    part.rename(folder / f"{ticket}.json")
    return ticket


def collect(folder: Path) -> list[tuple[str, Action]]:
    """What has come, with its tickets, the oldest first; the unreadable is set aside.

    An order stays until it is settled, so that none is lost with the tuner.
    """
    actions = []
    found = folder.glob("*.json") if folder.is_dir() else ()
    for path in sorted(found, key=lambda p: p.stat().st_mtime_ns):
        try:
            fields = json.loads(path.read_text())
            actions.append((path.stem, action_from_json(fields.pop("kind"), fields)))
        except (ValueError, KeyError, TypeError):
            path.rename(path.with_suffix(".bad"))
    return actions


def settle(folder: Path, ticket: str) -> None:
    """The order is in the store; take it out."""
    (folder / f"{ticket}.json").unlink(missing_ok=True)
