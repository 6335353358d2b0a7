"""`luthier lr-find`: the range test of a script, as a plot, as words, as a picture."""

import json
import math
import os
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

_RATES = ("lr", "learning_rate")
_WIDTH, _HEIGHT = 78, 18


@click.command(name="lr-find")
@click.argument("target", metavar="SCRIPT[:FUNCTION]")
@click.option("--from", "low", type=float, default=1e-7, show_default=True, help="First rate.")
@click.option("--to", "high", type=float, default=10.0, show_default=True, help="Last rate.")
@click.option("--steps", "n_steps", type=int, default=100, show_default=True, help="Batches.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a parameter.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Makes it reproducible."
)
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Picture to write.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def lr_find(
    target: str,
    low: float,
    high: float,
    n_steps: int,
    settings: tuple[str, ...],
    seed: int,
    output: str | None,
    as_json: bool,
) -> None:
    """Find a learning rate: train some batches at growing rates, and look at the losses.

    The script's own loop runs, at the default point or at what --set says; nothing is kept of it.
    """
    from luthier.plots.figure import check_name

    if output:
        check_name(Path(output))
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")  # as every run trains
    from luthier.cli.hand import setting
    from luthier.core.errors import TargetError
    from luthier.worker import rng
    from luthier.worker.range_test import range_test
    from luthier.worker.target import load_target

    with redirect_stdout(sys.stderr):  # what the script prints is not the answer
        tunable = load_target(target)
        if not getattr(tunable, "is_luthier_tunable", False):
            raise TargetError(f"{target} is not under @luthier.tune(…); put it above the function.")
        space = tunable.space
        params = space.cast({**space.defaults(), **dict(map(setting, settings))})
        rng.seed_everything(seed)
        found = range_test(tunable.function, params, low=low, high=high, n_steps=n_steps,
                           max_steps=tunable.max_steps)  # fmt: skip
    name = next((rate for rate in _RATES if rate in space.domains), None)
    if as_json:
        click.echo(json.dumps(_to_json(found)))
    else:
        click.echo(_plot(found))
        click.echo(words(found, target, name, space))
    if output:
        draw(found, target, Path(output))
        click.echo(f"wrote {output}", err=as_json)


def words(found: Any, target: str, name: str | None, space: Any) -> str:  # noqa: ANN401
    """What was found, and what to do with it; `name` is the rate's in the space, if it has one."""
    n = len(found.losses)
    if found.diverged_at is None:
        end = f"{n} batches up to lr {found.lrs[-1]:.2g}; the loss did not diverge"
    else:
        end = f"{n} batches; the loss diverged at lr {found.diverged_at:.2g}"
    if found.advised is None:
        return f"{end}\nno reliable answer: {found.why_not}"
    rows = [f"  {kind:12} {lr:.2g}" for kind, lr in found.suggestions.items()]
    if found.diverged_at is not None:
        rows.append(f"  {'keep below':12} {found.diverged_at / 2:.2g}  (half of where it diverged)")
    if not found.agree:
        rows.append("  these differ by more than a factor of ten: look at the plot, or try another "
                    "--seed, or more --steps")  # fmt: skip
    return "\n".join([end, *rows, *_use(found, target, name, space)])


def _use(found: Any, target: str, name: str | None, space: Any) -> list[str]:  # noqa: ANN401
    """The command that trains with the rate, and the line for the script's space."""
    from luthier.core.domain import Float
    from luthier.core.errors import PointError

    lr = found.advised
    if name is None:
        return [f"set the rate to {lr:g}; the space has no lr or learning_rate of its own"]
    domain = space.domains[name]
    lines = []
    try:
        domain.cast(lr)
        lines.append(
            f"train with it   luthier tune {shlex.quote(target)} --set {name}={lr:g} --time 5m"
        )
    except PointError:
        lines.append(f"{lr:g} is not in the script's {name}: {domain}; widen it")
    high = min(lr * 10.0, found.diverged_at or math.inf)
    live = ", live=True" if domain.live else ""
    line = f'"{name}": luthier.{Float(_two(lr / 10), _two(high), log=True)}'
    lines.append(f"search near it  {line[:-1]}, prior={lr:g}{live}),")
    return lines


