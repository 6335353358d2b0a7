"""The page in a real browser, on a study that real processes are training while it is looked at."""

import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

pytest.importorskip("torch")

from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from luthier.handle import RunHandle

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
STUDY = "<script>alert(1)"  # a name has to be a folder's: no slash
NASTY = "<img src=x onerror=alert(2)>"
SCRIPT = """
import os, time
import torch
from torch import nn
import luthier

X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
Y = X.sum(1, keepdim=True)

@luthier.tune(minimize="val_loss", max_steps=5000, space={
    "lr": luthier.Float(1e-5, 100.0, log=True, prior=1e-3, live=True),
    "kind": luthier.Choice("<b>one</b>", "<b>two</b>")})
def train(run):
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=run.params.lr)
    run.attach(model=model, optimizer=optimizer)
    for step in run.steps():
        loss = nn.functional.mse_loss(model(X), Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with open(os.environ["RATES"], "a") as file:
            file.write(f"{step} {optimizer.param_groups[0]['lr']}\\n")
        time.sleep(0.04)
        odd = float("nan") if step % 10 == 3 else 0.1
        run.report(val_loss=loss.item(), train_loss=loss.item() / 2, odd=odd)
"""
WAIT_MS = 20_000  # other tests share the cores

pytestmark = pytest.mark.xdist_group("browser")  # one study for all of them
expect.set_options(timeout=WAIT_MS)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Site:
    """A store, a tuner at work on it, and a server that may be killed and started again."""

    folder: Path
    port: int
    environment: dict[str, str]
    server: subprocess.Popen[str] | None = None
    tuners: list[subprocess.Popen[bytes]] = field(default_factory=list)
    owner: str = ""
    viewer: str = ""

    @property
    def store(self) -> Path:
        return self.folder / "luthier.db"

    @property
    def rates(self) -> list[tuple[float, float]]:
        """(step, rate) as the optimizer itself had it, from the training process."""
        lines = (self.folder / "rates.txt").read_text().splitlines()
        return [(float(step), float(rate)) for step, rate in map(str.split, lines)]

    def serve(self) -> None:
        """Start the server, and read its links."""
        command = [sys.executable, "-m", "luthier", "serve", str(self.store), "--viewer-link"]
        self.server = subprocess.Popen(
            [*command, "--port", str(self.port)], cwd=self.folder, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self.server.stdout is not None
        links: list[str] = []
        told = ""
        while len(links) < 2:
            line = self.server.stdout.readline()
            told += line
            assert line, f"the server ended: {told}"
            links += re.findall(r"http://\S+token=\S+", line)
        self.owner, self.viewer = links[:2]

    def kill(self) -> None:
        """End the server as a crash would."""
        assert self.server is not None
        assert self.server.stdout is not None
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()

    def address(self, path: str, link: str = "") -> str:
        """The link with a place of the page behind it."""
        return f"{link or f'http://127.0.0.1:{self.port}/'}#/{path}"

    @property
    def run_path(self) -> str:
        return f"s/{quote(STUDY, safe='')}/r/0.0"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One study, being trained for as long as the tests run."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "net.py").write_text(SCRIPT)
    environment = {**os.environ, "RATES": str(folder / "rates.txt"), "PYTHONUNBUFFERED": "1"}
    site = Site(folder, free_port(), environment)
    tune = [sys.executable, "-m", "luthier", "tune", "net.py", "--name", STUDY, "--trials", "1"]
    options = ["--policy", "full", "--workers", "2", "--no-lint"]
    with (folder / "tuner.txt").open("wb") as log:
        site.tuners.append(
            subprocess.Popen([*tune, *options], cwd=folder, env=environment, stdout=log, stderr=log)
        )
    try:
        deadline_s = time.monotonic() + 90
        while not (folder / "rates.txt").exists():
            told = (folder / "tuner.txt").read_text()
            assert site.tuners[0].poll() is None, told
            assert time.monotonic() < deadline_s, told
            time.sleep(0.1)
        site.serve()
        yield site
    finally:
        if site.server is not None:
            site.kill()
        for tuner in site.tuners:
            tuner.kill()
            tuner.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; it fails rather than skips, so that the page is never left untested."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail(
            "no Chromium found; the page is tested in one. On Debian or Ubuntu: "
            "apt-get install -y chromium (make test does it)."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address in a browser of its own; script errors and dialogs fail the test."""
    wrong: list[str] = []
    contexts = []

    def open_page(address: str, **options: object) -> Page:
        context = browser.new_context(locale="en-US", **options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda said: wrong.append(said.text)
                if "Content Security Policy" in said.text else None)  # fmt: skip
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


def steps_shown(page: Page) -> float:
    """The step up to which the chart has been drawn."""
    words = page.locator(".readout .key").first.inner_text()
    return float(re.sub(r"[^\d.]", "", words) or 0)


def test_curves_grow_and_the_slider_moves_the_real_optimizer(
    site: Site, visit: Callable[..., Page]
) -> None:
    page = visit(site.address(site.run_path, site.owner))
    expect(page.locator(".run-head .live")).to_have_text("live")
    page.evaluate("window.notReloaded = true")
    first = steps_shown(page)
    page.wait_for_function(
        "first => parseFloat(document.querySelector('.readout .key').innerText.replace(/\\D/g, ''))"
        " > first + 10", arg=first,
    )  # fmt: skip
    assert page.evaluate("window.notReloaded")

    slider = page.locator(".live-row input[type=range]").first
    had = float(page.locator("#live-lr").input_value())
    slider.focus()
    for _ in range(2):
        page.keyboard.press("PageDown")
    wanted = float(page.locator("#live-lr").input_value())
    assert wanted < had
    expect(page.locator(".live-row").first).to_have_class(re.compile("changed"))
    expect(page.locator(".live-row .unsent").first).to_have_text("not asked for yet")
    page.fill("#live-reason", NASTY)
    page.get_by_role("button", name="Ask", exact=True).click()
    fate = page.locator(".asked li").first
    expect(fate).to_contain_text("obeyed at step")
    expect(fate).to_contain_text("read back lr = ")

    run = RunHandle(site.store, STUDY, "0.0")
    assert run.read_back["lr"] == pytest.approx(wanted)
    assert site.rates[-1][1] == pytest.approx(wanted)
    row = page.locator(".diary tbody tr").first
    expect(row).to_contain_text(NASTY)  # as text: nothing was run
    expect(row).to_contain_text("change")
    expect(page.locator(".live-row .read-back").first).to_contain_text("read back")
    expect(page.locator(".live-row").first).not_to_have_class(re.compile("changed"))
    glyph = page.locator(".lane .glyph.by-human").first
    glyph.hover()
    expect(page.locator(".float")).to_contain_text(NASTY)


def test_a_refused_value_says_why(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.address(site.run_path, site.owner))
    page.fill("#live-lr", "700")
    page.keyboard.press("Enter")
    fate = page.locator(".asked li").first
    expect(fate).to_have_class("is-refused")
    expect(fate).to_contain_text("700")
    refused = RunHandle(site.store, STUDY, "0.0").diary()[-1]
    assert refused.state == "refused"
    expect(fate).to_contain_text(refused.why)
    assert all(rate < 700 for _, rate in site.rates)


def test_keys_mark_and_the_rail_goes_back_and_forks(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.address(site.run_path, site.owner))
    expect(page.locator(".run-head .live")).to_have_text("live")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("back to the best checkpoint")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("m")
    page.keyboard.type("by-key")
    page.keyboard.press("Enter")
    expect(page.locator(".asked li").first).to_have_class("is-obeyed")
    marked = next(
        c for c in RunHandle(site.store, STUDY, "0.0").run.checkpoints if "by-key" in c.kept
    )
    dot = page.locator(f".rail .checkpoint.kept[data-step='{marked.step:g}']")
    expect(dot).to_be_visible()

    dot.focus()
    page.keyboard.press("Enter")
    menu = page.get_by_role("dialog")
    menu.get_by_role("combobox").select_option("lr")
    menu.get_by_label("lr", exact=True).fill("0.002")
    menu.get_by_role("button", name="Roll back here").click()
    fate = page.locator(".asked li").first
    expect(fate).to_contain_text(f"obeyed at step {marked.step:g}")
    back = RunHandle(site.store, STUDY, "0.0").diary()[-1]
    assert back.step == marked.step
    steps = [step for step, _ in site.rates]
    falls = [b for a, b in itertools.pairwise(steps) if b < a]
    assert falls  # the training process itself went back
    assert site.rates[-1][1] == pytest.approx(0.002)
    expect(page.locator(".readout")).to_contain_text("rolled back")

    page.locator(f".rail .checkpoint[data-step='{marked.step:g}']").click()
    page.get_by_role("dialog").get_by_role("button", name="Fork from here").click()
    expect(page.locator(".asked li").first).to_contain_text("obeyed at step")
    page.goto(site.address(f"s/{quote(STUDY, safe='')}/lineage"))
    expect(page.locator(".tree-run")).to_have_count(2)
    expect(page.locator(".tree-run").nth(1)).to_have_attribute(
        "aria-label", re.compile(rf"fork of 0\.0 at step {marked.step:g}")
    )
    page.locator(".tree-run").nth(1).click()
    expect(page.locator("h1")).to_have_text("Run 0.1")
    page.keyboard.press("s")
    page.get_by_role("button", name="End it").click()
    expect(page.locator(".asked li").first).to_contain_text("obeyed")
    expect(page.locator(".live-panel .blocked")).to_contain_text("ended")


def test_a_diagnosis_offers_its_remedy_and_is_its_reason(
    site: Site, visit: Callable[..., Page]
) -> None:
    page = visit(site.address(site.run_path, site.owner))
    expect(page.locator(".run-head .live")).to_have_text("live")
    page.fill("#live-lr", "90")
    page.keyboard.press("Enter")
    expect(page.locator(".asked li").first).to_contain_text("obeyed")
    remedy = page.locator(".finding.critical").get_by_role("button", name="Back to step").first
    expect(remedy).to_be_visible()
    remedy.click()
    expect(page.locator(".asked li").first).to_contain_text("obeyed at step")
    done = RunHandle(site.store, STUDY, "0.0").diary()[-1]
    assert re.match(r"D\d\d ", done.action.reason), done
    assert site.rates[-1][1] == pytest.approx(done.read_back["lr"])
    assert site.rates[-1][1] < 90


def test_who_has_no_token_sees_nothing_and_who_only_looks_cannot_act(
    site: Site, visit: Callable[..., Page]
) -> None:
    stranger = visit(site.address(site.run_path))
    answer = stranger.request.get(f"http://127.0.0.1:{site.port}/api/v1/studies")
    assert answer.status == 401
    expect(stranger.locator("body")).not_to_contain_text("Run 0.0")

    viewer = visit(site.address(site.run_path, site.viewer))
    expect(viewer.locator(".live-panel .blocked")).to_contain_text("looking only")
    expect(viewer.locator("#live-lr")).to_be_disabled()
    for button in viewer.locator(".run-buttons button").all():
        expect(button).to_be_disabled()
    before = len(RunHandle(site.store, STUDY, "0.0").diary())
    viewer.keyboard.press("p")
    status = viewer.evaluate(
        """async (study) => {
          const { me, studyPath } = await import(new URL("static/js/api.js", location));
          const { token } = await me();
          const answer = await fetch("api/v1" + studyPath(study, "runs", "0.0", "actions"), {
            method: "POST", body: JSON.stringify({ kind: "pause" }),
            headers: { "Content-Type": "application/json", "X-Luthier-Token": token ?? "" } });
          return answer.status;
        }""",
        STUDY,
    )
    assert status == 403
    assert len(RunHandle(site.store, STUDY, "0.0").diary()) == before


def test_a_killed_server_comes_back_and_nothing_is_missed(
    site: Site, visit: Callable[..., Page]
) -> None:
    page = visit(site.address(site.run_path, site.owner))
    live = page.locator(".run-head .live")
    expect(live).to_have_text("live")
    n_before = page.locator(".diary tbody tr").count()
    site.kill()
    expect(live).to_contain_text("connection lost")
    entry = (
        RunHandle(site.store, STUDY, "0.0").change(lr=0.003, because="while nobody served").wait(20)
    )
    assert entry is not None
    assert entry.state == "obeyed"
    drawn = steps_shown(page)
    site.serve()
    expect(live).to_have_text("live")
    expect(page.locator(".diary tbody tr").first).to_contain_text("while nobody served")
    expect(page.locator(".diary tbody tr")).to_have_count(n_before + 1)
    page.wait_for_function(
        "drawn => parseFloat(document.querySelector('.readout .key').innerText.replace(/\\D/g, ''))"
        " > drawn + 5", arg=drawn,
    )  # fmt: skip


def test_names_are_text_everywhere_and_every_view_fits_in_both_languages(
    site: Site, visit: Callable[..., Page]
) -> None:
    study = quote(STUDY, safe="")
    page = visit(site.address("", site.owner), viewport={"width": 390, "height": 844})
    expect(page.locator("main")).to_contain_text(STUDY)
    views = {  # each with what must stand in it when it is there
        "": "table.studies tbody a",
        f"s/{study}": ".study-grid .facts dd a",
        site.run_path: ".readout .key b",
        f"s/{study}/lineage": ".tree .tree-run",
        "k": ".know-list a",
        "k/dropout": ".know-page td",
        f"compare?runs={quote(f'{study}:0.0', safe='')}": ".legend-row button",
    }
    for language in ("en", "zh"):
        if language == "zh":
            page.get_by_role("button", name="中文").click()
            expect(page.locator("html")).to_have_attribute("lang", re.compile("zh"))
        for view, sign in views.items():
            if language == "zh" and view.startswith(("k", "compare")):
                continue  # no wider than in English
            page.goto(site.address(view))
            expect(page.locator(sign).first).to_be_visible()
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) <= 0, (language, view)
    page.goto(site.address(site.run_path))
    expect(page.locator(".run-params")).to_contain_text("kind=<b>")


def test_the_page_asks_nobody_else(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []

    def note(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_()

    page.route("**/*", note)
    page.goto(site.address(site.run_path, site.owner))
    expect(page.locator(".readout .key").first).to_contain_text("step")
    context.close()
    assert asked
    assert all(url.startswith(f"http://127.0.0.1:{site.port}/") for url in asked)
    assert all("token=" not in url for url in asked[1:])


def test_a_parameter_keeps_its_value_over_a_rollback(
    site: Site, visit: Callable[..., Page]
) -> None:
    page = visit(site.address("", site.owner))
    found = page.evaluate(
        """async () => {
          const { stepsOf } = await import(new URL("static/js/run/series.js", location));
          const did = (kind, step, before, after, state = "obeyed") =>
            ({ kind, step, before, after, state });
          return stepsOf("lr", 0.4, [
            did("start", 0, {}, {}),
            did("change", 12, { lr: 0.1 }, { lr: 0.2 }),
            did("change", 15, { lr: 0.2 }, { lr: 9 }, "refused"),
            did("rollback", 10, {}, {}),
            did("change", 30, { lr: 0.2 }, { lr: 0.4 }),
          ], 40);
        }"""
    )
    assert found == {"x": [0, 10, 30, 40], "y": [0.1, 0.2, 0.4, 0.4]}
