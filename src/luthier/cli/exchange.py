"""`luthier import` and `luthier export`: in from other tools, and out to them."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from luthier.exchange.optuna_study import Imported

_STORE = click.option(
    "--store", type=click.Path(dir_okay=False), default="luthier.db", show_default=True,
    help="File that keeps the studies.",
)  # fmt: skip
_FORMATS = ("csv", "parquet", "tensorboard")


@click.group(name="import")
def import_group() -> None:
    """Bring in studies of other tools."""


@import_group.command()
@click.argument("place", metavar="URL|FILE")
@click.option("--study", help="Only this study; default: all of them.")
@click.option("--name", help="Another name for it here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@_STORE
def optuna(place: str, study: str | None, name: str | None, as_json: bool, store: str) -> None:
    """Bring in studies of an Optuna storage: sqlite:///FILE, another URL, or a journal file."""
    from luthier.exchange.optuna_study import import_optuna

    _say(import_optuna(place, Path(store), study, name), store, as_json)


@import_group.command(name="csv")
@click.argument("table", type=click.Path(dir_okay=False), metavar="FILE.csv")
@click.option("--minimize", metavar="METRIC", help="The column to compare by, lower is better …")
@click.option("--maximize", metavar="METRIC", help="… or higher is better.")
@click.option("--params", default="", metavar="A,B,…",
              help="Columns that are parameters; default: params.*, config/*, ….")  # fmt: skip
@click.option("--name", default="", help="Name of the study; default: the file's, counted.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@_STORE
def csv_command(
    table: str,
    minimize: str | None,
    maximize: str | None,
    params: str,
    name: str,
    as_json: bool,
    store: str,
) -> None:
    """Bring in a table with a row per run, as W&B, MLflow, Ray and others export."""
    from luthier.core.study import metric_and_goal
    from luthier.exchange.csv_study import import_csv

    metric, goal = metric_and_goal(minimize, maximize)
    columns = [column.strip() for column in params.split(",") if column.strip()]
    imported = import_csv(Path(table), Path(store), metric, goal, columns, name)
    _say([imported], store, as_json)


def _say(imported: "list[Imported]", store: str, as_json: bool) -> None:
    if as_json:
        rows = [{"study": i.name, "trials": i.n_trials, "told": i.told} for i in imported]
        click.echo(json.dumps(rows))
        return
    from luthier.cli.look import where_of

    for one in imported:
        click.echo(f"{one.name}: {one.n_trials} trials")
        for words in one.told:
            click.echo(f"  {words}")
    click.echo(f"next: luthier show {shlex.quote(imported[0].name)}{where_of(store)}")


@click.command()
@click.argument("study", required=False)
@click.option("-o", "--output", required=True, type=click.Path(),
              help="Folder; or a .csv or .parquet file, for the trials alone.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Default: csv.")
@_STORE
def export(study: str | None, output: str, form: str | None, store: str) -> None:
    """Write trials and curves for other tools: CSV, Parquet, TensorBoard event files."""
    from luthier import api
    from luthier.core.errors import OptionError
    from luthier.exchange.tables import write_tables, write_trials

    path = Path(output)
    if path.suffix not in ("", ".csv", ".parquet") and not path.is_dir():
        raise OptionError(f"-o {path}; expected a folder, or a file of .csv or .parquet.")
    result = api.open_study(store, study)
    if path.suffix in (".csv", ".parquet") and not path.is_dir():
        if form not in (None, path.suffix[1:]):
            raise OptionError(f"-o {path} --format {form}; expected a folder for {form}.")
        written, told = [write_trials(result.view, path)], ""
    elif form == "tensorboard":
        from luthier.exchange.tensorboard import write_events

        written, told = write_events(result.store, path)
    else:
        written, told = write_tables(result.store, path, form or "csv"), ""
    many = len(written) > 4
    click.echo(f"wrote {len(written)} files into {path}" if many else
               "\n".join(f"wrote {file}" for file in written))  # fmt: skip
    if told:
        click.echo(told)


COMMANDS = (import_group, export)
