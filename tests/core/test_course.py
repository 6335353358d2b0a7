"""What a run does by itself on the way."""

import pytest

from luthier.core.action import Fork
from luthier.core.course import check_extra, factor_at, is_skipped
from luthier.core.domain import Float
from luthier.core.entry import Entry
from luthier.core.errors import PointError
from luthier.core.script import script_of
from luthier.core.space import make_space
from luthier.core.study import Checkpoint, Run, Study, StudyView, Trial

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
        check_extra("lr/course", points)


def test_a_course_that_a_fork_was_given_is_in_its_script() -> None:
    study = Study("s", make_space({"lr": Float(0, 1, live=True)}), "loss")
    trials = {0: Trial(0, {"lr": 0.5})}
    runs = {
        "0.0": Run("0.0", 0, {"lr": 0.5}, 9.0),
        "0.1": Run("0.1", 0, {"lr": 0.5}, 9.0, parent=Checkpoint("0.0", 3.0, "f", 1, 2)),
    }
    fork = Fork(run_id="0.0", at_step=3.0, to_step=9.0, params={"lr/course": POINTS}, reason="test")
    diary = [Entry(1, fork, 0.0, "0.1", state="obeyed", step=3.0)]
    script = script_of(StudyView(study, trials, runs), diary, "0.1")
    assert script == ((3.0, {"lr/course": POINTS}),)
