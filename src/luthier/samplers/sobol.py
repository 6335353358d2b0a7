"""Points that fill the cube more evenly than chance: a scrambled Sobol sequence."""

import warnings
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import StudyView


@final
@dataclass(frozen=True, slots=True)
class Sobol:
    """Trial number k is the k-th point of the sequence that the study's seed scrambles."""

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (n, d)
        """The next points of the sequence."""
        from scipy.stats import qmc

        dimension = view.study.space.dimension
        if dimension == 0:
            return np.empty((n, 0))
        sequence = qmc.Sobol(dimension, scramble=True, rng=view.study.rng(0))
        if view.trials:  # SciPy 1.17 cannot skip zero points
            sequence.fast_forward(len(view.trials))
        with warnings.catch_warnings():
            # balance holds for powers of two; a study stops where its budget ends
            warnings.simplefilter("ignore", UserWarning)
            return np.asarray(sequence.random(n), dtype=np.float64)
