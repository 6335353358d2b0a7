"""The command line: thin; what a command needs is imported when it runs, so that help is fast."""

import os
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from luthier.cli.inspect import inspect
from luthier.cli.lint import lint
from luthier.cli.lr_find import lr_find
from luthier.cli.serve import page_beside, serve

STORE = click.option(
    "--store", type=click.Path(dir_okay=False), default="luthier.db", show_default=True,
    help="File that keeps the studies.",
)  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_TIME = click.option("--time", "time_text", help="Budget of time: 90s, 10m, 1h30m.")
_TRIALS = click.option("--trials", type=int, help="Budget of trials.")
_STEPS = click.option("--steps", type=float, help="Budget of training steps, all runs together.")
_WORKERS = click.option("--workers", type=int, help="Runs at a time; default: one per core.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="luthier", prog_name="luthier")
def luthier() -> None:
    """Tune deep networks: raise one run with care, or many side by side."""


@luthier.command()
@click.argument("target", metavar="SCRIPT[:FUNCTION]")
@_TIME
@_TRIALS
@_STEPS
@_WORKERS
@click.option(
    "--policy", help="What trains next: auto, asha, … (docs/policies.md), or a sampler's name."
)
@click.option(
    "--mode",
    type=click.Choice(["panda", "children", "caviar"]),
    help="One run nursed, a few raised in turn, or many compared; see luthier choose.",
)
@click.option(
    "--children", type=int, metavar="N", help="Raise N runs, each learning from the last."
)
@click.option("--sampler", default="random", show_default=True, help="Who proposes new points.")
@click.option("--stages", type=click.Choice(["none", "importance"]), default="none",
              help="importance: one tier of parameters after the other.")  # fmt: skip
@click.option("--nurse/--no-nurse", default=None,
              help="Anneal the best runs with the last of the budget, or never.")  # fmt: skip
@STORE
@click.option("--name", help="Name of the study; default: the script's, counted.")
@click.option("--seed", type=int, default=0, show_default=True, help="Makes it reproducible.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Fix a parameter.")
@click.option("--executor", type=click.Choice(["local", "inline"]), default="local")
@click.option("--memory-gb", type=float, help="Memory that a run may use.")
@click.option("--timeout", help="Time that a run may take at a stretch: 90s, 10m.")
@click.option("--disk-gb", type=float, help="Disk that all checkpoints together may use.")
@click.option("--gpus-per-run", type=float, help="2: two devices a run; 0.5: two runs a device.")
@click.option("--no-lint", is_flag=True, help="Start whatever the look beforehand finds.")
@click.option("--page", is_flag=True, help="Show it in the browser while it is tuned.")
@JSON
def tune(
    target: str,
    time_text: str | None,
    trials: int | None,
    steps: float | None,
    workers: int | None,
    policy: str | None,
    mode: str | None,
    children: int | None,
    sampler: str,
    stages: str,
    nurse: bool | None,
    store: str,
    name: str | None,
    seed: int,
    settings: tuple[str, ...],
    executor: str,
    memory_gb: float | None,
    timeout: str | None,
    disk_gb: float | None,
    gpus_per_run: float | None,
    no_lint: bool,
    page: bool,
    as_json: bool,
) -> None:
    """Search for the best parameters of a training function.

    With --time and without --policy, a short measurement of the script chooses how.
    """
    from luthier.cli.hand import setting
    from luthier.cli.screen import watching

    tunable = _tunable(target)
    with page_beside(store, wanted=page), watching(quiet=as_json) as observe:
        result = tunable.search(
            time=time_text,
            trials=trials,
            steps=steps,
            workers=workers,
            policy=policy,
            mode=mode,
            children=children,
            sampler=sampler,
            stages=stages,
            nurse=nurse,
            store=store,
            name=name,
            seed=seed,
            fixed=dict(map(setting, settings)),
            executor=executor,
            memory_gb=memory_gb,
            timeout=timeout,
            disk_gb=disk_gb,
            gpus_per_run=gpus_per_run,
            observe=observe,
            lint=not no_lint,
        )
    _say_end(result, store, as_json)


@luthier.command()
@click.argument("target", metavar="SCRIPT[:FUNCTION]")
@click.option("--time", "time_text", required=True, help="The budget to choose for: 90s, 10m.")
@_WORKERS
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Fix a parameter.")
@click.option("--gpus-per-run", type=float, help="2: two devices a run; 0.5: two runs a device.")
@click.option("--no-lint", is_flag=True, help="Start whatever the look beforehand finds.")
@JSON
def choose(
    target: str,
    time_text: str,
    workers: int | None,
    settings: tuple[str, ...],
    gpus_per_run: float | None,
    no_lint: bool,
    as_json: bool,
) -> None:
    """Measure a script, and say how tune would use the time: nothing is kept.

    Takes 3 % of the time at most, beside loading the script.
    """
    import json

    from luthier.cli.hand import setting

    choice = _tunable(target).choose(
        time_text, workers=workers, fixed=dict(map(setting, settings)), gpus_per_run=gpus_per_run,
        lint=not no_lint,
    )  # fmt: skip
    click.echo(json.dumps(choice) if as_json else "\n".join(choice["why"]))


@luthier.command()
@click.argument("study", metavar="[STUDY|RUN]", required=False)
@_TIME
@_TRIALS
@_STEPS
@_WORKERS
@STORE
@JSON
def resume(
    study: str | None,
    time_text: str | None,
    trials: int | None,
    steps: float | None,
    workers: int | None,
    store: str,
    as_json: bool,
) -> None:
    """Go on with a study that was interrupted or killed, or with one run that was paused.

    A new budget replaces the old one. RUN: a trial's number, or STUDY/TRIAL.
    """
    from luthier import api
    from luthier.cli.hand import resume_run, run_words

    if study is not None and (words := run_words(study)) is not None:
        resume_run(store, *words)
        return
    from luthier.cli.screen import watching
    from luthier.core.budget import Budget, parse_seconds

    budget = None
    if time_text is not None or trials is not None or steps is not None:
        budget = Budget(parse_seconds(time_text) if time_text else None, trials, steps)
    with watching(quiet=as_json) as observe:
        result = api.resume(store, study, workers=workers, budget=budget, observe=observe)
    _say_end(result, store, as_json)


@luthier.command(name="ls")
@STORE
@JSON
def list_command(store: str, as_json: bool) -> None:
    """List the studies of a store."""
    from luthier.cli.look import studies

    click.echo(studies(Path(store), as_json=as_json))


@luthier.command()
@click.argument("what", metavar="[STUDY|TRIAL|STUDY/TRIAL]", required=False)
@click.option("-n", "n_rows", type=int, default=20, show_default=True, help="Trials to list.")
@STORE
@JSON
def show(what: str | None, n_rows: int, store: str, as_json: bool) -> None:
    """Show a study with its best trials, or one trial with its curves and diary."""
    from luthier.cli.look import show_study, show_trial

    study, trial = _study_and_trial(what)
    if trial is None:
        click.echo(show_study(store, study, n_rows, as_json=as_json))
    else:
        click.echo(show_trial(store, study, trial, as_json=as_json))


@luthier.command()
@click.argument("study", required=False)
@click.option("--export", "folder", type=click.Path(file_okay=False), help="Copy the best here.")
@STORE
@JSON
def best(study: str | None, folder: str | None, store: str, as_json: bool) -> None:
    """Show the best trial and where its checkpoint is."""
    from luthier import api
    from luthier.cli.look import best_words, export_words

    result = api.open_study(store, study)
    click.echo(best_words(result, store, as_json=as_json))
    if folder:
        click.echo(export_words(result, result.best.export(folder)), err=as_json)


@luthier.command(name="what-if")
@click.argument("study", required=False)
@click.option("-n", "n_rows", type=int, default=10, show_default=True, help="Runs to list.")
@STORE
@JSON
def what_if_command(study: str | None, n_rows: int, store: str, as_json: bool) -> None:
    """Show what stopping early saved in a study, and what it may have cost."""
    from luthier import api
    from luthier.cli.what_if import print_balance, to_json
    from luthier.what_if import balance

    told = balance(api.open_study(store, study).store)
    click.echo(to_json(told)) if as_json else print_balance(told, n_rows)


luthier.add_command(inspect)
luthier.add_command(lint)
luthier.add_command(lr_find)
luthier.add_command(serve)


@luthier.command()
@click.argument("what", metavar="RUN|FILE")
@click.option(
    "--classes", type=click.IntRange(2), help="Number of classes, where the file does not tell."
)
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@STORE
@JSON
def diagnose(what: str, classes: int | None, lang: str, store: str, as_json: bool) -> None:
    """Say what is wrong with a run, or with curves in a CSV, JSON lines or TensorBoard file."""
    from luthier.cli.diagnose import diagnose_words

    click.echo(diagnose_words(what, store, as_json=as_json, lang=lang, n_classes=classes))


@luthier.command()
@click.argument("tables", metavar="TABLE…", nargs=-1, required=True)
@click.option("--policy", "policies", multiple=True, help="A policy's or sampler's name; repeat.")
@click.option("--budget-runs", type=float, default=10.0, show_default=True,
              help="Budget in full trainings.")  # fmt: skip
@click.option("--workers", type=int, default=1, show_default=True, help="Runs at a time.")
@click.option("--seeds", type=int, default=5, show_default=True, help="Repeats.")
@click.option("--first-seed", type=int, default=0, show_default=True, help="Seed of the first.")
@click.option("--prior", type=click.Path(exists=True, dir_okay=False), help="JSON or TOML.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Picture to write.")
@JSON
def simulate(
    tables: tuple[str, ...],
    policies: tuple[str, ...],
    budget_runs: float,
    workers: int,
    seeds: int,
    first_seed: int,
    prior: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Replay searches on stored learning curves.

    A TABLE is FOLDER/TASK, a FOLDER for all of its tasks, or the .db file of a finished study.
    """
    for library in ("OMP", "OPENBLAS", "MKL"):
        # small matrices: threads that wait for each other would only count as CPU time
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from luthier.cli.simulate import simulate_command

    simulate_command(tables, policies or ("freeze-thaw", "asha", "random"), budget_runs, workers,
                     seeds, first_seed, prior, output, as_json=as_json)  # fmt: skip


@luthier.command()
@click.argument("word", metavar="WORD", required=False)
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.option("--all", "everything", is_flag=True, help="Print every entry as one Markdown page.")
def explain(word: str | None, lang: str, everything: bool) -> None:
    """Explain a hyperparameter, a section of the chapter, an idea, or an error code.

    WORD is such as lr, dropout, 14.4, panda or E101, in English or Chinese.
    """
    if everything:
        from luthier.knowledge.page import everything as page

        click.echo(page(), nl=False)
        return
    if word is None:
        raise click.UsageError("which word? For example: luthier explain lr. Or --all.")
    from luthier.cli.explain import show

    show(word, lang)


@luthier.command()
@click.argument("target", metavar="[SCRIPT:BUILD]", required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="The script to write.")
@click.option("--optimizer", default="adamw", show_default=True, help="sgd, momentum, adamw, …")
@click.option("--family", help="mlp, cnn, rnn or transformer; default: seen from the model.")
@click.option("--fine-tuning", is_flag=True, help="The model is pretrained: lower rates.")
@click.option("--batch-size", type=int, help="Fix the batch size; the rate follows it.")
@click.option("--view", type=click.Choice(["modern", "chapter"]), default="modern")
def init(target: str | None, output: str | None, fine_tuning: bool, **case: Any) -> None:  # noqa: ANN401
    """Write a script that tunes a model, with the recommended space.

    BUILD is a function (or class) of SCRIPT that makes the model; without it the script tunes a
    small network on handwritten digits, as it stands.
    """
    from luthier.cli.starter import write

    path = write(target, Path(output) if output else None, fine_tuning=fine_tuning or None, **case)
    click.echo(f"wrote {path}; next: luthier tune {shlex.quote(str(path))} --time 2m")
    if "NotImplementedError" in path.read_text(encoding="utf-8"):
        click.echo("first fill in load(), which gives the data")


def _tunable(target: str) -> Any:  # noqa: ANN401
    from luthier.core.errors import TargetError
    from luthier.worker.target import load_target

    with redirect_stdout(sys.stderr):  # what the script prints is not the answer
        tunable = load_target(target)
    if not getattr(tunable, "is_luthier_tunable", False):
        raise TargetError(f"{target} is not under @luthier.tune(…); put it above the function.")
    return tunable


def _study_and_trial(what: str | None) -> tuple[str | None, int | None]:
    if what is None:
        return None, None
    study, slash, trial = what.rpartition("/")
    if trial.isdigit():
        return study or None, int(trial)
    return (what, None) if not slash else (study, None)


def _say_end(result: Any, store: str, as_json: bool) -> None:  # noqa: ANN401
    from luthier.cli.look import end_words

    click.echo(end_words(result, store, as_json=as_json))


def _add_families() -> None:
    from luthier.cli import exchange, hand, plot, report

    for command in (*hand.COMMANDS, *exchange.COMMANDS, *plot.COMMANDS, *report.COMMANDS):
        luthier.add_command(command)


_add_families()
