"""Hands on runs: through the tuner, without one, on a plain script; the diary and the replay."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from luthier import api  # noqa: E402
from luthier.api import StudyResult, Tunable, load_checkpoint, open_study  # noqa: E402
from luthier.cli.hand import setting  # noqa: E402
from luthier.contracts import Store  # noqa: E402
from luthier.core.action import Action, Author, Continue, Plan, RollBack, Start  # noqa: E402
from luthier.core.errors import BusyError, OptionError  # noqa: E402
from luthier.core.ledger import Entry  # noqa: E402
from luthier.core.script import script_of  # noqa: E402
from luthier.core.study import RunState, StudyView  # noqa: E402
from luthier.handle import Ticket  # noqa: E402
from luthier.worker.lock import ProcessLock  # noqa: E402
from luthier.worker.target import load_target  # noqa: E402

SCRIPT = """
import os, time
import torch
from torch import nn
import luthier

X = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
Y = X.sum(1, keepdim=True)
DATA = torch.utils.data.TensorDataset(X, Y)

@luthier.tune(minimize="loss", max_steps=8, space={
    "lr": luthier.Float(1e-4, 1.0, log=True, prior=0.01, live=True),
    "dropout": luthier.Float(0.0, 0.9, prior=0.2, live=True),
    "clip": luthier.Float(0.1, 100.0, prior=10.0, live=True),
    "unread": luthier.Float(0.0, 1.0, prior=0.5, live=True),
    "width": luthier.Int(4, 64, prior=16)})
def train(run):
    p = run.params
    model = nn.Sequential(nn.Linear(8, p.width), nn.Dropout(p.dropout), nn.Linear(p.width, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=p.lr)
    loader = torch.utils.data.DataLoader(DATA, batch_size=8, shuffle=True)
    if os.environ.get("FOREIGN"):
        foreign = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: 0.99**n)
    run.attach(model=model, optimizer=optimizer, loader=loader)
    if not os.environ.get("FOREIGN"):
        run.schedule(optimizer, "linear")
    for _ in run.steps():
        for x, y in run.batches(loader):
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), run.params.clip)
            optimizer.step()
            time.sleep(float(os.environ.get("BATCH_S", "0")))
        run.report(loss=nn.functional.mse_loss(model(X), Y).item())
        if os.environ.get("FOREIGN"):
            foreign.step()

if __name__ == "__main__":
    print("returned", train(lr=0.02))
