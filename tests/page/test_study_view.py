"""Many runs side by side, in a real browser: filters, brushes, keys, comparison, languages."""

import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import luthier

NAME = "caviar & <b>roe"  # shown as text
WHOLE = 27
SLOW = """
import time
import luthier

@luthier.tune(minimize="loss", max_steps=9, space={"x": luthier.Float(0.0, 1.0)})
def train(run):
    for step in run.steps():
        time.sleep(0.2)
        run.report(loss=run.params.x + 1 / step)
"""


@luthier.tune(
    minimize="loss",
    max_steps=WHOLE,
    space={
        "lr": luthier.Float(1e-4, 1.0, log=True),
        "width": luthier.Int(8, 256, log=True),
        "kind": luthier.Choice("<i>relu", "tanh"),
        "kernel": luthier.Choice((7, 1), (3, 3)),
    },
)
def train(run: Any) -> None:
    """A bowl over lr; beyond 0.5 it diverges."""
    p = run.params
    for step in run.steps():
        floor = (math.log10(p.lr) + 2) ** 2 + (0.3 if p.kind == "tanh" else 0.0) + 1 / p.width
        loss = floor + 5 * math.exp(-step / 6)
        run.report(loss=math.nan if p.lr > 0.5 and step > 4 else loss, half=loss / 2)


@luthier.tune(maximize="score", max_steps=WHOLE, space={"lr": luthier.Float(1e-4, 1.0, log=True)})
def climb(run: Any) -> None:
    """The other way round."""
    for step in run.steps():
        run.report(score=step * run.params.lr)


@luthier.tune(minimize="loss", max_steps=3, space={"n": luthier.Choice(*range(12))})
def one_far(run: Any) -> None:
    """Losses of 1 and a little more, and one of 60."""
    for step in run.steps():
        run.report(loss=60.0 if run.params.n == 11 else 1.0 + run.params.n / 100 + 1 / step)


@dataclass
class Site:
    """A running server over a store with studies."""

    link: str
    folder: Path

    @property
    def root(self) -> str:
        return self.link.split("?")[0]

    def study(self, name: str = NAME) -> str:
        return f"{self.link}#/s/{quote(name, safe='')}"

    def get(self, page: Page, path: str, **query: str | int) -> Any:
        """The server's own answer, asked with the browser's cookie."""
        answer = page.request.get(f"{self.root}api/v1{path}", params=query)
        assert answer.ok, answer.text()
        return answer.json()

    def runs(self, page: Page, name: str = NAME, **query: str | int) -> Any:
        return self.get(page, f"/studies/{quote(name, safe='')}/runs", **query)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three studies that have ended, and a server."""
    folder = tmp_path_factory.mktemp("studies")
    store = folder / "luthier.db"
    ways = {"store": store, "executor": "inline", "workers": 1, "lint": False, "policy": "full"}
    train.search(trials=30, name=NAME, **ways)
    climb.search(trials=5, name="climb", **ways)
    one_far.search(trials=12, name="far", sampler="grid", **ways)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "luthier", "serve", str(store), "--port", str(port)],
        cwd=folder, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        link, told = None, ""
        while link is None:
            line = server.stdout.readline()
            told += line
            assert line, f"the server ended: {told}"
            link = re.search(r"http://\S+token=\S+", line)
        yield Site(link.group(), folder)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; it fails rather than skips, so that the page is never left untested."""
    expect.set_options(timeout=15_000)
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, "no Chromium found; on Debian or Ubuntu: apt-get install -y chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address in a browser of its own; errors of scripts and of the CSP fail the test."""
    wrong: list[str] = []
    contexts = []

    def open_page(address: str, **options: Any) -> Page:
        context = browser.new_context(**{"locale": "en-US", **options})
        contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text)
                if "Content Security Policy" in said.text else None)  # fmt: skip
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


def found(page: Page) -> int:
    """How many runs the table says it has."""
    return int(re.sub(r"\D", "", page.locator(".runs header [role=status]").inner_text()) or 0)


def test_the_list_leads_to_a_study_and_shows_names_as_text(
    site: Site, visit: Callable[..., Page]
) -> None:
    page = visit(site.link)
    expect(page.locator("table.studies tbody tr")).to_have_count(3)
    page.get_by_role("link", name=NAME).click()
    expect(page.locator("h1")).to_have_text(NAME)
    expect(page.locator(".runs header [role=status]")).to_have_text("30 runs")
    best = site.runs(page, limit=1)["rows"][0]
    expect(page.locator("tr.best .star")).to_have_count(1)
    expect(page.locator("tr.best td a")).to_contain_text(best["id"])
    expect(page.locator(".facts .first dd a")).to_have_text(f"{best['best']:.4g}")


