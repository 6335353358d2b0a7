"""How much of a study's budget is gone."""

from luthier.core.study import StudyView


def spent_share(view: StudyView) -> float | None:
    """The share of the budget of time or steps that is gone; None where neither is limited."""
    budget, shares = view.study.budget, []
    if budget.time_s is not None:
        shares.append(view.elapsed_s / budget.time_s)
    if budget.n_steps is not None:
        runs = view.runs.values()
        trained = sum(run.step - (run.parent.step if run.parent else 0.0) for run in runs)
        shares.append(trained / budget.n_steps)
    return max(shares, default=None)
