"""`luthier report`: a study as one file."""

from pathlib import Path

import click

_STORE = click.option(
    "--store", type=click.Path(dir_okay=False), default="luthier.db", show_default=True,
    help="File that keeps the studies.",
)  # fmt: skip


@click.command()
@click.argument("study", required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False), default="report.html",
              show_default=True, help="FILE.html, or FILE.md with pictures beside it.")  # fmt: skip
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@_STORE
def report(study: str | None, output: str, lang: str, store: str) -> None:
    """Write what a study asked, found and cost into one file to read, send or print."""
    from luthier import api
    from luthier import report as pages
    from luthier.core.short import counted

    files = pages.write(pages.report(api.open_study(store, study).store, lang), Path(output))
    beside = f" and {counted(len(files) - 1, 'picture')}" if files[1:] else ""
    click.echo(f"wrote {files[0]}{beside}")


COMMANDS = (report,)