def test_a_condition_filters_the_table_and_the_curves(
    site: Site, visit: Callable[..., Page]
) -> None:
    page = visit(site.study())
    expect(page.locator(".runs header [role=status]")).to_have_text("30 runs")
    condition = "lr>1e-3 and lr<0.3 and kernel='(7, 1)'"
    page.keyboard.press("/")
    page.keyboard.type(condition)
    n = site.runs(page, where=condition)["total"]
    assert 0 < n < 30
    expect(page.locator(".runs header [role=status]")).to_have_text(f"{n} runs fit the filter")
    expect(page.locator(".curves header [role=status]")).to_have_text(f"{n} runs")
    page.locator(".where").fill(f"{condition} and lr>>")
    expect(page.locator(".field-error")).to_contain_text("lr>>")
    assert found(page) == n  # what stood before stands
    page.reload()  # the address keeps the filter
    expect(page.locator(".runs header [role=status]")).to_have_text(f"{n} runs fit the filter")
    expect(page.locator(".where")).to_have_value(condition)
    page.get_by_role("button", name="Clear filter").first.click()
    expect(page.locator(".runs header [role=status]")).to_have_text("30 runs")


def test_a_run_far_from_all_others_does_not_press_them_together(
    site: Site, visit: Callable[..., Page]
) -> None:
    page = visit(site.study("far"))
    toggle = page.get_by_role("button", name="+1 outlier")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    # 1 at the best, 2.1 at the first step of the others: nobody needs a logarithmic axis
    expect(page.get_by_role("button", name="log y")).to_have_attribute("aria-pressed", "false")
    toggle.click()
    page.reload()
    expect(toggle).to_have_attribute("aria-pressed", "true")


FAR = """async ([ends, less]) => {
  const { typical } = await import("/static/js/chart/measure.js");
  const curves = ends.map((end) => ({ y: [5, end, NaN] }));
  return typical(curves, false, less && ((a, b) => a > b)).map((curve) => curve.y[1]);
}"""


@pytest.mark.parametrize(
    ("ends", "less", "gone"),
    [
        ([*range(1, 11), 90], True, {90}),
        ([*range(1, 11), -90], True, set()),  # who is far better is the one to see
        ([*range(1, 11), -90], False, {-90}),  # of other metrics nobody knows which way is bad
        ([*range(1, 11), 80, 90], True, {90}),  # a tenth of the curves at most
        ([*range(1, 9), 90], True, set()),  # too few to say what is usual
        ([1] * 20 + [2], True, {2}),
    ],
)
def test_who_is_far_from_the_others(
    site: Site, visit: Callable[..., Page], ends: list[float], less: bool, gone: set[float]
) -> None:
    page = visit(site.link)
    kept = page.evaluate(FAR, [ends, less])
    assert set(ends) - set(kept) == gone


def test_a_brush_filters_everything(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.study(), viewport={"width": 1440, "height": 1000})
    expect(page.locator(".runs header [role=status]")).to_have_text("30 runs")
    board = page.locator(".parallel canvas")
    board.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    box = board.bounding_box()
    assert box is not None

    def drag(axis: int, start: float, end: float) -> None:
        x = box["x"] + 48 + (box["width"] - 96) * axis / 4
        page.mouse.move(x, box["y"] + start)
        page.mouse.down()
        page.mouse.move(x, box["y"] + end, steps=4)
        page.mouse.up()

    drag(0, 60, 170)  # the upper part of lr
    chips = page.locator(".chips .chip")
    expect(chips).to_have_count(1)
    drag(2, 30, 150)  # one of two words
    expect(chips).to_have_count(2)
    words = [text.removesuffix("×").strip() for text in chips.all_inner_texts()]
    assert words[0].startswith("lr>=")
    assert words[1].startswith("kind!=")
    n = site.runs(page, where=" and ".join(words))["total"]
    assert 0 < n < 30
    expect(page.locator(".runs header [role=status]")).to_have_text(f"{n} runs fit the filter")
    chips.first.click()
    expect(chips).to_have_count(1)


def test_keys_move_and_open(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.study())
    expect(page.locator(".runs-table tbody tr[data-run]").first).to_be_visible()
    expect(page.locator(".runs header [role=status]")).to_have_text("30 runs")
    for key in ("j", "j", "j", "k", "Enter"):
        page.keyboard.press(key)
    second = site.runs(page, limit=2)["rows"][1]["id"]
    expect(page).to_have_url(re.compile(rf"/r/{re.escape(second)}$"))