"""
POINT = {"lr": 0.01, "dropout": 0.2, "clip": 10.0, "unread": 0.5, "width": 16}
CHANGES: Plan = ((2.25, {"lr": 0.05}), (4.0, {"dropout": 0.5, "clip": 1.0}))


@dataclass(frozen=True, slots=True)
class Planned:
    """One run with changes at their steps, and a rollback at the end of a slice."""

    plan: Plan = ()
    back: tuple[float, float] | None = None  # at this step, to this one

    def decide(self, view: StudyView) -> Sequence[Action]:
        if not view.runs:
            to_step = self.back[0] if self.back else float("inf")
            return [Start(params=POINT, to_step=to_step, reason="test", plan=self.plan)]
        run = view.runs["0.0"]
        if self.back and run.state is RunState.PAUSED and run.step == self.back[0]:
            back = RollBack(run_id="0.0", to_step=self.back[1], reason="test")
            return [back, Continue(run_id="0.0", to_step=99, reason="test")]
        return []


@dataclass(frozen=True, slots=True)
class InTwo:
    """One run in two slices."""

    def decide(self, view: StudyView) -> Sequence[Action]:
        if not view.runs:
            return [Start(params=POINT, to_step=3, reason="test")]
        paused = view.runs["0.0"].state is RunState.PAUSED
        return [Continue(run_id="0.0", to_step=99, reason="test")] if paused else []


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "net.py"
    path.write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture(autouse=True)
def orders_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luthier.tuner._INBOX_S", 0.0)  # here; in other processes as ever


def search(script: Path, policy: object, **more: object) -> StudyResult:
    tunable = load_target(str(script))
    assert isinstance(tunable, Tunable)
    options: dict[str, Any] = {"trials": 1, "executor": "inline", "store": script.parent / "s.db"}
    return tunable.search(policy=policy, **{**options, **more})  # type: ignore[arg-type]


def weights(result: StudyResult, run_id: str) -> dict[str, Any]:
    last = result.view.runs[run_id].checkpoints[-1]
    path = result.store.paths.run(run_id).checkpoints / last.file
    return dict(load_checkpoint(path)["model"])


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_planned_changes_are_obeyed_at_their_batch_and_read_back(script: Path) -> None:
    result = search(script, Planned(CHANGES))
    run = result.view.runs["0.0"]
    assert run.state is RunState.COMPLETED
    _, first, second = result.store.diary()
    assert (first.state, first.step) == ("obeyed", 2.25)
    # the schedule has fallen by 2.25 of 8 steps, and the hand on the rate is on top of it
    assert first.before["lr"] == pytest.approx(0.01 * (1 - 2.25 / 8))
    assert first.read_back["lr"] == pytest.approx(0.05 * (1 - 2.25 / 8))
    assert (second.step, second.read_back["dropout"]) == (4.0, 0.5)
    assert (second.before["dropout"], second.before["clip"]) == (0.2, 10.0)
    assert run.params == {**POINT, "lr": 0.05, "dropout": 0.5, "clip": 1.0}
    kept = {c.kept: c.step for c in run.checkpoints if c.kept}
    assert kept == {f"before:{first.number}": 2.25, f"before:{second.number}": 4.0}


def test_replay_is_the_same_to_the_last_bit(script: Path) -> None:
    nursed = search(script, Planned(CHANGES))
    again, new_id = api.replay(script.parent / "s.db", None, "0.0")
    assert new_id == "0.1"
    assert same(weights(nursed, "0.0"), weights(again, "0.1"))
    curves = [again.store.metrics(run)["loss"].values for run in ("0.0", "0.1")]
    np.testing.assert_array_equal(*curves)
    other, third = api.replay(script.parent / "s.db", None, "0.0", seed=7)
    assert other.view.runs[third].seed == 7
    assert not same(weights(nursed, "0.0"), weights(other, third))


def test_a_replay_has_the_threads_that_the_run_had(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums over other numbers of threads differ in their last bits."""
    monkeypatch.setattr("luthier.executors.machine.n_cores", lambda: 6)
    told = 'threads=int(os.environ["OMP_NUM_THREADS"]), loss='
    script.write_text(SCRIPT.replace("loss=nn", f"{told}nn"))
    search(script, "full", executor="local", workers=2)
    result, new_id = api.replay(script.parent / "s.db", None, "0.0")
    seen = [set(result.store.metrics(run)["threads"].values) for run in ("0.0", new_id)]
    assert seen == [{3.0}, {3.0}]


def test_a_replay_is_not_asked_for_while_the_study_is_tuned(script: Path) -> None:
    result = search(script, Planned(CHANGES))
    lock = ProcessLock(result.store.paths.lock)
    assert lock.acquire()
    with pytest.raises(BusyError):
        api.replay(script.parent / "s.db", None, "0.0")
    lock.release()
    orders = result.store.paths.orders
    assert not orders.exists() or not list(orders.iterdir())


def test_rollback_and_redo_is_the_same_to_the_last_bit(script: Path) -> None:
    straight = search(script, Planned(CHANGES), name="straight")
    # to the middle of a step: the snapshot from before the first change, whose value is kept
    back = search(script, Planned(CHANGES, back=(6, 2.25)), name="back")
    diary = back.store.diary()
    assert [e.state for e in diary] == ["obeyed"] * len(diary)
    assert len(back.store.branches("0.0")) == 2
    assert back.store.branches("0.0")[0]["loss"].steps[-1] == 6
    replayed, new_id = api.replay(script.parent / "s.db", "back", "0.0")
    assert same(weights(back, "0.0"), weights(replayed, new_id))
    assert not same(weights(back, "0.0"), weights(straight, "0.0"))


