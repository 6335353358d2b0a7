"""Any sampler of Optuna, on a study of Optuna's that is made anew from the view at each call.

Numbers are handed over as places in [0, 1] and choices as indices, so that options may be tuples;
parameters without their condition are left out; a result that is no number counts as the worst.
Samplers that keep notes on their own earlier trials (CMA-ES, NSGA, quasi-random, grid) are taken
through the whole history again, so that the notes exist.
"""

import base64
import importlib
import importlib.util
import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Choice
from luthier.core.errors import OptionError, UnknownNameError
from luthier.core.space import Space
from luthier.core.study import StudyView
from luthier.samplers.observed import observed

_PICKLED = "pickle:"
_WITH_NOTES = ("CmaEsSampler", "NSGAIISampler", "NSGAIIISampler", "QMCSampler", "GridSampler")


@final
@dataclass(frozen=True)
class Optuna:
    """`Optuna("TPESampler", {"multivariate": True})`, or `Optuna(some_optuna_sampler)`.

    An object is kept as its pickle, so that a study can be resumed with it. Its own seed gives way
    to the study's.
    """

    sampler: Any = "TPESampler"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if importlib.util.find_spec("optuna") is None:
            raise OptionError("the sampler optuna needs a package: pip install 'luthier[optuna]'.")
        if not isinstance(self.sampler, str):
            text = _PICKLED + base64.b64encode(pickle.dumps(self.sampler)).decode()
            object.__setattr__(self, "sampler", text)

    def suggest(
        self, view: StudyView, n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:  # (n, d)
        """Points asked for one after the other, each seeing those before as running."""
        space = view.study.space
        if not space.dimension:
            return np.empty((n, 0))
        with _quiet() as optuna:
            try:
                sampler = self._make()
                _reseed(sampler, rng)
                study = optuna.create_study(sampler=sampler)
                if type(sampler).__name__ in _WITH_NOTES:
                    _relive(study, view)
                else:
                    study.add_trials(_trials(view))
                return np.array([_ask(study, space) for _ in range(n)])
            except (TypeError, ValueError) as error:
                what = f"Optuna's {_name(self.sampler)} with {dict(self.options)}"
                raise OptionError(
                    f"{what} on {list(space.names)}: {str(error).rstrip('.')}; "
                    "expected options that this sampler takes, and that fit the space."
                ) from error

    def _make(self) -> Any:  # noqa: ANN401  an optuna sampler
        from optuna import samplers

        if self.sampler.startswith(_PICKLED):
            return pickle.loads(base64.b64decode(self.sampler[len(_PICKLED) :]))
        kind = getattr(samplers, self.sampler, None)
        if kind is None:
            known = sorted(name for name in samplers.__all__ if name.endswith("Sampler"))
            raise UnknownNameError(f"Optuna has no sampler {self.sampler!r}; it has {known}.")
        return kind(**self.options)


def _name(sampler: str) -> str:
    return "sampler" if sampler.startswith(_PICKLED) else sampler


def _trials(view: StudyView) -> list[Any]:
    from optuna.trial import TrialState, create_trial

    seen = observed(view)
    values = dict(zip(seen.numbers.tolist(), seen.finite_losses.tolist(), strict=True))
    kinds = _distributions(view.study.space)
    found = []
    for number, trial in view.trials.items():
        places = _places(view.study.space, trial.params)
        found.append(
            create_trial(
                params=places,
                distributions={name: kinds[name] for name in places},
                value=values.get(number),
                state=TrialState.COMPLETE if number in values else TrialState.RUNNING,
            )
        )
    return found


def _relive(study: Any, view: StudyView) -> None:  # noqa: ANN401
    """Ask again for every trial, put in its place what was really trained, and tell."""
    space = view.study.space
    seen = observed(view)
    values = dict(zip(seen.numbers.tolist(), seen.finite_losses.tolist(), strict=True))
    kinds = _distributions(space)
    for number, trial in view.trials.items():
        asked = study.ask()
        _suggest(asked, space)
        for name, place in _places(space, trial.params).items():
            inner = kinds[name].to_internal_repr(place)
            study._storage.set_trial_param(asked._trial_id, name, inner, kinds[name])
        if number in values:
            study.tell(asked, values[number])


def _ask(study: Any, space: Space) -> NDArray[np.float64]:  # noqa: ANN401
    return _suggest(study.ask(), space)


def _suggest(trial: Any, space: Space) -> NDArray[np.float64]:  # noqa: ANN401
    """One point, (d,); parameters are asked for once their conditions hold."""
    unit = space.to_unit(space.default())
    asked: set[str] = set()
    while waiting := [n for n in space.names if n in space.from_unit(unit) and n not in asked]:
        name = waiting[0]
        column, domain = space.names.index(name), space.domains[name]
        if isinstance(domain, Choice):
            k = len(domain.options)
            unit[column] = (trial.suggest_categorical(name, range(k)) + 0.5) / k
        else:
            unit[column] = trial.suggest_float(name, 0.0, 1.0)
        asked.add(name)
    return unit


def _places(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in space.names:
        if name in params:
            domain, place = space.domains[name], space.domains[name].to_unit(params[name])
            if isinstance(domain, Choice):
                place = int(place * len(domain.options))
            found[name] = place
    return found


def _distributions(space: Space) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    return {
        name: CategoricalDistribution(range(len(domain.options)))
        if isinstance(domain := space.domains[name], Choice)
        else FloatDistribution(0.0, 1.0)
        for name in space.names
    }


def _reseed(sampler: Any, rng: np.random.Generator) -> None:  # noqa: ANN401
    """Seed all generators of the sampler and of the samplers inside of it."""
    from optuna.samplers import BaseSampler
    from optuna.samplers._lazy_random_state import LazyRandomState

    for value in vars(sampler).values():
        if isinstance(value, LazyRandomState):
            value.rng.seed(int(rng.integers(2**31)))
        elif isinstance(value, BaseSampler):
            _reseed(value, rng)


@contextmanager
def _quiet() -> Iterator[Any]:
    """Optuna without its news of studies made and its notes on what is experimental."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield optuna
    finally:
        optuna.logging.set_verbosity(level)