def _two(value: float) -> float:
    return float(f"{value:.2g}")


def _to_json(found: Any) -> dict[str, Any]:  # noqa: ANN401
    """NaN and infinities by name: JSON has no such numbers."""
    losses = [loss if math.isfinite(loss) else str(loss) for loss in found.losses]
    return {
        "advised": found.advised,
        "suggestions": found.suggestions,
        "diverged_at": found.diverged_at,
        "why_not": found.why_not,
        "lrs": list(found.lrs),
        "losses": losses,
        "smooth": list(found.smooth),
    }


def _plot(found: Any) -> str:  # noqa: ANN401
    """The losses over the logarithm of the rate, in characters."""
    import plotext

    points = [(math.log10(lr), loss) for lr, loss in zip(found.lrs, found.losses, strict=True)]
    points = [(x, y) for x, y in points if math.isfinite(y)]
    smooth = [(math.log10(lr), y) for lr, y in zip(found.lrs, found.smooth, strict=False)]
    if not points:
        return "no finite loss to plot"
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(_WIDTH, _HEIGHT)
    plotext.scatter([x for x, _ in points], [y for _, y in points], marker="dot", color="gray")
    plotext.plot([x for x, _ in smooth], [y for _, y in smooth], marker="braille", color="blue+",
                 label="loss, smoothed")  # fmt: skip
    if found.advised is not None:
        plotext.vline(math.log10(found.advised), "green")
    low, high = math.floor(points[0][0]), math.ceil(points[-1][0])
    ticks = list(range(low, high + 1))
    plotext.xticks(ticks, [f"1e{tick}" for tick in ticks])
    plotext.ylim(*_window(found))
    return str(plotext.build())


def _window(found: Any) -> tuple[float, float]:  # noqa: ANN401
    """Lowest and highest loss worth showing: what diverges goes out of the picture."""
    smooth = [y for y in found.smooth if math.isfinite(y)]
    low, start = min(smooth), smooth[0]
    room = max(start - low, 0.1 * abs(start), 1e-9)
    return low - 0.1 * room, max(start, low) + 0.5 * room


def draw(found: Any, target: str, path: Path) -> None:  # noqa: ANN401
    """Write the picture: losses, smoothed losses, suggestions, and where it diverged."""
    from luthier.plots.figure import save

    save(lambda: _picture(found, target), path)


def _picture(found: Any, target: str) -> Any:  # noqa: ANN401  matplotlib.figure.Figure
    from luthier.plots.figure import figure

    drawn = figure(7.5, 4.2)
    panel = drawn.subplots()
    panel.plot(found.lrs, found.losses, ".", color="0.7", label="loss of each batch")
    panel.plot(found.lrs[: len(found.smooth)], found.smooth, color="C0", label="smoothed")
    lines = ("--", "-.", ":")
    for index, (kind, lr) in enumerate(found.suggestions.items()):
        panel.axvline(lr, color=f"C{index + 1}", linestyle=lines[index % 3],
                      label=f"{kind}: {lr:.2g}")  # fmt: skip
    if found.diverged_at is not None:
        panel.axvline(found.diverged_at, color="black", label=f"diverged: {found.diverged_at:.2g}")
    panel.set_xscale("log")
    powers = range(math.floor(math.log10(found.lrs[0])), math.ceil(math.log10(found.lrs[-1])) + 1)
    # matplotlib's own ticks are formulas
    panel.set_xticks([10.0**power for power in powers], [f"1e{power}" for power in powers])
    panel.set_xticks([], minor=True)
    panel.set_ylim(*_window(found))
    panel.set_xlabel("learning rate")
    panel.set_ylabel("training loss")
    panel.set_title(
        f"range test of {Path(target).name}" + (": no reliable answer" if found.why_not else "")
    )
    panel.legend(fontsize=8)
    return drawn
