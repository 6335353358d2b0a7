"""What every sampler must do."""

import math
from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np
import pytest

from luthier.contracts import Sampler
from luthier.core.curve import Curve
from luthier.core.domain import Choice, Float, Int
from luthier.core.space import Space, make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial

SPACES = {
    "mixed": make_space(
        {"lr": Float(1e-4, 1, log=True), "n": Int(1, 64, log=True), "k": Choice((7, 1), (3, 3))}
    ),
    "conditional": make_space(
        {
            "optimizer": Choice("sgd", "adam"),
            "momentum": Float(0, 0.99, when={"optimizer": "sgd"}),
            "lr": Float(1e-5, 1, log=True, prior=1e-3),
        }
    ),
    "one": make_space({"x": Float(-1, 1)}),
}


class SamplerContract(ABC):
    """Inherit, and give the sampler in `make`."""

    @abstractmethod
    def make(self) -> Sampler:
        """A sampler that has not been used."""

    @pytest.mark.parametrize("space", SPACES)
    @pytest.mark.parametrize("n_trials", [0, 1, 40])
    def test_points_in_the_cube(self, space: str, n_trials: int) -> None:
        """Rows of the right shape within [0, 1], and the same when asked again."""
        view = picture(SPACES[space], n_trials)
        for n in (1, 7):
            rows = self.make().suggest(view, n, np.random.default_rng(1))
            again = self.make().suggest(view, n, np.random.default_rng(1))
            assert rows.shape == (len(rows), SPACES[space].dimension)
            assert len(rows) <= n
            assert ((rows >= 0) & (rows <= 1)).all()
            np.testing.assert_array_equal(rows, again)

    def test_nothing_is_kept_between_calls(self) -> None:
        """What was asked before does not matter, only the picture."""
        used = self.make()
        views = [picture(SPACES["mixed"], n) for n in (30, 3)]
        used.suggest(views[0], 3, np.random.default_rng(5))
        np.testing.assert_array_equal(
            used.suggest(views[1], 3, np.random.default_rng(2)),
            self.make().suggest(views[1], 3, np.random.default_rng(2)),
        )

    def test_diverged_and_unfinished_runs(self) -> None:
        """Trials without a number, and trials that have not reported, do no harm."""
        view = picture(SPACES["mixed"], 12)
        runs = {
            run.id: replace(run, curve=Curve(run.curve.steps, np.full(9, math.nan)))
            if run.trial % 2
            else replace(run, state=RunState.RUNNING, curve=Curve())
            for run in view.runs.values()
        }
        rows = self.make().suggest(replace(view, runs=runs), 3, np.random.default_rng(1))
        assert np.isfinite(rows).all()


def picture(space: Space, n_trials: int, max_steps: int = 9) -> StudyView:
    """A study with so many finished trials, whose losses fall to a bowl around the middle."""
    rng = np.random.default_rng(7)
    trials, runs = {}, {}
    for number in range(n_trials):
        unit = rng.random(space.dimension)
        point = space.from_unit(unit)
        trials[number] = Trial(number, point)
        steps = np.arange(1.0, max_steps + 1)
        losses = np.sum((unit - 0.5) ** 2) + 1 / steps
        runs[f"{number}.0"] = Run(
            f"{number}.0", number, point, max_steps, state=RunState.COMPLETED, step=max_steps,
            curve=Curve(steps, losses), reason="done",
        )  # fmt: skip
    return StudyView(Study("s", space, "loss", max_steps=max_steps), trials, runs, 2, 2)
