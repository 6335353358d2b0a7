"""The report of a study: whole, escaped, the same numbers as everywhere else."""

import json
import re
import shutil
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

import luthier
from luthier.api import StudyResult, open_study
from luthier.cli import luthier as command
from luthier.cli.look import by_merit
from luthier.core.errors import OptionError
from luthier.importance import importances
from luthier.report import players, report, write
from luthier.report.html import to_html
from luthier.report.markdown import to_markdown
from luthier.report.words import _WORDS
from luthier.standing import standing
from luthier.stores.sqlite import SqliteStore
from luthier.what_if import balance
from luthier.worker.target import load_target

SCRIPT = """
import math
import luthier

class Counter:
    def __init__(self): self.n = 0
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, state): self.n = state["n"]

@luthier.tune(maximize="score", max_steps=9, space={
    "lr": luthier.Float(1e-5, 1.0, log=True, prior=1e-3, tier=1, live=True),
    "optimizer": luthier.Choice("sgd", "adamw"),
    "momentum": luthier.Float(0.5, 0.99, when={"optimizer": "sgd"}),
    "seeded": 7})
def train(run):
    counter = Counter()
    run.attach(counter=counter)
    for step in run.steps():
        counter.n += 1
        if run.trial == 5 and step == 2:
            raise ValueError("no such <file>")
        noise = 0.01 * math.sin(37.0 * step + run.trial)
        run.report(score=noise - (math.log10(run.params.lr) + 3) ** 2 - 1 / step,
                   train_loss=1 / step, val_loss=1.2 / step)
"""


