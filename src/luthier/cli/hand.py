"""Hands on a run: set, pause, rollback, fork, mark, hold, release, stop; its diary, its replay."""

import ast
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from luthier.core.ledger import Entry
    from luthier.handle import RunHandle, Ticket

_STORE = click.option(
    "--store", type=click.Path(dir_okay=False), default="luthier.db", show_default=True,
    help="File that keeps the studies.",
)  # fmt: skip
_BECAUSE = click.option("--because", default="", help="Why; it is kept in the diary.")
_WAIT = click.option(
    "--wait", "wait_s", type=float, default=60.0, show_default=True,
    help="Seconds to wait for the answer; 0: do not wait.",
)  # fmt: skip
_SILENT_S = 2.0  # how long nothing is said of waiting
_RUN = click.argument("run", metavar="[STUDY/]TRIAL[.ATTEMPT]")


@click.command(name="set")
@_RUN
@click.argument("settings", nargs=-1, required=True, metavar="NAME=VALUE…")
@click.option("--at", "at_step", type=float, help="When the run reaches this step.")
@_BECAUSE
@_WAIT
@_STORE
def set_command(
    run: str,
    settings: tuple[str, ...],
    at_step: float | None,
    because: str,
    wait_s: float,
    store: str,
) -> None:
    """Change live parameters of a run: lr, momentum, dropout, …"""
    params = dict(map(setting, settings))
    _answer(
        handle(store, run).change(because=because, at_step=at_step, **params),
        wait_s if at_step is None else 0.0,
    )


@click.command()
@_RUN
@_BECAUSE
@_WAIT
@_STORE
def pause(run: str, because: str, wait_s: float, store: str) -> None:
    """Save a run after the step under way, and free its place."""
    _answer(handle(store, run).pause(because=because), wait_s)


@click.command()
@_RUN
@click.option("--to", "to", required=True, metavar="STEP|best|before:ACTION|MARK")
@click.argument("settings", nargs=-1, metavar="[NAME=VALUE…]")
@_BECAUSE
@_WAIT
@_STORE
def rollback(
    run: str, to: str, settings: tuple[str, ...], because: str, wait_s: float, store: str
) -> None:
    """Go back to a checkpoint and train on from there.

    Live parameters keep their values, but for those given; with before:7 they are those from before
    action 7 of the diary.
    """
    params = dict(map(setting, settings))
    _answer(handle(store, run).roll_back(to, because=because, **params), wait_s)


@click.command()
@_RUN
@click.option("--at", "at", default="latest", show_default=True, metavar="STEP|best|MARK")
@click.argument("settings", nargs=-1, metavar="[NAME=VALUE…]")
@_BECAUSE
@_WAIT
@_STORE
def fork(
    run: str, at: str, settings: tuple[str, ...], because: str, wait_s: float, store: str
) -> None:
    """Start another run from a checkpoint, with changes."""
    params = dict(map(setting, settings))
    _answer(handle(store, run).fork(at, because=because, **params), wait_s)


@click.command()
@_RUN
@click.argument("name", default="here")
@_WAIT
@_STORE
def mark(run: str, name: str, wait_s: float, store: str) -> None:
    """Keep a checkpoint of a run as it is now, under a name."""
    _answer(handle(store, run).mark(name), wait_s)


@click.command()
@_RUN
@_BECAUSE
@_WAIT
@_STORE
def hold(run: str, because: str, wait_s: float, store: str) -> None:
    """Take a run out of the policy's hands; it trains on."""
    _answer(handle(store, run).hold(because=because), wait_s)


@click.command()
@_RUN
@_BECAUSE
@_WAIT
@_STORE
def release(run: str, because: str, wait_s: float, store: str) -> None:
    """Hand a run back to the policy."""
    _answer(handle(store, run).release(because=because), wait_s)


@click.command()
@click.argument("what", metavar="[STUDY|[STUDY/]TRIAL[.ATTEMPT]]", required=False)
@_BECAUSE
@_WAIT
@_STORE
def stop(what: str | None, because: str, wait_s: float, store: str) -> None:
    """End a run for good, or all runs of a study that train now."""
    if what is not None and run_words(what) is not None:
        _answer(handle(store, what).stop(because=because), wait_s)
        return
    from luthier import api
    from luthier.core.short import counted

    n_asked = api.open_study(store, what).stop(because=because)
    asked = f"asked of {counted(n_asked, 'run')}, which stop at their next report"
    click.echo(asked if n_asked else "nothing trains")


@click.command()
@_RUN
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
@click.option("--as-schedule", type=click.Choice(["toml", "python"]), help="Only the changes.")
@_STORE
def diary(run: str, as_json: bool, markdown: bool, as_schedule: str | None, store: str) -> None:
    """Who changed what, when and why, and what came of it."""
    from luthier.cli.pages import diary_json, diary_markdown, diary_table, schedule

    hand = handle(store, run)
    if as_schedule:
        click.echo(schedule(store, hand, as_schedule))
    elif as_json:
        click.echo(json.dumps(diary_json(store, hand)))
    elif markdown:
        click.echo(diary_markdown(store, hand))
    else:
        diary_table(store, hand)