def test_a_change_that_waited_behind_a_rollback_is_replayed(script: Path) -> None:
    plan: Plan = ((2.0, {"clip": 1.0}), (6.0, {"lr": 0.05}))
    back = search(script, Planned(plan, back=(4, 2.0)), name="back")
    view, diary = back.view, back.store.diary()
    assert [e.obeyed for e in diary] == [1, 2, 5, 3, 4], "the change at 6 came after the rollback"
    assert script_of(view, diary, "0.0") == ((2.0, {"clip": 1.0}), (6.0, {"lr": 0.05}))
    replayed, new_id = api.replay(script.parent / "s.db", "back", "0.0")
    assert same(weights(back, "0.0"), weights(replayed, new_id))


def test_a_mid_step_checkpoint_goes_on_exactly(script: Path) -> None:
    straight = search(script, Planned(((2.25, {"lr": 0.05}),)), name="straight")
    forked = open_study(script.parent / "s.db").run(0).fork(2.25, lr=0.05)
    api.resume(script.parent / "s.db", workers=1, by_hand=True)
    entry = forked.answer()
    assert entry is not None
    assert entry.state == "obeyed", entry.why
    result = open_study(script.parent / "s.db")
    assert result.view.runs[entry.run_id].state is RunState.COMPLETED
    assert same(weights(straight, "0.0"), weights(result, entry.run_id))


def test_a_foreign_scheduler_is_found_out(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREIGN", "1")
    result = search(script, Planned(((2.0, {"lr": 0.1}),)))
    change = result.store.diary()[1]
    assert change.state == "obeyed"
    assert "scheduler" in change.why


def test_what_would_do_nothing_is_refused(script: Path) -> None:
    result = search(script, Planned(((2.0, {"unread": 0.9}), (3.0, {"lr": 0.02}))))
    refused, obeyed = result.store.diary()[1:]
    assert refused.state == "refused"
    assert "run.params.unread" in refused.why
    assert obeyed.state == "obeyed"
    assert result.view.runs["0.0"].params["unread"] == 0.5


@contextmanager
def tuning(script: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "luthier", "tune", script.name, "--store", "s.db", *more]
    process = start(script, command)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def start(script: Path, command: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=script.parent, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )  # fmt: skip


def wait(there: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + 60
    while True:
        try:
            if there():
                return
        except Exception as error:
            what = f"{what}: {error}"[:500]
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)


def step_of(path: Path) -> float:
    runs = open_study(path).view.runs
    return max((run.step for run in runs.values() if run.active), default=0.0)


def luthier(script: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "luthier", *words, "--store", "s.db"],
        cwd=script.parent, text=True, capture_output=True, check=False,
    )  # fmt: skip


