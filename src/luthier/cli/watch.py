"""One run on the screen: its curve, its live parameters, its diary; keys change it."""

import contextlib
import itertools
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

import plotext
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from luthier import api
from luthier.cli.diagnose import command, evidence_of
from luthier.cli.hand import obeyed_words, setting, unanswered_words
from luthier.cli.look import number
from luthier.cli.pages import cells_of
from luthier.core.errors import LuthierError
from luthier.core.short import step_words
from luthier.core.study import Run, RunState
from luthier.diagnosis import Remedy, diagnose
from luthier.diary import diary_of
from luthier.handle import RunHandle, Ticket
from luthier.knowledge.findings import finding_texts

_REFRESH_S, _DIAGNOSIS_S = 0.5, 10.0
_STEP = 1.5  # what one press of + or - does to the learning rate
_RATES = ("lr", "learning_rate")
_N_PAGES, _N_FINDINGS = 6, 3
_COLORS = ("orange+", "blue+", "green+", "magenta+")
_KEYS = "+ - rate  : set  p pause  m mark  b best  u undo  s stop  1 2 3 try  q quit"


def watch_run(store: str, hand: RunHandle) -> None:
    """Show the run until it ends or `q` is pressed; without a terminal, print it once."""
    console = Console()
    screen = _Screen(store, hand)
    if not (console.is_terminal and sys.stdin.isatty()):
        console.print(screen.draw(console.width, 24))
        return
    with _keys() as key, Live(console=console, auto_refresh=False, screen=True) as live:
        drawn_s = 0.0
        while not screen.done:
            pressed = key(0.1)
            if pressed:
                screen.press(pressed)
            if pressed or time.monotonic() - drawn_s >= _REFRESH_S:
                drawn_s = time.monotonic()
                live.update(screen.draw(console.width, console.height), refresh=True)
    console.print(screen.draw(console.width, 24))


