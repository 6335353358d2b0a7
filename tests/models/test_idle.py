"""Runs that sit at the level of one who knows nothing are told from those that will learn."""

import numpy as np

from luthier.models.idle import at_chance, too_early
from luthier.models.readings import Readings

GRID = np.array([1, 2, 3, 4, 5, 7, 10])


def readings_of(curves: list[list[float]]) -> Readings:
    run = np.repeat(np.arange(len(curves)), [len(c) for c in curves])
    step = np.concatenate([np.arange(len(c)) for c in curves])
    low = np.concatenate([np.minimum.accumulate(c) for c in curves])
    return Readings(GRID, run, step, np.concatenate([np.array(c) for c in curves]), low)


def idle(curves: list[list[float]]) -> set[int]:
    readings = readings_of(curves)
    return set(readings.run[at_chance(readings, len(curves))].tolist())


def early(curves: list[list[float]]) -> tuple[set[int], int]:
    readings = readings_of(curves)
    mute, place = too_early(readings, len(curves))
    return set(readings.run[mute].tolist()), place


SITTING = [[0.691, 0.69, 0.69], [0.9, 0.691, 0.69], [0.69], [0.692, 0.691], [0.69, 0.69]]
LEARNING = [[0.95, 0.9, 0.8], [0.9], [0.99, 0.97]]
POOR = [[1.2], [1.3, 1.2], [1.1]]


def test_who_sits_where_many_do_from_the_first_is_idle() -> None:
    assert idle(SITTING + LEARNING + POOR) == set(range(5))


def test_who_comes_down_to_the_level_may_be_passing() -> None:
    passing = [[1.1, 0.9, 0.692], [1.0, 0.9, 0.691, 0.69]]
    assert idle(SITTING + POOR + passing) == {0, 1, 2, 3, 4, 9}


def test_who_falls_through_the_level_is_passing_and_has_not_sat_there() -> None:
    slowly = [1.0, 0.8, 0.70, 0.692, 0.685]  # two readings near the level, and falling
    assert idle([*SITTING, *POOR, slowly]) == set(range(5))
    assert idle([*SITTING, *POOR, [*slowly, 0.6]]) == set(range(5))


def test_all_that_a_sitting_run_reported_counts_as_hopeless() -> None:
    readings = readings_of(SITTING + LEARNING + POOR)
    assert at_chance(readings, 11).tolist() == (readings.run < len(SITTING)).tolist()


def test_nobody_is_once_one_that_sat_there_has_left_downward() -> None:
    learned_elsewhere = [0.95, 0.8, 0.5]
    assert idle([*SITTING, *POOR, learned_elsewhere]) == set(range(5))
    for since in ([], [0.72], [np.inf]):
        assert not idle([*SITTING, *POOR, [0.69, 0.69, 0.691, 0.5, *since]])


def test_who_has_not_sat_as_long_as_one_that_left_tells_nothing_yet() -> None:
    longer, left = [0.69] * 4, [0.69, 0.69, 0.691, 0.6]  # below at the fourth place
    assert early([*SITTING, *POOR, longer]) == (set(), -1)
    assert early([*SITTING, *POOR, longer, left]) == (set(range(5)), 3)
    for at_once in ([0.6], [1.0, 0.6], [0.691, 0.6]):  # who did not sit does not count
        assert early([*SITTING, *POOR, longer, at_once]) == (set(), -1)
    assert early([*SITTING, *POOR, *[longer] * 2, left]) == (set(range(5)), 3)
    assert early([*SITTING, *POOR, *[longer] * 3, left]) == (set(), -1)  # a quarter: not worth it
    # of several the last to leave, but none for longer than two fifths: step 4 of 10
    assert early([*SITTING, *POOR, longer, left, [0.69, 0.69, 0.6]]) == (set(range(5)), 3)
    assert early([*SITTING, *POOR, longer, [*longer, 0.69, 0.6]]) == (set(range(5)), 3)


def test_lower_by_noise_is_not_lower() -> None:
    crowd = [[0.6930 + n * 1e-5] * 2 for n in range(8)]
    lower_by_noise = [0.66, 0.66]
    assert idle([*crowd, lower_by_noise, *POOR, *POOR]) >= set(range(8))


def test_who_is_far_below_a_poor_first_loss_has_learned() -> None:
    easy = [[0.12 + n * 1e-4] * 2 for n in range(8)]
    assert not idle([*easy, [2.3], [2.3, 2.2], [2.2], [2.3]])


def test_few_runs_or_a_level_reached_late_make_no_chance_level() -> None:
    assert not idle(SITTING[:4] + LEARNING + POOR)
    late = [[1.2 + n / 50, 1.0, 0.8, 0.69, 0.69] for n in range(12)]
    assert not idle(late)
    assert not idle([*SITTING, *([1.2 + n / 50, 1.0] for n in range(40))]), "five of 45"


def test_readings_without_a_number_and_none_at_all() -> None:
    assert not idle([[np.inf], [np.inf]])
    assert not idle([[np.inf, 0.5]] * 5)
    assert idle([*SITTING, *LEARNING, *POOR, [np.inf]]) == set(range(5))


def test_who_has_learned_and_lost_it_does_not_sit() -> None:
    lost = [0.9, 0.8, 0.3, 0.69, 0.69]
    assert idle([*SITTING, *POOR, lost]) == set(range(5))
