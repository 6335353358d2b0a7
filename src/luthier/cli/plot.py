"""`luthier plot`: pictures of a study or a run."""

from pathlib import Path
from typing import Any

import click

_STORE = click.option(
    "--store", type=click.Path(dir_okay=False), default="luthier.db", show_default=True,
    help="File that keeps the studies.",
)  # fmt: skip


@click.command()
@click.argument("kind", type=click.Choice(["curves", "importance", "parallel", "diary"]))
@click.argument("what", metavar="[STUDY|STUDY/RUN]", required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False), required=True,
              help="FILE.png, FILE.svg or FILE.pdf.")  # fmt: skip
@_STORE
def plot(kind: str, what: str | None, output: str, store: str) -> None:
    """Draw curves, importance, parallel coordinates, or the diary of a run.

    curves of STUDY/RUN shows all metrics of that run; diary without a run is that of the best.
    """
    from luthier import api
    from luthier.cli.hand import run_words
    from luthier.core.errors import OptionError
    from luthier.plots.figure import save

    words = run_words(what) if what else None
    study, run = words if words else (what, None)
    result = api.open_study(store, study)
    if run is not None and kind in ("importance", "parallel"):
        raise OptionError(f"plot {kind} {what!r}; expected a study: a run alone has none.")
    run_id = result.run(run).id if run is not None else None

    def draw() -> Any:  # noqa: ANN401  matplotlib.figure.Figure
        if kind == "importance":
            from luthier.plots.importance import importance

            return importance(result.store)
        if kind == "parallel":
            from luthier.plots.parallel import parallel

            return parallel(result.store)
        if kind == "diary":
            from luthier.plots.diary import diary

            return diary(result.store, run_id or result.best.run.id)
        from luthier.plots.curves import run_curves, study_curves

        return run_curves(result.store, run_id) if run_id else study_curves(result.store)

    save(draw, Path(output))
    click.echo(f"wrote {output}")


COMMANDS = (plot,)
