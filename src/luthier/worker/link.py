"""The tuner's voice in the worker: actions for this run, looked for without waiting."""

import contextlib
import json
import socket
from dataclasses import asdict
from typing import Any, Protocol, final

from luthier.core.action import Action, kind_of

TUNER_LOST = "tuner-lost"
Order = dict[str, Any]  # number, kind, and the fields of the action


def encode_order(order: Order) -> bytes:
    """One line for a `SocketLink`."""
    return (json.dumps(order) + "\n").encode()


class Link(Protocol):
    """Where a run hears of actions."""

    def poll(self) -> list[Order]:
        """Orders that have come since the last call; never waits."""
        ...

    def ring(self) -> None:
        """Tell the tuner that there is something worth reading at once."""
        ...


def order_of(number: int, action: Action, **more: Any) -> Order:  # noqa: ANN401
    """An action as the worker reads it."""
    return {"number": number, "kind": kind_of(action), **asdict(action), **more}


@final
class NoLink:
    """Nobody speaks and nobody listens."""

    def poll(self) -> list[Order]:
        """Nothing."""
        return []

    def ring(self) -> None:
        """Do nothing."""


@final
class SocketLink:
    """Orders as JSON lines on a stream socket; when the tuner is gone, an order to pause."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._rest = b""
        self._lost = False

    def poll(self) -> list[Order]:
        """Orders that have come."""
        try:
            block = self._socket.recv(65536)
        except BlockingIOError:
            return []
        except OSError:
            block = b""
        if not block:
            return self._mourn()
        *lines, self._rest = (self._rest + block).split(b"\n")
        return [json.loads(line) for line in lines]

    def ring(self) -> None:
        """One byte; a full or closed pipe is no harm."""
        with contextlib.suppress(OSError):
            self._socket.send(b"!")

    def _mourn(self) -> list[Order]:
        if self._lost:
            return []
        self._lost = True
        return [{"number": 0, "kind": "pause", "reason": TUNER_LOST}]