@final
class _Screen:
    def __init__(self, store: str, hand: RunHandle) -> None:
        self.done = False
        self._store = store
        self._hand = hand
        self._typed: str | None = None  # a line being typed after ":"
        self._said = ""
        self._ticket: Ticket | None = None
        self._sure = False  # the second s stops
        self._findings: list[tuple[str, Remedy | None]] = []  # in short, and what could be done
        self._looked_at: tuple[float, RunState] | None = None
        self._looked_s = 0.0

    def press(self, pressed: str) -> None:
        """One key."""
        if self._typed is not None:
            self._type(pressed)
            return
        sure, self._sure = self._sure, False
        try:
            match pressed:
                case "q" | "\x03":
                    self.done = True
                case ":":
                    self._typed = ""
                case "+" | "=":
                    self._turn(_STEP)
                case "-":
                    self._turn(1 / _STEP)
                case "p":
                    active = self._hand.run.active
                    self._ask(self._hand.pause() if active else self._hand.resume())
                case "m":
                    self._ask(self._hand.mark("watched"))
                case "b":
                    self._ask(self._hand.roll_back("best"))
                case "u":
                    self._undo()
                case "1" | "2" | "3":
                    self._apply(int(pressed) - 1)
                case "s" if sure:
                    self._ask(self._hand.stop())
                case "s":
                    self._sure, self._said = True, "press s once more to end the run for good"
        except LuthierError as error:
            self._said = str(error)

    def draw(self, width: int, height: int) -> RenderableType:
        """The picture as things stand."""
        study = api.open_study(self._store, self._hand.study)
        run, store = study.view.runs[self._hand.id], study.store
        sign = store.study.loss(1.0)
        self._hear()
        head = Text(f"{study.name}  run {run.id}  {run.state.value}", style="bold")
        head.append(f"  step {run.step:g}", style="cyan")
        head.append(f"/{store.study.max_steps}" if store.study.max_steps else "")
        if len(run.own_curve):
            best, at = number(sign * run.best_loss), step_words(run.best_step)
            head.append(f"  {store.study.metric} {number(sign * run.curve.last)}")
            head.append(f"  best {best} at {at}")
        head.append("  held by you" if run.held else "", style="magenta")
        self._diagnose(run)
        pages = diary_of(store, run.id)[-_N_PAGES:]
        diary = Table(box=None, padding=(0, 1), show_header=False, expand=True)
        for width_of in (3, 14, 5, 6):
            diary.add_column(no_wrap=True, min_width=width_of)
        for _ in range(3):
            diary.add_column(overflow="ellipsis", no_wrap=True, ratio=1)
        for page in pages:
            diary.add_row(*map(Text, cells_of(page, store.study.metric, sign)))
        plot_height = max(8, height - len(pages) - len(self._findings) - 9)
        return Group(
            head,
            Text.from_ansi(_plot(study, run, width - 2, plot_height)),
            Text("live      " + _values(run)),
            Text("saved at  " + " ".join(f"{c.step:g}" for c in run.checkpoints[-12:])),
            *(
                Text(f"{i} {words}", style="red", no_wrap=True, overflow="ellipsis")
                for i, (words, _) in enumerate(self._findings, start=1)
            ),
            diary,
            Text(f":{self._typed}▏" if self._typed is not None else self._said, style="yellow"),
            Text(_KEYS, style="dim", no_wrap=True, overflow="ellipsis"),
        )

    def _diagnose(self, run: Run) -> None:
        """The first alarms; looked for when there is something new, and now and then: a run that
        stalls has nothing new."""
        fresh = time.monotonic() - self._looked_s < _DIAGNOSIS_S
        if fresh and self._looked_at == (run.step, run.state):
            return
        self._looked_at, self._looked_s = (run.step, run.state), time.monotonic()
        evidence, hand = evidence_of(f"{self._hand.study}/{self._hand.id}", self._store)
        self._findings = []
        for finding in [f for f in diagnose(evidence) if f.is_alarm][:_N_FINDINGS]:
            params, live = self._hand.params, hand.live if hand else frozenset()
            able = [r for r in finding.remedies
                    if r.name in params and r.name in live and r.target(params)]  # fmt: skip
            told = f"  try {command(able[0], evidence.known_params, None)}" if able else ""
            name = finding_texts()[finding.id].name
            words = f"{finding.id} {name}, {finding.confidence:.0%}, from step {finding.onset:g}"
            self._findings.append((words + told, able[0] if able else None))

    def _apply(self, index: int) -> None:
        remedy = self._findings[index][1] if index < len(self._findings) else None
        if remedy is None:
            self._said = "no remedy of that number"
            return
        value = remedy.target(self._hand.params)
        because = self._findings[index][0].partition(",")[0]
        self._ask(self._hand.change(because=because, **{remedy.name: value}))

    def _type(self, pressed: str) -> None:
        assert self._typed is not None
        if pressed in ("\x1b", "\x03"):
            self._typed = None
        elif pressed in ("\r", "\n"):
            line, self._typed = self._typed, None
            words, _, because = line.partition("#")
            try:
                params = dict(map(setting, words.split()))
                self._ask(self._hand.change(because=because.strip() or "watched", **params))
            except LuthierError as error:
                self._said = str(error)
        elif pressed in ("\x7f", "\b"):
            self._typed = self._typed[:-1]
        elif pressed.isprintable():
            self._typed += pressed

    def _turn(self, factor: float) -> None:
        params = self._hand.params
        name = next((name for name in _RATES if name in params), None)
        if name is None:
            self._said = f"no parameter called {' or '.join(_RATES)}; type : and NAME=VALUE"
            return
        self._ask(self._hand.change(because="watched", **{name: params[name] * factor}))

    def _undo(self) -> None:
        changes = [e for e in self._hand.diary() if e.state == "obeyed"
                   and type(e.action).__name__ == "Change"]  # fmt: skip
        if not changes:
            self._said = "no change to undo"
            return
        self._ask(self._hand.roll_back(f"before:{changes[-1].number}", because="undone"))

    def _ask(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._said = "asked …" if ticket.is_heard() else unanswered_words(ticket)

    def _hear(self) -> None:
        entry = self._ticket.answer() if self._ticket else None
        if entry is not None and entry.state != "asked":
            refused = entry.state == "refused"
            self._said = f"refused: {entry.why}" if refused else obeyed_words(entry)
            self._ticket = None


def _values(run: Run) -> str:
    found = {**run.params, **run.read_back}
    return "  ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in found.items()
        if value != ""  # nothing is frozen
    )


def _plot(study: api.StudyResult, run: Run, width: int, height: int) -> str:
    """Every curve of the objective and those beside it, with a line where something was done."""
    metrics = study.store.metrics(run.id)
    objective = study.store.study.metric
    shown = [n for n in metrics if n == objective or _beside(n, objective)]
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, height)
    for name, color in zip(shown, itertools.cycle(_COLORS)):
        curve = metrics[name]
        points = [(s, v) for s, v in zip(curve.steps, curve.values, strict=True) if v == v]
        points = [(float(s), float(v)) for s, v in points if abs(v) != float("inf")]
        if points:
            steps, values = [s for s, _ in points], [v for _, v in points]
            plotext.plot(steps, values, label=name, marker="braille", color=color)
    for entry in study.store.diary():
        kind = type(entry.action).__name__
        if entry.run_id == run.id and entry.step and kind in ("Change", "RollBack"):
            plotext.vline(entry.step, "red" if kind == "RollBack" else "blue")
    return str(plotext.build())


def _beside(name: str, objective: str) -> bool:
    """Whether two metrics share an axis: train_loss and val_loss do."""
    return name.rpartition("_")[2] == objective.rpartition("_")[2] and "/" not in name


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Single keys from the terminal, which is put back as it was."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)

    def key(timeout_s: float) -> str:
        ready, _, _ = select.select([fd], [], [], timeout_s)
        return os.read(fd, 1).decode(errors="replace") if ready else ""

    try:
        tty.setcbreak(fd)
        yield key
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSADRAIN, before)
