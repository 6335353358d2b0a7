"""What stands before every request: where it was sent, who sends it, and from which page."""

import ipaddress
import socket
from http.cookies import CookieError, SimpleCookie
from typing import final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from luthier.page.keys import Keys, Role, same
from luthier.page.problem import HINTS, Problem, problem_answer

N_BYTES_MOST = 64 * 1024  # of a request's body
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STRANGER = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Luthier</title>"
    "<p>This page is opened by the link that <code>luthier serve</code> prints."
    "<p lang=zh>请用 <code>luthier serve</code> 打印的链接打开本页。</html>"
)
_AGAIN = "<!doctype html><meta http-equiv=refresh content='0; url=./'>"


@final
class Guard:
    """Lets requests with a token through, with their role in `scope["state"]`."""

    def __init__(self, app: ASGIApp, keys: Keys, host: str) -> None:
        self._app = app
        self._keys = keys
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            answer = self._welcome(scope)
        except Problem as problem:
            answer = problem_answer(problem)
        if answer is not None:
            await answer(scope, receive, sealed)
        else:
            await self._app(scope, _limited(receive), sealed)

    def _welcome(self, scope: Scope) -> Response | None:
        """An answer to those who are not let through."""
        headers = Headers(scope=scope)
        self._check_host(headers.get("host", ""))
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > N_BYTES_MOST:
            raise Problem(413, f"a body of {length} bytes; expected {N_BYTES_MOST} at most")
        if scope["path"] == "/" and (answer := self._let_in(scope)) is not None:
            return answer
        role = self._keys.role_of(_cookie(headers, self._keys.cookie))
        if role is None:
            return _turn_away(scope, headers)
        scope.setdefault("state", {})["role"] = role
        if scope["method"] not in ("GET", "HEAD"):
            self._check_acting(headers, role)
        return None

    def _check_host(self, given: str) -> None:
        """A name that somebody else's DNS gives out may point here: only our own are served."""
        try:
            name = urlsplit(f"//{given}").hostname
        except ValueError:
            name = None
        local = _is_loopback(self._host)
        known = {"localhost"} if local else {"localhost", self._host, socket.gethostname()}
        if name is None or not (name in known or _is_address(name, loopback=local)):
            raise Problem(
                403, f"Host {given[:80]!r} is not one of this page's", hint="use the link"
            )

    def _let_in(self, scope: Scope) -> Response | None:
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if not tokens:
            return None
        role = self._keys.role_of(tokens[0])
        if role is None:
            return HTMLResponse(_STRANGER, status_code=401)
        answer = RedirectResponse("./", status_code=303)
        answer.set_cookie(
            self._keys.cookie, self._keys.token(role), httponly=True, samesite="strict", path="/",
            max_age=30 * 24 * 3600,
        )  # fmt: skip
        return answer

    def _check_acting(self, headers: Headers, role: Role) -> None:
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            raise Problem(403, f"asked by another site, {origin[:80]}", hint="use this page")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Problem(403, "asked by another site", hint="use this page")
        if role != "owner":
            raise Problem(403, "this link is for looking only")
        if not same(headers.get("x-luthier-token", ""), self._keys.acting(role)):
            raise Problem(403, "X-Luthier-Token is missing or wrong", hint="reload the page")


def _turn_away(scope: Scope, headers: Headers) -> Response:
    if scope["path"].startswith("/api/"):
        return problem_answer(Problem(401, "no token", hint=HINTS[401]))
    if scope["path"] == "/" and headers.get("sec-fetch-site") == "cross-site":
        # a strict cookie does not come along from a link on another site: ask again from here
        return HTMLResponse(_AGAIN)
    return HTMLResponse(_STRANGER, status_code=401)


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _is_address(name: str, *, loopback: bool) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or not loopback


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host, loopback=True))


def _limited(receive: Receive) -> Receive:
    """A body without a length ends where it becomes too long."""
    n_bytes = 0

    async def limited() -> Message:
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        if n_bytes > N_BYTES_MOST:
            return {"type": "http.disconnect"}
        return message

    return limited