def test_columns_sort_on_the_server(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.study())
    head = page.get_by_role("columnheader", name="width")
    for down, word in ((0, "ascending"), (1, "descending")):
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", word)
        first = site.runs(page, sort="p.width", down=down, limit=1)["rows"][0]["id"]
        expect(page.locator(".runs-table tbody tr[data-run]").first).to_have_attribute(
            "data-run", first
        )


def test_runs_of_two_studies_are_compared(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.study(), viewport={"width": 1440, "height": 1000})
    boxes = page.locator(".runs-table tbody input")
    boxes.nth(0).check()
    boxes.nth(1).check()
    expect(page.locator(".tray")).to_contain_text("2 picked")
    page.goto(f"{site.root}#/s/climb")
    expect(page.locator("h1")).to_have_text("climb")
    page.locator(".runs-table tbody input").first.check()
    page.get_by_role("link", name="Compare").click()
    table = page.locator(".compare-table")
    expect(table.locator("thead th")).to_have_count(3)
    expect(table).to_contain_text(NAME)
    expect(table.locator("tr.differs", has_text="lr")).to_have_count(1)
    expect(page.locator(".compare-charts .chart")).to_have_count(2)  # two objectives, two charts
    table.get_by_role("button").last.click()  # the only one of the other study
    expect(table.locator("thead th")).to_have_count(2)
    expect(page.locator(".compare-charts .chart")).to_have_count(1)
    expect(table.locator(".star")).to_have_count(1)


def test_a_growing_study_is_followed(site: Site, visit: Callable[..., Page]) -> None:
    (site.folder / "slow.py").write_text(SLOW)
    command = [sys.executable, "-m", "luthier", "tune", "slow.py", "--name", "growing"]
    with (site.folder / "tuner.txt").open("wb") as log:
        tuner = subprocess.Popen(
            [*command, "--trials", "12", "--policy", "full", "--workers", "2", "--no-lint"],
            cwd=site.folder, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            page = visit(site.link)
            page.get_by_role("link", name="growing").click()
            expect(page.locator(".head .live")).to_contain_text("tuning")
            page.evaluate("window.notReloaded = true")
            first = found(page)
            page.wait_for_function(
                "n => parseInt(document.querySelector('.runs header [role=status]').innerText) > n",
                arg=first + 1,
            )
            curves = page.locator(".curves header [role=status]")
            expect(curves).to_have_text(re.compile(r"^([2-9]|1\d)\b"))
            assert page.evaluate("window.notReloaded")
            assert tuner.wait(60) == 0
            expect(page.locator(".head .pill").first).not_to_contain_text("tuning")
            expect(page.locator(".runs header [role=status]")).to_have_text("12 runs")
        finally:
            tuner.kill()
            tuner.wait()


def test_both_languages_and_both_lights(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.study(), color_scheme="light")
    expect(page.locator(".runs header [role=status]")).to_have_text("30 runs")
    key = re.compile(r"^[a-z_]+(\.[a-zA-Z_0-9]+)+$", re.MULTILINE)
    for words in ("30 runs", "30 个运行"):
        expect(page.locator(".runs header [role=status]")).to_have_text(words)
        assert not key.search(page.locator("main").inner_text())  # no word is missing
        if words == "30 runs":
            page.get_by_role("button", name="中文").click()
    paper = "getComputedStyle(document.querySelector('.panel')).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="深色").click()
    assert page.evaluate(paper) != light
    page.reload()
    expect(page.locator(".runs header [role=status]")).to_have_text("30 个运行")
    assert page.evaluate(paper) != light


@pytest.mark.parametrize("place", ["", "s", "compare"])
def test_nothing_is_wider_than_a_telephone(
    site: Site, visit: Callable[..., Page], place: str
) -> None:
    page = visit(site.link, viewport={"width": 390, "height": 844})
    runs = [row["id"] for row in site.runs(page, limit=3)["rows"]]
    name = quote(NAME, safe="")
    picked = ",".join(f"{quote(name, safe='')}:{run}" for run in runs)
    where = {"": "", "s": f"s/{name}", "compare": f"compare?runs={quote(picked, safe=':,')}"}
    page.goto(f"{site.root}#/{where[place]}")
    expect(page.locator("main .panel").first).to_be_visible()
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_refusal_is_told_in_its_words(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.study())
    expect(page.locator(".runs header [role=status]")).to_have_text("30 runs")
    answer = json.dumps({"error": {"code": "x", "message": "no such study <i>", "hint": "look"}})
    page.route("**/api/v1/studies/gone", lambda route: route.fulfill(status=404, body=answer))
    page.goto(f"{site.root}#/s/gone")
    expect(page.get_by_role("alert")).to_contain_text("no such study <i>")
    page.get_by_role("link", name="All studies").click()
    expect(page.locator("table.studies")).to_be_visible()
