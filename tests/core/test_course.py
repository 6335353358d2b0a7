"""What a run does by itself on the way."""

import pytest

from luthier.core.course import check_points, factor_at, is_skipped
from luthier.core.errors import PointError

POINTS = ((10.0, 0.5), (12.0, 1.0), (100.0, 0.0))


def test_factors_lie_on_straight_lines() -> None:
    assert [factor_at(POINTS, step) for step in (0, 10, 11, 12, 56)] == [0.5, 0.5, 0.75, 1.0, 0.5]
    assert 0 < factor_at(POINTS, 100) < 1e-5, "never zero, which could not be scaled back"


def test_skipped() -> None:
    assert is_skipped(((3.0, 4.0),), 3.25, 3.5)
    assert not is_skipped(((3.0, 4.0),), 3.75, 4.25)


@pytest.mark.parametrize(
    "points",
    [
        (), 3, (1, 2), ((1, "2"),), (("1", "2"),), ((2, 1), (1, 1)), ((1, -1),), ((1, 2, 3),),
        ((1, float("nan")),), ((10**400, 1),),
    ],
)  # fmt: skip
def test_what_is_no_course_is_refused(points: object) -> None:
    with pytest.raises(PointError):
        check_points("lr/course", points)