def test_two_terminals_at_once(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_S", "0.8")
    path = script.parent / "s.db"
    with tuning(script, "--trials", "1", "--workers", "1", "--policy", "full") as tuner:
        wait(lambda: step_of(path) >= 1, "the first step")
        commands = [["set", "0", "lr=0.03", "--because", "slow"], ["set", "0", "dropout=0.1"],
                    ["mark", "0", "good"]]  # fmt: skip
        both = [start(script, [sys.executable, "-m", "luthier", *words, "--store", "s.db"])
                for words in commands]  # fmt: skip
        said = [terminal.communicate(timeout=60) for terminal in both]
        assert all("obeyed at step" in out for out, _ in said), said
        wrong = luthier(script, "set", "0", "width=8")
        assert wrong.returncode == 1
        assert "may not change" in wrong.stderr
        assert luthier(script, "set", "0", "lr=9").returncode == 1
        back = luthier(script, "rollback", "0", "--to", "good", "lr=0.02")
        assert "obeyed" in back.stdout, back.stderr
        assert "obeyed" in luthier(script, "pause", "0", "--because", "lunch").stdout
        _, err = tuner.communicate(timeout=60)
        assert tuner.returncode == 0, err
    hand = open_study(path).run(0)
    assert (hand.run.state, hand.run.reason) == (RunState.PAUSED, "lunch")
    # without a tuner: at once, and for the next time it trains
    assert "obeyed" in luthier(script, "set", "0", "lr=0.005").stdout
    assert "obeyed" in luthier(script, "mark", "0", "table").stdout
    assert "mark: table" in hand.run.checkpoints[-1].kept.split(", ")
    monkeypatch.setenv("BATCH_S", "0")
    done = luthier(script, "resume", "0")
    assert done.returncode == 0, done.stderr
    run = hand.run
    assert run.state is RunState.COMPLETED
    assert run.params["lr"] == 0.005
    over = luthier(script, "set", "0", "lr=0.01")
    assert over.returncode == 1
    assert "has ended" in over.stderr
    pages = json.loads(luthier(script, "diary", "0", "--json").stdout)
    by_hand = [p for p in pages if p["author"] == "human"]
    assert [p["kind"] for p in by_hand].count("rollback") == 1
    slow = next(p for p in by_hand if p["reason"] == "slow")
    assert slow["state"] == "obeyed"
    assert slow["after"]["lr"] > slow["before"]["lr"]
    assert "lr" in luthier(script, "diary", "0", "--markdown").stdout
    toml = luthier(script, "diary", "0", "--as-schedule", "toml").stdout
    import tomllib

    assert tomllib.loads(toml)["change"][-1]["lr"] == 0.005
    names: dict[str, Any] = {}
    exec(luthier(script, "diary", "0", "--as-schedule", "python").stdout, names)
    assert names["changes_at"](tomllib.loads(toml)["change"][-1]["step"])["lr"] == 0.005


def test_a_plain_script_has_hands_on_it_too(script: Path) -> None:
    path = script.parent / "s.db"
    plain = start(script, [sys.executable, script.name], LUTHIER_STORE="s.db", BATCH_S="0.05")
    try:
        wait(lambda: step_of(path) >= 1, "the first step")
        hand = open_study(path).run(0)
        entry = hand.change(lr=0.004, because="steady").wait(30)
        assert entry is not None
        assert entry.state == "obeyed", entry.why
        assert hand.read_back["lr"] < 0.004
        stopped = hand.stop(because="enough").wait(30)
        assert stopped is not None
        assert stopped.state == "obeyed"
        out, err = plain.communicate(timeout=60)
    finally:
        plain.kill()
    assert plain.returncode == 0, err
    assert "returned None" in out
    run = hand.run
    assert (run.state, run.params["lr"]) == (RunState.STOPPED, 0.004)
    assert run.step < 8


BLOCK = """
import os, signal, sys, time
import luthier

class Counter:
    n = 0
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, state): self.n = state["n"]

counter = Counter()
with luthier.start(params={"lr": 0.1}, minimize="loss", max_steps=6, store="s.db",
                   name="block", resume="resume" in sys.argv) as run:
    run.attach(counter=counter)
    for step in run.steps():
        counter.n += 1
        assert counter.n == step
        run.report(loss=run.params.lr / step)
        if step == 3 and "fail" in sys.argv:
            raise RuntimeError("my own mistake")
        if step == 3 and "interrupt" in sys.argv:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)  # a step takes a while
print("out of the block", counter.n)
"""


def test_a_block_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(BLOCK)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "block.py", *words], cwd=tmp_path, text=True,
                              capture_output=True, check=False)  # fmt: skip

    done = run()
    assert "out of the block 6" in done.stdout, done.stderr
    assert open_study(tmp_path / "s.db", "block").view.runs["0.0"].state is RunState.COMPLETED
    again = run("resume")
    assert again.returncode == 1
    assert "no run that could go on" in again.stderr
    (tmp_path / "s.db").unlink()
    left = run("fail")
    assert "whose store is gone" in left.stderr  # files of the old study are not taken for new
    shutil.rmtree(tmp_path / "s.db.files")
    failed = run("fail")
    assert failed.returncode == 1
    assert "my own mistake" in failed.stderr
    found = open_study(tmp_path / "s.db", "block").view.runs["0.0"]
    assert found.state is RunState.FAILED
    assert "my own mistake" in found.error


