"""What the page costs: the time until it is drawn, the server's memory, and the study it shows.

1. Studies of 100,000 trials with 10 reports, and of 1,000 trials with 1,000: seconds until the
   server has read them, milliseconds of each request, seconds until Chromium has drawn rows and
   curves.
2. Memory of the server afterwards.
3. Seconds that 8 workers take for their reports at full speed, with 50 viewers and without, in
   turn, and the share of one core that the server takes meanwhile. The viewers run at the lowest
   priority.

    python benchmarks/page.py [--quick]
"""

import argparse
import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil

from luthier.core.domain import Choice, Float
from luthier.core.event import Closed, Ended, Event, Proposed, Reported
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, Trial
from luthier.stores.sqlite import SqliteStore

SPACE = make_space({"lr": Float(1e-5, 1.0, log=True), "wd": Float(0, 1), "act": Choice("a", "b")})
N_VIEWERS, N_WORKERS = 50, 8
REQUESTS = (
    "/runs?limit=100&sort=best",
    "/runs?limit=100&sort=lr&down=1&where=lr>1e-3 and best<0.9",
    "/curves?top=50&points=300",
    "/points?limit=5000",
    "/progress",
    "/importance",
    "/lineage",
)
SCRIPT = """
import luthier
@luthier.tune(minimize="loss", max_steps={n_reports}, space={{"lr": luthier.Float(0, 1)}})
def train(run):
    for step in run.steps():
        run.report(loss=1 / step)
"""


@dataclass(frozen=True)
class Server:
    """A server at work."""

    process: psutil.Process
    link: str

    @property
    def base(self) -> str:
        """Its address without the token."""
        return self.link.partition("/?")[0]

    @property
    def memory_mb(self) -> float:
        """Resident memory."""
        return float(self.process.memory_info().rss) / 1e6

    def cpu_s(self) -> float:
        """Seconds of processor time so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def served(store: Path) -> Iterator[Server]:
    """`luthier serve` on a store."""
    command = [sys.executable, "-m", "luthier", "serve", str(store), "--port", "0", "--with-parent"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        link = re.search(r"http://\S+", process.stdout.readline() + process.stdout.readline())
        assert link is not None
        yield Server(psutil.Process(process.pid), link[0])
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def make_study(path: Path, name: str, n_trials: int, n_reports: int) -> None:
    """A finished study of the given size."""
    store = SqliteStore.create(path, Study(name, SPACE, "val_loss", max_steps=n_reports), {})
    rng = np.random.default_rng(0)
    steps = np.arange(1.0, n_reports + 1)
    events: list[Event] = []
    for number in range(n_trials):
        params = SPACE.from_unit(rng.random(3))
        run = Run(f"{number}.0", number, params, n_reports)
        floor = abs(np.log10(params["lr"]) + 2) + 0.1 * params["wd"]
        losses = floor + 2 / np.sqrt(steps) + 0.05 * rng.standard_normal(n_reports)
        rows = np.column_stack([steps, steps * 0.1, losses])
        events += [
            Proposed(run, Trial(number, params)),
            Reported(run.id, ("val_loss",), rows),
            Ended(run.id, RunState.COMPLETED, float(n_reports), n_reports * 0.1, "done"),
        ]
        if len(events) >= 6000:
            store.record(events)
            events = []
    store.record([*events, Closed("finished")])
    store.close()


def measure_requests(server: Server, study: str) -> None:
    """Milliseconds of each request, the first and the median of five more."""
    with httpx.Client(base_url=server.base, timeout=120) as client:
        client.get(server.link)
        at = f"/api/v1/studies/{study}"
        began_s = time.perf_counter()
        client.get(at).raise_for_status()
        print(f"  read by the server in {time.perf_counter() - began_s:.2f} s")
        for path in REQUESTS:
            took_ms = []
            for _ in range(6):
                began_s = time.perf_counter()
                answer = client.get(at + path)
                took_ms.append((time.perf_counter() - began_s) * 1e3)
                answer.raise_for_status()
            print(f"  {path.partition('?')[0]:12} {took_ms[0]:7.0f} ms, then "
                  f"{statistics.median(took_ms[1:]):6.1f} ms  {len(answer.content) / 1e3:8.0f} kB"
                  f"  {path.partition('?')[2]}")  # fmt: skip


def measure_drawing(server: Server, study: str) -> None:
    """Seconds from the address to all curves and rows on the screen."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(server.link)
        page.wait_for_selector("a[href*='#/s/']")
        took_s = []
        for _ in range(5):
            page.goto("about:blank")
            began_s = time.perf_counter()
            page.goto(f"{server.base}/#/s/{study}")
            page.wait_for_selector("tbody tr:not(.spacer)")
            page.wait_for_selector(".uplot canvas")
            page.evaluate("() => new Promise(done => requestAnimationFrame("
                          "() => requestAnimationFrame(done)))")  # fmt: skip
            took_s.append(time.perf_counter() - began_s)
        n_loaded = page.evaluate("performance.getEntriesByType('resource').length")
        again_s = statistics.median(took_s[1:])
        print(f"  drawn in Chromium in {took_s[0]:.2f} s, then {again_s:.2f} s "
              f"({n_loaded} files and requests)")  # fmt: skip
        browser.close()