class Texts(HTMLParser):
    """What a reader sees, and that every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag not in ("meta", "circle", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(filter(None, self.texts))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    folder = tmp_path_factory.mktemp("report")
    (folder / "job.py").write_text(SCRIPT)
    tunable = load_target(f"{folder / 'job.py'}:train")
    return tunable.search(trials=14, policy="asha", executor="inline",  # type: ignore[attr-defined,no-any-return]
                          store=folder / "s.db", name="net")  # fmt: skip


def test_the_numbers_are_those_of_the_other_commands(study: StudyResult) -> None:
    page = Texts(to_html(report(study.store))).text
    stands, told = standing(study.view), balance(study.store)
    assert stands is not None
    assert f"Trial {stands.best.trial} (run {stands.best.id}): score {stands.value:.4g}" in page
    assert stands.second is not None
    assert f"The runner-up, trial {stands.second.trial}" in page
    assert f"Left before step 9: {told.n_left}; trained to the end: {told.n_finished}." in page
    for one in importances(study.view):
        assert f"{one.value:.2f} ± {one.error:.2f}" in page
    order = [str(run.trial) for run in by_merit(study.view)]
    table = page.partition("The first 14 of 14 trials.")[2]
    rows = re.findall(r" (\d+) -?[\d.]+(?:e-\d)? \d+ \d+ (?:completed|paused|failed)", table)
    assert rows == order
    assert "trial 5: ValueError: no such <file>" in page
    for words in ("1e-5 to 1, logarithmic", "0.001 (medium)", "only when optimizer is sgd",
                  "may change while training", "7 (fixed)", "5e-5 to"):  # fmt: skip
        assert words in page, words


def test_how_to_repeat_it_is_a_command_that_repeats_it(
    study: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Texts(to_html(report(study.store))).text
    line = re.search(r"luthier (tune job.py:train .*?) The best trial once more", page)
    assert line is not None
    assert line[1] == ("tune job.py:train --policy asha --sampler random --trials 14 --workers "
                       f"{study.store.recipe['workers']} --seed 0 --executor inline "
                       "--set seeded=7")  # fmt: skip
    monkeypatch.chdir(tmp_path)
    shutil.copy(study.store.path.parent / "job.py", tmp_path)
    done = CliRunner().invoke(command, line[1].split(), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    again = open_study(tmp_path / "luthier.db")
    assert again.best.params == study.best.params
    assert again.best.value == study.best.value
    replay = re.search(r"luthier replay (\S+ --store s.db)", page)
    assert replay is not None


def test_a_choice_is_repeated_by_its_mode(study: StudyResult) -> None:
    recipe = {**study.store.recipe, "choice": {"mode": "children"},
              "asked": {"mode": "children", "workers": None, "n_children": 3}}  # fmt: skip
    words, as_it_was = players.command(study.store.study, recipe, "job.py:train")
    began = "luthier tune job.py:train --mode children --children 3 --trials 14 --seed 0"
    assert words.startswith(began)
    assert "--workers" not in words
    assert as_it_was


def test_the_environment_and_the_findings_are_recorded_at_the_start(study: StudyResult) -> None:
    recorded = study.store.recipe["environment"]
    assert recorded["luthier"] == luthier.__version__
    assert {"python", "platform", "processor", "cores", "numpy"} <= recorded.keys()
    assert str(Path.home()) not in json.dumps(recorded)
    page = Texts(to_html(report(study.store))).text
    assert f"python {recorded['python']}" in page
    assert "As recorded when the study was created." in page
    assert str(study.store.path.parent) not in page


def test_both_languages_have_all_words(study: StudyResult) -> None:
    for key, pair in _WORDS.items():
        names = [set(re.findall(r"\{(\w+)", text)) for text in pair]
        assert names[0] == names[1], key
        assert all(pair), key
    page = to_html(report(study.store, "zh"))
    assert '<html lang="zh">' in page
    for words in ("最佳试验", "噪声", "提前停止", "哪些参数重要", "最大化 score"):
        assert words in page
    with pytest.raises(OptionError, match="expected one of"):
        report(study.store, "fr")


def test_one_file_with_nothing_from_outside(study: StudyResult, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        command,
        ["report", "net", "--store", str(study.store.path), "-o", str(tmp_path / "r.html")],
        catch_exceptions=False,
    )
    assert done.output == f"wrote {tmp_path / 'r.html'}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    parsed = Texts(html)
    assert not parsed.tags & {"script", "link", "img", "iframe", "object"}
    assert set(re.findall(r"https?://[^\"' ]+", html)) == {"http://www.w3.org/2000/svg"}
    assert "@page" in html
    anchors = set(re.findall(r'href="#(\w+)"', html))
    assert anchors <= set(re.findall(r'<section id="(\w+)"', html))
    assert len(anchors) == 10


def test_markdown_with_its_pictures(study: StudyResult, tmp_path: Path) -> None:
    files = write(report(study.store), tmp_path / "r.md")
    text = files[0].read_text(encoding="utf-8")
    shown = re.findall(r"\]\((r-pictures/[\w-]+\.svg)\)", text)
    assert shown
    assert {tmp_path / name for name in shown} == set(files[1:])
    assert all(file.read_text().startswith("<svg") for file in files[1:])
    assert "# Study net" in text
    assert "no such <file>" in text  # in a block of code
    with pytest.raises(OptionError, match=r"\.html or \.md"):
        write(report(study.store), tmp_path / "r.pdf")


def hostile(folder: Path) -> SqliteStore:
    nasty = "<script>alert(1)</script>"
    asked = luthier.create(
        space={f"a|b{nasty}": luthier.Float(0, 1), "c": luthier.Choice(nasty, "`*_"),
               "sum": luthier.Float(0, 1, source=nasty)},
        minimize=f"loss&{nasty[:8]}", max_steps=4, trials=12, store=folder / "s.db",
        name=f"s{nasty}".replace("/", ""), policy="random",
    )  # fmt: skip
    for number in range(12):
        task = asked.ask()
        assert task is not None
        for step in range(1, 5):
            value = [1.0 / step + number, float("nan"), float("inf")][number % 3]
            asked.report(task, step, **{f"loss&{nasty[:8]}": value, f"x{nasty}": value})
        asked.tell(task, error=nasty if number == 4 else "")
    asked.close()
    return open_study(folder / "s.db").store


def test_everything_given_is_escaped_and_no_number_is_lost(tmp_path: Path) -> None:
    store = hostile(tmp_path)
    html = to_html(report(store))
    parsed = Texts(html)
    assert "script" not in parsed.tags
    assert "<script>alert(1)</script>" in parsed.text
    assert "nan" in parsed.text
    text, pictures = to_markdown(report(store), "p")
    outside_code = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert "<script" not in outside_code.replace("\\<script", "")
    for row in outside_code.splitlines():
        if row.startswith("| 0 |"):
            assert len(re.findall(r"(?<!\\)\|", row)) == 9
    assert not any("<script" in svg for svg in pictures.values())


def test_changes_with_their_verdicts(tmp_path: Path) -> None:
    params = {"lr": 0.1, "width": 4}
    store = tmp_path / "s.db"
    with luthier.start(params=params, minimize="loss", max_steps=40, store=store) as run:
        level = 1.0
        for step in run.steps():
            level *= 0.8 if run.params.lr < 0.05 else 0.98
            run.report(loss=level)
            if step == 20:
                open_study(store).run(0).change(because="too <fast>", lr=0.01)
            if step >= 20:
                time.sleep(0.05)  # time for the tuner to pass it on
    page = Texts(to_html(report(open_study(store).store))).text
    assert "human change ×1" in page
    assert "change lr 0.1 → 0.01 too <fast> helped: loss" in page
    assert "lr changed later" not in page  # the best step came after it


def test_an_empty_study_has_a_report(tmp_path: Path) -> None:
    luthier.create(space={"x": luthier.Float(0, 1)}, minimize="loss", store=tmp_path / "e.db",
                   trials=1).close()  # fmt: skip
    store = open_study(tmp_path / "e.db").store
    for lang, words in (("en", "No run has reported a number yet."), ("zh", "还没有任何运行")):
        assert words in Texts(to_html(report(store, lang))).text


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs a browser")
def test_a_browser_prints_it(study: StudyResult, tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text(to_html(report(study.store)), encoding="utf-8")
    pdf = tmp_path / "r.pdf"
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={pdf}",
         f"--user-data-dir={tmp_path / 'profile'}", str(tmp_path / "r.html")],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert pdf.read_bytes().startswith(b"%PDF")


def test_probes_of_the_autopilot_stand_apart(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("""
import luthier

class Model:
    def __init__(self, lr): self.w, self.param_groups = 1.0, [{"lr": lr}]
    def state_dict(self): return {"w": self.w, "lr": self.param_groups[0]["lr"]}
    def load_state_dict(self, state):
        self.w, self.param_groups[0]["lr"] = state["w"], state["lr"]

@luthier.tune(minimize="loss", max_steps=30, space={
    "lr": luthier.Float(1e-6, 1e3, log=True, prior=0.01, live=True)})
def train(run):
    model = Model(run.params.lr)
    run.attach(model=model)
    for _ in run.steps():
        model.w *= max(1.0 - model.param_groups[0]["lr"], -2.0)
        run.report(loss=model.w**2)
""")
    tunable = load_target(f"{tmp_path / 'job.py'}:train")
    result = tunable.search(trials=1, policy="autopilot", executor="inline", lint=False,  # type: ignore[attr-defined]
                            store=tmp_path / "a.db", name="a", workers=1)  # fmt: skip
    stopped = [run for run in result.view.runs.values() if run.state == "stopped"]
    assert stopped
    text = Texts(to_html(report(result.store))).text
    assert "The first 1 of 1 trials." in text
    assert f"Probes of the autopilot, {len(stopped)} of {len(stopped)}" in text
