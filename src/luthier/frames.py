"""Trials and curves as tables."""

from collections.abc import Iterator
from typing import Any

from luthier.contracts import Store
from luthier.core.study import StudyView

COLUMNS = ("trial", "run", "metric", "step", "value")


def trials_frame(view: StudyView) -> Any:  # noqa: ANN401  pandas.DataFrame
    """One row per trial: number, state, steps, best metric and its step, then the parameters."""
    import pandas as pd

    sign = view.study.loss(1.0)
    rows = [
        {
            "trial": run.trial,
            "run": run.id,
            "state": run.state.value,
            "step": run.step,
            view.study.metric: sign * run.best_loss,
            "best_step": run.best_step,
            "train_s": run.train_s,
            "reason": run.reason,
            **{f"params.{name}": run.params.get(name) for name in view.study.space.domains},
        }
        for run in view.results().values()
    ]
    return pd.DataFrame(rows)


def curves_frame(store: Store) -> Any:  # noqa: ANN401  pandas.DataFrame
    """All reports in long form: trial, run, metric, step, value (NaN and infinities kept)."""
    import pandas as pd

    parts = [pd.DataFrame(columns) for columns in _curves(store)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def curves_arrow(store: Store) -> Any:  # noqa: ANN401  pyarrow.Table
    """The same as an Arrow table; run and metric are dictionary-encoded."""
    import pyarrow as pa

    word = pa.dictionary(pa.int32(), pa.string())
    types = (pa.int64(), word, word, pa.float64(), pa.float64())
    schema = pa.schema(zip(COLUMNS, types, strict=True))
    chunks = []
    for columns in _curves(store):
        n = len(columns["step"])
        repeated = [pa.repeat(columns[name], n) for name in COLUMNS[:3]]
        arrays = [*repeated, pa.array(columns["step"]), pa.array(columns["value"])]
        cast = [array.cast(kind) for array, kind in zip(arrays, types, strict=True)]
        chunks.append(pa.Table.from_arrays(cast, schema=schema))
    return pa.concat_tables(chunks) if chunks else schema.empty_table()


def _curves(store: Store) -> Iterator[dict[str, Any]]:
    for run in store.view().runs.values():
        for name, curve in store.metrics(run.id).items():
            head = (run.trial, run.id, name)
            yield dict(zip(COLUMNS, (*head, curve.steps, curve.values), strict=True))
