"""What a fork may be."""

import pytest

from luthier.core.action import Author, Fork
from luthier.core.domain import Choice, Float
from luthier.core.errors import PointError
from luthier.core.lineage import forked
from luthier.core.space import make_space
from luthier.core.study import Checkpoint, Run, Study

SPACE = make_space({
    "optimizer": Choice("sgd", "adam"),
    "momentum": Float(0.0, 1.0, when={"optimizer": "sgd"}),
    "lr": Float(1e-4, 1.0, log=True),
})  # fmt: skip
STUDY = Study("s", SPACE, "loss", max_steps=8)
RUN = Run("0.0", 0, {"optimizer": "adam", "lr": 0.01}, 8.0,
          checkpoints=(Checkpoint("0.0", 4.0, "4.ckpt", 1, 0),))  # fmt: skip


def test_a_fork_changes_what_is_active() -> None:
    wish = Fork(run_id="0.0", at_step=4, to_step=8, reason="", params={"lr": 0.1})
    assert forked(STUDY, RUN, wish) == {"optimizer": "adam", "lr": 0.1}
    other = {"optimizer": "sgd", "momentum": 0.5}
    wish = Fork(run_id="0.0", at_step=4, to_step=8, reason="", params=other)
    assert forked(STUDY, RUN, wish) == {**other, "lr": 0.01}


def test_a_value_for_what_is_not_active_is_refused() -> None:
    with pytest.raises(PointError, match="momentum is not active"):
        forked(
            STUDY,
            RUN,
            Fork(run_id="0.0", at_step=4, to_step=8, reason="", params={"momentum": 0.5}),
        )


def test_a_fork_at_the_last_step_is_refused_but_for_a_retry() -> None:
    with pytest.raises(PointError, match=r"fork it before .*: 4\)"):
        forked(STUDY, RUN, Fork(run_id="0.0", at_step=8, to_step=16, reason=""))
    retry = Fork(run_id="0.0", at_step=8, to_step=8, reason="", author=Author.GUARD)
    assert forked(STUDY, RUN, retry) == RUN.params
