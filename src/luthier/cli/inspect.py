"""`luthier inspect`: what a model is made of, in tables."""

import json
import shutil
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from luthier.inspect.summary import Summary

_CATEGORIES = ("network", "optimization", "regularization")


@click.command()
@click.argument("target", metavar="SCRIPT:BUILD")
@click.option("--depth", type=int, default=1, show_default=True, help="Of the blocks counted.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def inspect(target: str, depth: int, as_json: bool) -> None:
    """Show what a model is made of: counts, sharing, kernels, memory, FLOPs, hyperparameters.

    BUILD is a function or object of the script: a model, (model, batch), or a mapping with model
    and any of batch, loss, optimizer, scheduler, loader. The model is run on copies.
    """
    from luthier.cli.lint import examine
    from luthier.core.errors import TargetError
    from luthier.inspect.summary import summarize

    case, missing = examine(target)
    if case.subject.model is None:
        raise TargetError(f"{target} gave no model: {missing}; name a function that makes one.")
    summary = summarize(case, depth)
    if as_json:
        click.echo(json.dumps(summary.to_json()))
    else:
        _print(summary)


def _print(summary: "Summary") -> None:
    from rich.console import Console

    console = Console(width=min(120, shutil.get_terminal_size((100, 24)).columns), highlight=False)
    learned = summary.n_trainable + summary.n_buffers
    counts = (_count(n) for n in (summary.n_trainable, summary.n_frozen, summary.n_buffers))
    trainable, frozen, buffers = counts
    console.print(f"[bold]{summary.name}[/bold]: {trainable} trainable, {frozen} frozen, "
                  f"{buffers} in buffers")  # fmt: skip
    console.print(_blocks(summary))
    if summary.error:
        console.print(f"the model could not be run: {summary.error}", style="red", markup=False)
    elif summary.noise:
        console.print(
            f"no batch was given: the model ran on noise of {summary.noise}", style="yellow"
        )
    elif summary.memory is None:
        console.print(
            "without a batch, and none could be guessed: no kernels, placement, memory or FLOPs",
            style="yellow",
        )
    parts = {
        "shared weights": _sharing(summary),
        "kernels": _kernels(summary),
        "normalization and dropout": _placements(summary),
        _step_words(summary): _memory(summary),
        "hyperparameters found": _knobs(summary),
    }
    for title, table in parts.items():
        if table.row_count:
            console.print(f"\n[bold]{title}[/bold]")
            console.print(table)
    console.print(f"learned from data: {_count(learned)} numbers ({trainable} by gradients, "
                  f"{buffers} in buffers); set by a person: the hyperparameters above")  # fmt: skip


def _table(*columns: str) -> Any:  # noqa: ANN401
    """A table; a column named with `>` at its front is one of numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        number = column.startswith(">")
        table.add_column(
            column.removeprefix(">"),
            justify="right" if number else "left",
            no_wrap=number,
            overflow="fold",
        )
    return table


def _blocks(summary: "Summary") -> Any:  # noqa: ANN401
    flops = summary.operations.by_module if summary.operations else {}
    table = _table("block", "kind", ">trainable", ">frozen", ">buffers", ">calls", ">FLOPs")
    for block in summary.blocks:
        table.add_row(
            block.path,
            block.kind,
            _count(block.n_trainable),
            _count(block.n_frozen),
            _count(block.n_buffers),
            "-" if block.n_calls is None else str(block.n_calls),
            _count(flops[block.path]) if block.path in flops else "-",
        )
    return table


def _sharing(summary: "Summary") -> Any:  # noqa: ANN401
    from luthier.core.short import counted

    table = _table("how", "where", ">weights", ">factor", "detail")
    others = [s for s in summary.sharing if s.how != "convolution"]
    convolutions = [s for s in summary.sharing if s.how == "convolution"]
    for one in others:
        table.add_row(one.how, one.path, _count(one.n_weights), _factor(one.factor), one.detail)
    if convolutions:
        n = sum(s.n_weights for s in convolutions)
        dense = sum(s.n_weights * s.factor for s in convolutions)
        most = max(convolutions, key=lambda s: s.factor)
        table.add_row(
            "convolution",
            counted(len(convolutions), "layer"),
            _count(n),
            _factor(dense / n),
            f"dense layers between the same maps would need {_count(dense)} weights",
        )
        table.add_row(
            "convolution", most.path, _count(most.n_weights), _factor(most.factor), most.detail
        )
    return table


def _kernels(summary: "Summary") -> Any:  # noqa: ANN401
    table = _table("layer", "kind", ">kernel", ">stride", ">receptive field", ">output stride",
        ">map",
    )  # fmt: skip
    for k in summary.kernels:
        kernel = _size(k.kernel)
        kernel += f" /{_size(k.dilation)}" if set(k.dilation) != {1} else ""
        kernel += f" g{k.groups}" if k.groups > 1 else ""
        field = "all" if k.receptive_field is None else _size(k.receptive_field)
        table.add_row(
            k.path, k.kind, kernel, _size(k.stride), field, _size(k.output_stride), _size(k.map)
        )
    return table


def _placements(summary: "Summary") -> Any:  # noqa: ANN401
    table = _table("reads", "layer", "read by", ">times", "first")
    for p in summary.placements:
        table.add_row(p.before, p.layer, p.after, str(p.count), p.first or "-")
    return table


def _step_words(summary: "Summary") -> str:
    memory, operations = summary.memory, summary.operations
    if memory is None or operations is None:
        return ""
    return (
        f"a training step: {_bytes(memory.total_bytes(0))} for weights, gradients and "
        f"{memory.optimizer}; {_bytes(memory.activation_bytes_per_example)} and "
        f"{_flops(operations.training_flops)} per example, of which "
        f"{_flops(operations.forward_flops)} forward"
    )


def _memory(summary: "Summary") -> Any:  # noqa: ANN401
    table = _table(">batch", ">memory", ">FLOPs")
    if summary.memory is not None and summary.operations is not None:
        for n in summary.batch_sizes:
            flops = _count(n * summary.operations.training_flops)
            table.add_row(str(n), _bytes(summary.memory.total_bytes(n)), flops)
    return table


def _knobs(summary: "Summary") -> Any:  # noqa: ANN401
    table = _table("category", "name", "value", "where")
    for category in _CATEGORIES:
        for knob in summary.knobs:
            if knob.category == category:
                table.add_row(category, knob.name, knob.value, knob.where)
    return table


def _count(number: float) -> str:
    """Three digits and a prefix: 25.6 M."""
    for unit, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 10_000 and number >= unit:
            return f"{number / unit:.3g} {prefix}"
    return f"{number:.0f}"


def _flops(number: float) -> str:
    """With a unit: 25.6 MFLOPs, 36 FLOPs."""
    digits, _, prefix = _count(number).partition(" ")
    return f"{digits} {prefix}FLOPs"


def _bytes(number: float) -> str:
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= limit:
            return f"{number / limit:.3g} {unit}"
    return f"{number:.0f} B"


def _factor(number: float) -> str:
    return f"x{number:.3g}" if number < 1000 else f"x{number:,.0f}"


def _size(sizes: tuple[float, ...]) -> str:
    """One number where all axes agree."""
    shown = [f"{size:g}" for size in sizes]
    return shown[0] if len(set(shown)) == 1 else "x".join(shown)