def test_a_block_that_is_interrupted_is_saved_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(BLOCK)
    left = start(tmp_path / "block.py", [sys.executable, "block.py", "interrupt"])
    _, said = left.communicate(timeout=60)
    assert left.returncode == -signal.SIGINT, said
    assert said.startswith("\nPausing the run after its step")
    study = open_study(tmp_path / "s.db", "block")
    run = study.view.runs["0.0"]
    assert (run.state, run.step, run.latest and run.latest.step) == (RunState.PAUSED, 3, 3)
    assert not study.store.closed
    assert "luthier.start(…, name='block', resume=True)" in luthier(
        tmp_path / "block.py", "ls").stdout  # fmt: skip
    again = start(tmp_path / "block.py", [sys.executable, "block.py", "resume"])
    out, said = again.communicate(timeout=60)
    assert "out of the block 6" in out, said


@pytest.mark.parametrize("attached", [True, False])
def test_paused_and_resumed_in_one_breath(script: Path, attached: bool) -> None:
    """Who resumes does not have to wait until the run has left, nor for one that cannot leave."""
    from luthier.core.action import Pause
    from luthier.worker.inbox import post

    asked: list[str] = []
    if not attached:
        plain = re.sub(r"run\.(attach|schedule)\(.*\)", "pass", SCRIPT)
        script.write_text(plain.replace("run.batches(loader)", "loader"))

    def observe(store: Store, view: StudyView) -> None:
        run = view.runs.get("0.0")
        if run is not None and run.active and run.step >= 2 and not asked:
            wait = Pause(run_id="0.0", reason="wait", author=Author.HUMAN)
            go_on = Continue(run_id="0.0", to_step=99, reason="go on", author=Author.HUMAN)
            asked.extend(post(store.paths.orders, action) for action in (wait, go_on))

    result = search(script, "full", observe=observe)
    entries: list[Entry] = [e for e in result.store.diary() if e.action.author is Author.HUMAN]
    assert [(e.action.reason, e.state) for e in entries] == [
        ("wait", "obeyed" if attached else "refused"),
        ("go on", "obeyed"),
    ]
    assert entries[1].step is not None
    assert entries[1].step < 8
    assert result.view.runs["0.0"].state is RunState.COMPLETED


