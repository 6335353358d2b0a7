"""What a run does by itself: it follows courses, skips batches, averages weights, saves."""

import math
import pickle
from collections.abc import Iterator, Mapping
from typing import Any, final

from luthier.core.course import AVERAGE, NEAR, SAVE, SKIP, SUFFIX, Points, factor_at, is_skipped
from luthier.core.domain import Value
from luthier.core.errors import PointError
from luthier.worker.average import Average
from luthier.worker.live import Live
from luthier.worker.position import Position


@final
class Autonomy:
    """The courses of one run and the factors they stand at; see `luthier.core.course`."""

    def __init__(self, live: Live, average: Average, given: Mapping[str, Value]) -> None:
        self._live = live
        self._average = average
        self._given = dict(given)
        self.factors: dict[str, float] = {}  # in force, by parameter
        self._n_given = 0  # batches that the loop got in the step under way …
        self._newest: Any = None  # … and the last of all

    def take(self, given: Mapping[str, Value]) -> None:
        """Courses, batches to skip and the like from now on."""
        self._given |= given

    @property
    def save_every(self) -> float:
        """Steps after which a checkpoint is due; infinite when nobody asked."""
        return float(self._given.get(SAVE, 0.0)) or math.inf

    def check(self, given: Mapping[str, Value]) -> None:
        """PointError where nothing could follow such courses."""
        for name in given:
            parameter = name.removesuffix(SUFFIX)
            if name == AVERAGE and given[name] and not self._average.possible:
                raise PointError(
                    "nothing attached has weights that could be averaged; attach the model: "
                    "run.attach(model=model)."
                )
            if name.endswith(SUFFIX) and self._live.knob(parameter) is None:
                raise PointError(
                    f"nothing attached holds {parameter}, so it cannot follow a course; attach "
                    "the optimizer: run.attach(optimizer=optimizer)."
                )

    def restored(self, factors: Mapping[str, float], batches: Mapping[str, Any]) -> None:
        """A checkpoint was read that was saved under these factors, after these batches."""
        self.factors = dict(factors)
        newest: bytes | None = batches.get("newest")
        self._n_given = batches.get("n_given", 0)
        self._newest = None if newest is None else pickle.loads(newest)

    def batches(self, at: float) -> dict[str, Any]:
        """For a checkpoint of step `at`: what a run that goes on from it has to know of before.

        The newest batch is kept only where the next one may be left out, as it may take its place.
        Pickled, so that it comes back to the device that it was on.
        """
        windows: Points = self._given.get(SKIP, ())
        inside = any(first - NEAR <= at < last for first, last in windows)
        n_given = self._n_given if at > math.floor(at) else 0
        return {"n_given": n_given, "newest": _pickled(self._newest) if inside else None}

    def move(self, at: float) -> float:
        """Set what follows a course for training from step `at` on; how the rate was scaled."""
        ratio_of_rate = 1.0
        courses = {n.removesuffix(SUFFIX): p for n, p in self._given.items() if n.endswith(SUFFIX)}
        for parameter in courses.keys() | self.factors.keys():
            points = courses.get(parameter)
            factor = factor_at(points, at) if points else 1.0
            ratio = factor / self.factors.get(parameter, 1.0)
            if ratio != 1.0 and self._live.scale(parameter, ratio) == "lr":
                ratio_of_rate = ratio
            self.factors[parameter] = factor
        self._average.move(at, float(self._given.get(AVERAGE, 0.0)))
        return ratio_of_rate

    def kept(self, position: Position, start: float) -> Iterator[Any]:
        """The batches of a pass from step `start` on, without those to skip.

        A step of which all would be skipped gets the newest batch from before, so that a loop that
        divides by the number of its batches has one.
        """
        windows: Points = self._given.get(SKIP, ())
        begin = start + position.fraction
        if begin == start:
            self._n_given = 0
        for batch in position.batches():
            end = start + position.fraction
            skipped = bool(windows) and is_skipped(windows, begin, end)
            begin = end
            if skipped and (self._n_given or position.fraction < 1.0):
                continue
            if skipped and self._newest is not None:
                batch = self._newest
            self._n_given += 1
            self._newest = batch
            yield batch


def _pickled(batch: Any) -> bytes | None:  # noqa: ANN401
    """None for what cannot be pickled: then the run goes on as if it had seen no batch."""
    try:
        return pickle.dumps(batch, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception:  # whatever the user's objects raise
        return None
