"""Curves as TensorBoard event files, a folder per run, with the parameters for its HParams page.

TensorBoard keeps whole steps and single precision; what that loses is told.
"""

from pathlib import Path
from typing import Any

from luthier.contracts import Store
from luthier.core.curve import Curve
from luthier.core.errors import OptionError
from luthier.core.study import Run


def write_events(store: Store, folder: Path) -> tuple[list[Path], str]:
    """The files written, and what was lost."""
    try:
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError as error:
        raise OptionError("event files need it: pip install 'luthier[tensorboard]'.") from error
    written = []
    n_between = 0
    for run in store.view().runs.values():
        path = folder / run.id / "events.out.tfevents.0.luthier"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("wb")
        except OSError as error:
            raise OptionError(f"{path} cannot be written: {error}.") from error
        with file:
            writer = RecordWriter(file)
            writer.write(_event(file_version="brain.Event:2").SerializeToString())
            writer.write(_event(summary=_parameters(run)).SerializeToString())
            for name, curve in store.metrics(run.id).items():
                n_between += _write_curve(writer, name, curve)
        written.append(path)
    told = f"{n_between} reports from between two steps were left out" if n_between else ""
    return written, told


def _write_curve(writer: Any, name: str, curve: Curve) -> int:  # noqa: ANN401
    """Write the reports at whole steps; how many were not at one."""
    from tensorboard.compat.proto import summary_pb2

    left_out = 0
    for step, value in zip(curve.steps.tolist(), curve.values.tolist(), strict=True):
        if step != int(step):
            left_out += 1
            continue
        point = summary_pb2.Summary.Value(tag=name, simple_value=value)
        summary = summary_pb2.Summary(value=[point])
        writer.write(_event(step=int(step), summary=summary).SerializeToString())
    return left_out


def _event(**fields: Any) -> Any:  # noqa: ANN401
    from tensorboard.compat.proto import event_pb2

    return event_pb2.Event(wall_time=0.0, **fields)


def _parameters(run: Run) -> Any:  # noqa: ANN401
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb  # `api` needs TensorFlow

    simple = (bool, int, float, str)
    params = {name: v if isinstance(v, simple) else str(v) for name, v in run.params.items()}
    return hparams_pb(params, trial_id=run.id, start_time_secs=0.0)