def test_what_is_asked_while_a_run_leaves_is_heard(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is to pause saves for a second; what it is told meanwhile it would not hear."""
    from luthier.core.action import Change, Mark, Pause
    from luthier.worker.inbox import post

    monkeypatch.setenv("BATCH_S", "0.03")
    slow = "run.attach(slow=Slow(), model=model"
    script.write_text(f"""{SCRIPT.replace("run.attach(model=model", slow)}
class Slow:
    def state_dict(self):
        time.sleep(1.0)
        return {{}}
    def load_state_dict(self, state):
        pass
""")
    who: Any = {"run_id": "0.0", "author": Author.HUMAN}
    orders: list[list[Action]] = [
        [Pause(reason="wait", **who)],
        [Change(params={"clip": 5.0}, reason="clip", **who), Mark(reason="mine", **who),
         Continue(to_step=99, reason="go on", **who)],
    ]  # fmt: skip

    def observe(store: Store, view: StudyView) -> None:
        run = view.runs.get("0.0")
        told = any(e.action.author is Author.HUMAN for e in view.diary)
        if orders and run is not None and run.active and (run.step if len(orders) == 2 else told):
            for action in orders.pop(0):
                post(store.paths.orders, action)

    result = search(script, "full", executor="local", observe=observe)
    entries: list[Entry] = [e for e in result.store.diary() if e.action.author is Author.HUMAN]
    assert [(e.state, e.why) for e in entries] == [("obeyed", "")] * 4
    assert result.view.runs["0.0"].params["clip"] == 5.0
    assert result.view.runs["0.0"].state is RunState.COMPLETED


@pytest.mark.parametrize("policy", ["asha", "full"])
def test_a_human_holds_a_run_of_a_policy(script: Path, policy: str) -> None:
    """ASHA pauses at its rungs; a run that is held trains on, and is handed back. What a policy
    sent to the end in one piece goes on to the end."""
    from luthier.core.action import Hold, Release
    from luthier.worker.inbox import post

    asked: list[str] = []

    def observe(store: Store, view: StudyView) -> None:
        run = view.runs.get("0.0")
        if run is None:
            return
        if not asked:
            asked.append("hold")
            post(store.paths.orders, Hold(run_id="0.0", reason="mine", author=Author.HUMAN))
        elif run.step >= 5 and run.active and "release" not in asked:
            asked.append("release")
            post(store.paths.orders, Release(run_id="0.0", reason="yours", author=Author.HUMAN))

    result = search(script, policy, observe=observe)
    entries: list[Entry] = [e for e in result.store.diary() if e.action.author is Author.HUMAN]
    assert [e.state for e in entries] == ["obeyed"] * len(asked)
    run = result.view.runs["0.0"]
    assert run.state is RunState.COMPLETED
    assert not run.held or "release" not in asked


def pause_at_2(store: Store, view: StudyView) -> None:
    from luthier.core.action import Pause
    from luthier.worker.inbox import post

    run = view.runs.get("0.0")
    if run is not None and run.active and run.step >= 2 and not store.paths.orders.exists():
        post(store.paths.orders, Pause(run_id="0.0", reason="lunch", author=Author.HUMAN))


def test_what_is_asked_while_the_executor_closes_is_done(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from luthier.core.action import Change
    from luthier.executors.inline import InlineExecutor
    from luthier.worker.inbox import post

    def close(self: InlineExecutor) -> None:
        monkeypatch.undo()
        change = Change(run_id="0.0", params={"lr": 0.004}, reason="late", author=Author.HUMAN)
        post(open_study(script.parent / "s.db").store.paths.orders, change)

    monkeypatch.setattr(InlineExecutor, "close", close)
    result = search(script, "full", observe=pause_at_2)
    assert [(e.action.reason, e.state) for e in result.store.diary()[1:]] == [
        ("lunch", "obeyed"), ("late", "obeyed"),
    ]  # fmt: skip
    assert result.view.runs["0.0"].params["lr"] == 0.004


def test_without_a_tuner_only_what_trains_waits(script: Path) -> None:
    search(script, "full", observe=pause_at_2)
    told = luthier(script, "fork", "0", "lr=0.02").stdout
    assert "waits for luthier resume net-1 --store s.db" in told
    assert "obeyed" in luthier(script, "set", "0", "lr=0.005").stdout
    wrong = luthier(script, "fork", "0", "lr=9")
    assert wrong.returncode == 1
    assert "lr" in wrong.stderr
    again = luthier(script, "pause", "0")
    assert again.returncode == 1
    assert "paused already" in again.stderr
    done = luthier(script, "resume", "0")
    assert done.stdout.splitlines()[-1] == "run 0.0: completed at step 8", done.stderr
    runs = open_study(script.parent / "s.db").view.runs
    assert [(run.state, run.params["lr"]) for run in runs.values()] == [
        (RunState.COMPLETED, 0.005), (RunState.COMPLETED, 0.02),
    ]  # fmt: skip
    assert [*runs] == ["0.0", "1.0"]
    for run in runs:  # a fork stands in both diaries, with what it changed
        told = luthier(script, "diary", run, "--markdown").stdout
        assert "| fork 0.0→1.0 lr 0.005→0.02 |" in told


def test_who_paused_a_run_is_told_how_it_goes_on(script: Path) -> None:
    search(script, "full", observe=pause_at_2)
    onward = "run 0.0 is paused; go on with: luthier resume net-1/0.0 --store s.db"
    assert onward in luthier(script, "resume").stdout
    assert onward in luthier(script, "ls").stdout
    luthier(script, "set", "0", "lr=0.005")
    same = luthier(script, "set", "0", "lr=0.005")
    assert same.returncode == 0, same.stderr
    assert luthier(script, "diary", "0", "--markdown").stdout.count("lr 0.005→0.005") == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=3e-4", 3e-4), ("a=true", True), ("a=True", True), ("a=None", None), ("a=(3, 1)", (3, 1)),
     ("a=[3,1]", (3, 1)), ("a=adam", "adam"), ("a=x=y", "x=y"), ("a=", "")],
)  # fmt: skip
def test_values_as_they_are_shown_or_in_json(text: str, value: object) -> None:
    assert setting(text) == ("a", value)


def test_a_run_without_checkpoints_is_forked_from_nothing(script: Path) -> None:
    plain = re.sub(r"run\.(attach|schedule)\(.*\)", "pass", SCRIPT)
    script.write_text(plain.replace("run.batches(loader)", "loader"))
    search(script, "full")
    assert "begins anew" in luthier(script, "fork", "0", "lr=0.02").stderr
    assert "waits" in luthier(script, "fork", "0", "--at", "0", "lr=0.02").stdout


def test_a_fork_that_waits_keeps_its_checkpoint(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCH_S", "0.02")
    forked: list[Ticket] = []

    def observe(store: Store, view: StudyView) -> None:
        run = view.runs.get("0.0")
        if not forked and run is not None and run.active and run.step >= 4:
            forked.append(open_study(script.parent / "s.db").run(0).fork(3, lr=0.02))

    result = search(script, InTwo(), observe=observe, workers=1, executor="local")
    entry = forked[0].answer()
    assert entry is not None
    assert entry.state == "obeyed", entry.why
    assert result.view.runs[entry.run_id].state is RunState.COMPLETED


@pytest.mark.parametrize("name", ["best", "5", "before:1", "a,b", " "])
def test_a_mark_that_nothing_could_find_is_refused(script: Path, name: str) -> None:
    result = search(script, "full", observe=pause_at_2)
    with pytest.raises(OptionError, match="expected a name"):
        result.run(0).mark(name)


def test_a_fork_that_would_train_nothing_is_refused(script: Path) -> None:
    search(script, "full")
    at_the_end = luthier(script, "fork", "0", "lr=0.02")
    assert at_the_end.returncode == 1
    assert "is the last of a training" in at_the_end.stderr
    assert "waits" in luthier(script, "fork", "0", "--at", "0", "lr=0.02").stdout


def test_a_spent_budget_does_not_bind_people(script: Path) -> None:
    result = search(script, "full", trials=2, steps=11)
    assert result.store.closed == "budget-end"
    assert result.view.runs["1.0"].state is RunState.PAUSED
    assert "waits" in luthier(script, "fork", "0", "--at", "0", "lr=0.02").stdout
    done = luthier(script, "resume", "1")
    assert done.stdout.splitlines()[-1] == "run 1.0: completed at step 8", done.stderr
    runs = open_study(script.parent / "s.db").view.runs
    assert [run.state for run in runs.values()] == [RunState.COMPLETED] * 3