def train(store: Path, script: Path, number: int) -> float:
    """Seconds that a study of 8 workers takes."""
    began_s = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "luthier", "tune", str(script), "--trials", str(N_WORKERS),
         "--workers", str(N_WORKERS), "--policy", "full", "--store", str(store), "--no-lint",
         "--json", "--name", f"grows-{number}"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - began_s


def view_many(link: str, study: str) -> None:
    """50 viewers in this process, until it is killed."""

    async def one(client: httpx.AsyncClient) -> None:
        while True:
            try:
                path = f"/api/v1/studies/{study}/events"
                async with client.stream("GET", path, timeout=None) as answer:
                    async for _ in answer.aiter_raw():
                        pass
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)  # the study is not there yet

    async def all_of_them() -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=link.partition("/?")[0], limits=limits) as client:
            await client.get(link)
            await asyncio.gather(*(one(client) for _ in range(N_VIEWERS)))

    asyncio.run(all_of_them())


def measure_slow_down(folder: Path, n_pairs: int, n_reports: int) -> None:
    """The same study with and without viewers, in turn."""
    script, store = folder / "job.py", folder / "grows.db"
    script.write_text(SCRIPT.format(n_reports=n_reports))
    train(store, script, 0)
    ratios, shares = [], []
    with served(store) as server:
        for pair in range(1, n_pairs + 1):
            alone_s = train(store, script, 2 * pair)
            name = f"grows-{2 * pair + 1}"
            viewers = subprocess.Popen(
                ["nice", "-n", "19", sys.executable, __file__, "--view", server.link, name]
            )
            time.sleep(2)
            cpu_s = server.cpu_s()
            watched_s = train(store, script, 2 * pair + 1)
            shares.append((server.cpu_s() - cpu_s) / watched_s)
            viewers.kill()
            viewers.wait()
            ratios.append(watched_s / alone_s)
            print(f"  alone {alone_s:.2f} s, with {N_VIEWERS} viewers {watched_s:.2f} s; "
                  f"the server took {shares[-1]:.1%} of one core", flush=True)  # fmt: skip
        error = statistics.stdev(ratios) / n_pairs**0.5
        print(f"  slow-down {statistics.mean(ratios) - 1:+.1%} ± {error:.1%} (standard error), "
              f"{N_WORKERS * n_reports:,} reports each time; "
              f"the server holds {server.memory_mb:.0f} MB")  # fmt: skip


def main(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    sizes = [("trials", 100_000, 10), ("points", 1_000, 1_000)]
    if arguments.quick:
        sizes = [(name, n // 10, m) for name, n, m in sizes]
    with tempfile.TemporaryDirectory() as folder:
        for name, n_trials, n_reports in sizes:
            store = Path(folder) / f"{name}.db"
            make_study(store, name, n_trials, n_reports)
            print(f"{n_trials:,} trials x {n_reports:,} reports", flush=True)
            with served(store) as server:
                before_mb = server.memory_mb
                measure_requests(server, name)
                measure_drawing(server, name)
                print(f"  the server holds {server.memory_mb:.0f} MB ({before_mb:.0f} MB before)",
                      flush=True)  # fmt: skip
        print(f"{N_WORKERS} workers report at full speed", flush=True)
        n_reports = 20_000 if arguments.quick else 100_000
        measure_slow_down(Path(folder), 2 if arguments.quick else 6, n_reports)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--view", nargs=2)
    given = parser.parse_args()
    view_many(*given.view) if given.view else main(given)
