"""When a run is saved without being asked."""

from pathlib import Path

import pytest

from luthier.core.study import Checkpoint
from luthier.worker import saving
from luthier.worker.saving import Saving


@pytest.mark.parametrize(
    ("loss_there", "reported", "better"), [(0.5, 0.6, False), (0.5, 0.4, True), (None, 9.0, True)]
)
def test_after_going_back_a_loss_is_held_against_the_checkpoint_s(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loss_there: float | None,
    reported: float,
    better: bool,
) -> None:
    monkeypatch.setattr(saving, "SAVE_GAP_S", 0.0)
    kept = Saving("0.0", tmp_path, lambda checkpoint: None)
    kept.reported(0.1)  # of the training that is thrown away
    kept.restored(Checkpoint("0.0", 3, "step.ckpt", 1, 0, loss_there, ""))
    assert not kept.due(3, float("inf"))
    kept.reported(reported)
    assert kept.due(4, float("inf")) is better


def test_a_step_is_saved_once_and_keeps_all_reasons(tmp_path: Path) -> None:
    told: list[Checkpoint] = []
    kept = Saving("0.0", tmp_path, told.append)
    kept.save(lambda: {"things": {}}, 2.0, wait=True, kept="before:1")
    kept.save(lambda: {"things": {}}, 2.0, wait=True, kept="mark: good")
    assert [c.kept for c in told] == ["before:1", "before:1, mark: good"]
    assert len(list(tmp_path.iterdir())) == 1
