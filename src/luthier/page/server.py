"""Serving the page: the socket, the links, and the end."""

import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import final

import uvicorn

from luthier.core.errors import OptionError
from luthier.page.app import make_app
from luthier.page.feed import Feed
from luthier.page.keys import Keys, Role

DEFAULT_PORT = 8765
_N_PORTS = 20  # tried when no port was asked for


@final
class PageServer:
    """A server whose socket is open, so that its links are known before it runs."""

    def __init__(self, store: Path, host: str, port: int | None) -> None:
        self.keys = Keys.beside(store)
        self._socket = _listen(host, port)
        self._host = host
        feeds: dict[str, Feed] = {}
        config = uvicorn.Config(
            make_app(store, self.keys, host, feeds), log_level="warning", access_log=False,
            timeout_graceful_shutdown=1, server_header=False, ws="none", lifespan="on",
        )  # fmt: skip
        self._server = _Server(config, feeds)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def link(self, role: Role) -> str:
        """What to open in a browser."""
        host = self._host
        if host in ("0.0.0.0", "::"):
            host = socket.gethostname()
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}/?token={self.keys.token(role)}"

    def run(self, *, with_parent: bool = False) -> None:
        """Serve until Ctrl-C; `with_parent`: or until standard input ends."""
        if with_parent:
            threading.Thread(target=_end_with_parent, args=(self._stop,), daemon=True).start()
        with suppress(KeyboardInterrupt):  # the way to end it
            self._server.run(sockets=[self._socket])

    def _stop(self) -> None:
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """One that ends its listeners' streams first: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, feeds: dict[str, Feed]) -> None:
        super().__init__(config)
        self._feeds = feeds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close everything."""
        for feed in self._feeds.values():
            feed.end()
        await super().shutdown(sockets)


def _end_with_parent(stop: Callable[[], None]) -> None:
    """A pipe ends with the process at its other end, however that dies."""
    while sys.stdin.buffer.read(1024):
        pass
    stop()


def _listen(host: str, port: int | None) -> socket.socket:
    ports = range(DEFAULT_PORT, DEFAULT_PORT + _N_PORTS) if port is None else (port,)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    why = ""
    for one in ports:
        # named as TCP, or asyncio leaves answers waiting for 40 ms (TCP_NODELAY)
        found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, one))
            found.listen(128)
        except (OSError, OverflowError) as error:
            found.close()
            why = str(error)
        else:
            return found
    raise OptionError(f"cannot listen on {host}:{ports[0]}: {why}; choose another --port.")
