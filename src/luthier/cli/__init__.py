"""The command line: thin; what a command needs is imported when it runs, so that help is fast."""

import json
from pathlib import Path
from typing import Any

import click

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
@click.option("--policy", help="What trains next: asha, halving, full, or a sampler's name.")
@click.option("--sampler", default="random", show_default=True, help="Who proposes new points.")
@STORE
@click.option("--name", help="Name of the study; default: the script's, counted.")
@click.option("--seed", type=int, default=0, show_default=True, help="Makes it reproducible.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Fix a parameter.")
@click.option("--executor", type=click.Choice(["local", "inline"]), default="local")
@click.option("--memory-gb", type=float, help="Memory that a run may use.")
@click.option("--timeout", help="Time that a run may take at a stretch: 90s, 10m.")
@JSON
def tune(
    target: str,
    time_text: str | None,
    trials: int | None,
    steps: float | None,
    workers: int | None,
    policy: str | None,
    sampler: str,
    store: str,
    name: str | None,
    seed: int,
    settings: tuple[str, ...],
    executor: str,
    memory_gb: float | None,
    timeout: str | None,
    as_json: bool,
) -> None:
    """Search for the best parameters of a training function."""
    from luthier.cli.screen import watching
    from luthier.core.errors import TargetError
    from luthier.worker.target import load_target

    tunable = load_target(target)
    if not getattr(tunable, "is_luthier_tunable", False):
        raise TargetError(f"{target} is not under @luthier.tune(…); put it above the function.")
    with watching(quiet=as_json) as observe:
        result = tunable.search(
            time=time_text,
            trials=trials,
            steps=steps,
            workers=workers,
            policy=policy,
            sampler=sampler,
            store=store,
            name=name,
            seed=seed,
            fixed=dict(map(_setting, settings)),
            executor=executor,
            memory_gb=memory_gb,
            timeout=timeout,
            observe=observe,
        )
    _say_end(result, store, as_json)


@luthier.command()
@click.argument("study", required=False)
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
    """Go on with a study that was interrupted or killed; a new budget replaces the old one."""
    from luthier import api
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
    from luthier.cli.look import best_words

    result = api.open_study(store, study)
    click.echo(best_words(result, store, as_json=as_json))
    if folder:
        click.echo(f"exported to {result.best.export(folder)}", err=as_json)


@luthier.command()
@click.argument("what", metavar="[STUDY|TRIAL|STUDY/TRIAL]", required=False)
@STORE
def stop(what: str | None, store: str) -> None:
    """Ask the tuner to stop a trial, or the runs that train now."""
    from luthier import api

    study, trial = _study_and_trial(what)
    result = api.open_study(store, study)
    current = result.view.current()
    if trial is not None and trial not in current:
        from luthier.core.errors import StudyError

        raise StudyError(f"study {result.name!r} has no trial {trial}.")
    result.stop(current[trial].id if trial is not None else None)
    click.echo("asked; the runs stop at their next report")


@luthier.command()
@click.argument("code")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
def explain(code: str, lang: str) -> None:
    """Explain an error code."""
    from luthier.knowledge import explain as explained

    click.echo(explained(code, lang))


def _setting(text: str) -> tuple[str, Any]:
    from luthier.core.domain import as_tuple
    from luthier.core.errors import OptionError

    name, equals, value = text.partition("=")
    if not equals:
        raise OptionError(f"--set {text!r}; expected NAME=VALUE.")
    try:
        return name, as_tuple(json.loads(value))
    except ValueError:
        return name, value


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
