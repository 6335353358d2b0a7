"""Trials and curves as CSV or Parquet files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from luthier.contracts import Store
from luthier.core.domain import Choice, Value
from luthier.core.errors import OptionError
from luthier.core.study import StudyView
from luthier.frames import curves_frame, trials_frame


def write_tables(store: Store, folder: Path, form: str) -> list[Path]:
    """`trials` and `curves` (long form: trial, run, metric, step, value) in a folder."""
    return [
        write_trials(store.view(), folder / f"trials.{form}"),
        _write(curves_frame(store), folder / f"curves.{form}"),
    ]


def write_trials(view: StudyView, path: Path) -> Path:
    """One row per trial; options of a choice that differ in type are written as text."""
    frame = trials_frame(view)
    for name, domain in view.study.space.domains.items():
        column = f"params.{name}"
        mixed = isinstance(domain, Choice) and len({type(o) for o in domain.options}) > 1
        found = [run.params[name] for run in view.current().values() if name in run.params]
        if mixed or any(value is None or isinstance(value, tuple) for value in found):
            frame[column] = [_text(run.params, name) for run in view.current().values()]
    return _write(frame, path)


def _text(params: Mapping[str, Value], name: str) -> str | None:
    """A value as text, None by name; a parameter that the trial does not have stays empty."""
    return str(params[name]) if name in params else None


def _write(frame: Any, path: Path) -> Path:  # noqa: ANN401  pandas.DataFrame
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer: Callable[[], None] = (
            (lambda: frame.to_parquet(path, index=False))
            if path.suffix == ".parquet"
            # NaN by name: an empty cell would be a report that was never made
            else (lambda: _named(frame).to_csv(path, index=False))
        )
        writer()
    except ImportError as error:
        raise OptionError("Parquet needs a package: pip install 'luthier[arrow]'.") from error
    except OSError as error:
        raise OptionError(f"{path} cannot be written: {error}.") from error
    return path


def _named(frame: Any) -> Any:  # noqa: ANN401
    """NaN of reported values as text; cells that hold nothing stay empty."""
    named = frame.copy()
    if "value" in named:
        named["value"] = named["value"].astype(object).where(named["value"].notna(), "nan")
    return named
