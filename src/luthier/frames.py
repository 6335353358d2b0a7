"""Trials and curves as tables."""

from typing import Any

from luthier.contracts import Store
from luthier.core.study import StudyView


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
            view.study.metric: sign * run.curve.best_loss,
            "best_step": run.curve.best_step,
            "train_s": run.train_s,
            "reason": run.reason,
            **{f"params.{name}": run.params.get(name) for name in view.study.space.domains},
        }
        for run in view.current().values()
    ]
    return pd.DataFrame(rows)


def curves_frame(store: Store) -> Any:  # noqa: ANN401  pandas.DataFrame
    """All reports in long form: trial, run, metric, step, value (NaN and infinities kept)."""
    import pandas as pd

    parts = [
        pd.DataFrame(
            {
                "trial": run.trial,
                "run": run.id,
                "metric": name,
                "step": curve.steps,
                "value": curve.values,
            }
        )
        for run in store.view().runs.values()
        for name, curve in store.metrics(run.id).items()
    ]
    columns = ["trial", "run", "metric", "step", "value"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
