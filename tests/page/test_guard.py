"""Who gets in, who may act, and from where."""

import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from luthier.page.keys import Keys

from .conftest import STUDY, client_of

AT = f"/api/v1/studies/{quote(STUDY, safe='')}"
ACT = f"{AT}/runs/0.0/actions"
ORDER = {"kind": "hold"}


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/studies", f"{AT}/events", "/", "/nothing",
                                  "/api/v1/openapi.json", "/static/js/main.js"])  # fmt: skip
@pytest.mark.parametrize("cookie", ["", "x" * 48, "ü"])
def test_nothing_without_a_token(store: Path, path: str, cookie: str) -> None:
    client = client_of(store, None)
    headers = {"Cookie": f"{Keys.beside(store).cookie}={cookie}".encode()} if cookie else {}
    answer = client.get(path, headers=headers)
    assert answer.status_code == 401
    assert STUDY not in answer.text


def test_the_link_gives_a_cookie_and_goes_out_of_sight(store: Path) -> None:
    client, keys = client_of(store, None), Keys.beside(store)
    answer = client.get("/", params={"token": keys.token("viewer")}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/api/v1/me").json()["role"] == "viewer"
    assert client_of(store, None).get("/", params={"token": "wrong"}).status_code == 401


def test_a_link_followed_from_another_site_asks_again_from_here(store: Path) -> None:
    client = client_of(store, None)
    answer = client.get("/", headers={"Sec-Fetch-Site": "cross-site"})
    assert "http-equiv=refresh" in answer.text
    assert client.get("/", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 401


def test_the_secret_is_the_owners_alone_and_stays(store: Path) -> None:
    path = store.with_name(f"{store.name}.files") / ".page-secret"
    Keys.beside(store)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Keys.beside(store) == Keys.beside(store)
    keys = Keys.beside(store)
    assert len({keys.token("owner"), keys.token("viewer"), keys.acting("owner")}) == 3


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "",
                                  "192.168.1.5", "[::ffff:7f00:1", "localhost.evil"])  # fmt: skip
def test_names_that_are_not_ours(owner: TestClient, host: str) -> None:
    assert owner.get("/api/v1/studies", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:1", "[::1]:8765"])
def test_our_own_names(owner: TestClient, host: str) -> None:
    cookies = "; ".join(f"{k}={v}" for k, v in owner.cookies.items())
    answer = owner.get("/api/v1/studies", headers={"Host": host, "Cookie": cookies})
    assert answer.status_code == 200


def token_of(client: TestClient) -> str:
    return str(client.get("/api/v1/me").json()["token"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Luthier-Token": "wrong"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_who_asks_from_elsewhere_cannot_act(owner: TestClient, headers: dict[str, str]) -> None:
    given = {"X-Luthier-Token": token_of(owner), **headers} if headers else {}
    assert owner.post(ACT, json=ORDER, headers=given).status_code == 403


def test_a_viewer_cannot_act(store: Path, owner: TestClient, viewer: TestClient) -> None:
    for token in ("", token_of(owner), Keys.beside(store).token("owner")):
        answer = viewer.post(ACT, json=ORDER, headers={"X-Luthier-Token": token})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "L403"


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options", "post"])
def test_other_methods_do_nothing(owner: TestClient, method: str) -> None:
    assert getattr(owner, method)("/api/v1/studies").status_code in (403, 405)


def test_long_bodies_are_refused(owner: TestClient) -> None:
    given: dict[str, Any] = {"headers": {"X-Luthier-Token": token_of(owner)}}
    long = b'{"kind": "hold", "because": "' + b"x" * 70_000 + b'"}'
    assert owner.post(ACT, content=long, **given).status_code == 413


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/me", "/static/js/main.js", "/nothing", f"{AT}/runs"]
)
def test_every_answer_is_sealed(owner: TestClient, path: str) -> None:
    headers = owner.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ("no-store", "no-cache")


def test_there_is_no_page_of_documents_that_needs_the_net(owner: TestClient) -> None:
    assert owner.get("/docs").status_code == 404
    assert owner.get("/redoc").status_code == 404
    assert owner.get("/api/v1/openapi.json").json()["info"]["title"] == "Luthier"
