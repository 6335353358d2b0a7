"""A study's changes as they are told by a real server."""

import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from luthier.core.event import RolledBack
from luthier.stores.sqlite import SqliteStore
from luthier.testing.stores import STUDY, propose, report

WAIT_S = 15.0


@contextmanager
def served(store: Path, port: int = 0, *more: str) -> Iterator[httpx.Client]:
    """`luthier serve` in a process of its own, and a client that has opened its link."""
    command = [sys.executable, "-m", "luthier", "serve", str(store), "--port", str(port), *more]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        told = process.stdout.readline() + process.stdout.readline()
        link = re.search(r"http://\S+", told)
        assert link, told + process.stdout.read()
        base = link[0].partition("/?")[0]
        with httpx.Client(base_url=base, timeout=WAIT_S) as client:
            assert client.get(link[0]).status_code == 303
            yield client
    finally:
        process.terminate()
        try:
            assert process.wait(10) in (0, -15)
            assert "Traceback" not in process.stdout.read()
        finally:
            process.kill()
            process.stdout.close()


class Listener:
    """Events as they come, on a thread."""

    def __init__(
        self, client: httpx.Client, store: SqliteStore, last_id: str | None = None
    ) -> None:
        self.found: queue.Queue[dict[str, Any]] = queue.Queue()
        headers = {"Last-Event-ID": last_id} if last_id else {}
        self._opened = threading.Event()
        args = (client, f"/api/v1/studies/{quote(store.study.name, safe='')}/events", headers)
        self._thread = threading.Thread(target=self._listen, args=args, daemon=True)
        self._thread.start()
        assert self._opened.wait(WAIT_S)

    def _listen(self, client: httpx.Client, path: str, headers: dict[str, str]) -> None:
        try:
            with client.stream("GET", path, headers=headers) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                event: dict[str, Any] = {}
                for line in answer.iter_lines():
                    self._opened.set()
                    name, _, value = line.partition(": ")
                    if line:
                        event[name] = value
                    elif event:
                        self.found.put(event)
                        event = {}
        except httpx.HTTPError:
            self.found.put({"event": "lost"})

    def next(self, kind: str, passes: Callable[[Any], bool] = lambda data: True) -> dict[str, Any]:
        """The next event of a kind whose data pass."""
        deadline_s = time.monotonic() + WAIT_S
        while True:
            event = self.found.get(timeout=max(0.01, deadline_s - time.monotonic()))
            if event.get("event") != kind:
                continue
            event["body"] = json.loads(event["data"]) if "data" in event else None
            if passes(event["body"]):
                return event


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the store of this module lies."""
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    """A server of that store."""
    SqliteStore.create(folder / "s.db", replace(STUDY, name="first"), {}).close()
    with served(folder / "s.db") as client:
        yield client


@pytest.fixture
def writer(folder: Path, request: pytest.FixtureRequest) -> Iterator[SqliteStore]:
    """A study that is being written, as by a tuner."""
    store = SqliteStore.create(folder / "s.db", replace(STUDY, name=request.node.name), {})
    yield store
    store.close()


def grows(run_id: str) -> Callable[[Any], bool]:
    """Whether an event has new points of that run."""
    return lambda body: run_id in body["curves"]


def test_what_grows_is_told(client: httpx.Client, writer: SqliteStore) -> None:
    a = propose(writer, 0)
    report(writer, a, (1, 0.5))
    listener = Listener(client, writer)
    listener.next("change")  # how it stands
    report(writer, a, (2, 0.75), (3, float("nan")))
    told = listener.next("change", grows(a))
    assert told["body"]["curves"][a] == {"x": [2.0, 3.0], "y": [0.75, "NaN"]}
    assert told["body"]["rows"][0]["best"] == 0.75
    assert told["body"]["study"]["best"] == {"run": a, "value": 0.75, "step": 2.0}
    assert told["id"] == str(told["body"]["revision"]) == str(writer.revision)
    b = propose(writer, 1)
    assert listener.next("change")["body"]["rows"][0]["id"] == b


def test_a_rollback_says_from_where(client: httpx.Client, writer: SqliteStore) -> None:
    a = propose(writer, 0)
    report(writer, a, (1, 0.5), (2, 0.6), (3, 0.7))
    listener = Listener(client, writer)
    listener.next("change")
    writer.record([RolledBack(a, 1)])
    told = listener.next("change", grows(a))["body"]["curves"][a]
    assert told == {"x": [], "y": [], "from": 1.0}
    report(writer, a, (2, 0.9))
    assert listener.next("change", grows(a))["body"]["curves"][a] == {"x": [2.0], "y": [0.9]}


def test_who_was_away_for_a_moment_misses_nothing(
    client: httpx.Client, writer: SqliteStore
) -> None:
    a = propose(writer, 0)
    stays = Listener(client, writer)
    stays.next("change")
    report(writer, a, (1, 0.5))
    last = stays.next("change", grows(a))["id"]
    report(writer, a, (2, 0.5))
    stays.next("change", grows(a))
    again = Listener(client, writer, last)
    assert again.next("change", grows(a))["body"]["curves"][a]["x"] == [2.0]
    Listener(client, writer, "123456").next("reset")


def test_a_restart_is_a_reset_and_the_link_still_holds(tmp_path: Path) -> None:
    writer = SqliteStore.create(tmp_path / "s.db", STUDY, {})
    a = propose(writer, 0)
    with served(writer.path) as client:
        listener = Listener(client, writer)
        listener.next("change")
        report(writer, a, (2, 0.5))
        last = listener.next("change", grows(a))["id"]
        cookies, port = dict(client.cookies), client.base_url.port
        assert port is not None
    report(writer, a, (3, 0.5))
    with served(writer.path, port) as client:
        client.cookies.clear()
        for name, value in cookies.items():
            client.cookies.set(name, value)
        Listener(client, writer, last).next("reset")
        listener = Listener(client, writer)
        listener.next("change")
        report(writer, a, (4, 0.5))
        assert listener.next("change", grows(a))["body"]["curves"][a]["x"] == [4.0]
    writer.close()


def test_the_server_ends_with_its_parent_and_the_store_may_come_later(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "luthier", "serve", str(tmp_path / "none.db"), "--port", "0",
         "--with-parent"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        link = re.search(r"http://\S+", process.stdout.readline() + process.stdout.readline())
        assert link
        with httpx.Client() as client:
            client.get(link[0])
            base = link[0].partition("/?")[0]
            assert client.get(f"{base}/api/v1/studies").json() == []
        process.stdin.close()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_tune_with_a_page(script: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "luthier", "tune", str(script), "--trials", "8", "--page"]
    environment = {**os.environ, "STEP_S": "0.05", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [*command, "--workers", "1"], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        told = ""
        while not (link := re.search(r"http://\S+token=\S+", told)):
            line = process.stderr.readline()
            assert line, told
            told += line
        with httpx.Client() as client:
            client.get(link[0])
            base = link[0].partition("/?")[0]
            deadline_s = time.monotonic() + WAIT_S
            while not (studies := client.get(f"{base}/api/v1/studies").json()):
                assert time.monotonic() < deadline_s
                time.sleep(0.1)
            assert studies[0]["tuning"]
        process.stderr.read()
        assert process.wait(60) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(link[0])
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