@click.command()
@_RUN
@click.option("--seed", type=int, help="Another seed; default: the one it had.")
@_STORE
def replay(run: str, seed: int | None, store: str) -> None:
    """Train a run again from nothing, with the same changes at the same steps."""
    from luthier import api
    from luthier.cli.pages import replay_words
    from luthier.cli.screen import watching

    hand = handle(store, run)
    with watching(quiet=False) as observe:
        result, new_id = api.replay(store, _study(run), hand.id, seed=seed, observe=observe)
    click.echo(replay_words(result, hand.id, new_id))


@click.command()
@_RUN
@_STORE
def watch(run: str, store: str) -> None:
    """Watch one run: its curve, live parameters, diary; keys change it."""
    from luthier.cli.watch import watch_run

    watch_run(store, handle(store, run))


COMMANDS = (set_command, pause, rollback, fork, mark, hold, release, stop, diary, replay, watch)


def handle(store: str, run: str) -> "RunHandle":
    """The run that is meant by `[STUDY/]TRIAL[.ATTEMPT]`."""
    from luthier import api
    from luthier.core.errors import OptionError

    words = run_words(run)
    if words is None:
        raise OptionError(f"{run!r} is no run; expected [STUDY/]TRIAL[.ATTEMPT], such as 3 or 3.1.")
    study, name = words
    return api.open_study(store, study).run(name)


def run_words(text: str) -> tuple[str | None, str] | None:
    """Study and run of `[STUDY/]TRIAL[.ATTEMPT]`; None when it is something else."""
    study, _, run = text.rpartition("/")
    trial, dot, attempt = run.partition(".")
    if not trial.isdigit() or (dot and not attempt.isdigit()):
        return None
    return study or None, run


def resume_run(store: str, study: str | None, run: str) -> None:
    """Train one paused run on: by its tuner, or by a tuner of its own where there is none."""
    from luthier import api
    from luthier.cli.screen import watching
    from luthier.core.study import RunState
    from luthier.worker.lock import ProcessLock

    found = api.open_study(store, study)
    hand = found.run(run)
    ticket = hand.resume()
    tuned = ProcessLock(found.store.paths.lock).owner() is not None
    if tuned or ticket.answer() is not None or not found.store.recipe.get("target"):
        _answer(ticket, 60.0)
        return
    with watching(quiet=False) as observe:
        api.resume(store, found.name, workers=1, by_hand=True, observe=observe)
    entry, now = ticket.answer(), hand.run
    if entry is None or entry.state != "obeyed":
        _answer(ticket, 0.0)
    again = "paused again" if now.state is RunState.PAUSED else now.state.value
    click.echo(f"run {now.id}: {again} at step {now.step:g}")


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE; the value as JSON or as Python writes it where it is either, else as text."""
    from luthier.core.domain import as_tuple
    from luthier.core.errors import OptionError

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise OptionError(f"{text!r}; expected NAME=VALUE.")
    for read in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError):
            return name, as_tuple(read(value))
    return name, value


def _study(run: str) -> str | None:
    words = run_words(run)
    return words[0] if words else None


def _answer(ticket: "Ticket", wait_s: float) -> None:
    entry = ticket.wait(min(wait_s, _SILENT_S))
    if entry is None and wait_s > _SILENT_S and ticket.is_heard():
        click.echo("asked; waiting for its tuner …", err=True)
        entry = ticket.wait(wait_s - _SILENT_S)
    if entry is None:
        click.echo(unanswered_words(ticket))
    elif entry.state == "refused":
        click.echo(f"refused: {entry.why}", err=True)
        sys.exit(1)
    else:
        click.echo(obeyed_words(entry))


def obeyed_words(entry: "Entry") -> str:
    """That an action was obeyed, where, and the values read back."""
    words = f"obeyed at step {entry.step:g}" if entry.step is not None else "obeyed"
    asked = getattr(entry.action, "params", {})
    for name, value in asked.items():
        found = entry.read_back.get(name)
        words += f"; {name} = {found} (read back)" if found is not None else f"; {name} = {value}"
    if entry.run_id != getattr(entry.action, "run_id", ""):
        words += f"; the new run is {entry.run_id}"
    return words


def unanswered_words(ticket: "Ticket") -> str:
    """What an action waits for."""
    if not ticket.is_heard() and ticket.answer() is None:
        from luthier.cli.look import where_of

        how = ticket.onward(where_of(str(ticket.path)))
        return f"asked; nobody tunes the study, so it waits for {how}" if how else (
            "asked; but the study is imported, and nobody can train it here")  # fmt: skip
    return ("asked; it has not been answered yet: a change for a later step waits for that, "
            "a fork and a resume for a free place (the diary will tell)")  # fmt: skip
