"""Unfreezing while a run trains is an action like any other; the example works."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

import luthier
from luthier import finetune
from luthier.api import Tunable
from luthier.core.action import Action, Start
from luthier.core.domain import Choice
from luthier.core.study import RunState, StudyView
from luthier.worker.target import load_target

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "finetune.py"
TRAINED: list[tuple[int, tuple[str, ...], list[str]]] = []


@luthier.tune(
    minimize="loss", max_steps=4, space={"unfrozen": luthier.Int(1, 3, prior=1, live=True)}
)
def tuned(run: luthier.LiveRun) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    plan = finetune.plan(model, "gradual", lr=1e-2)
    plan.unfreeze(run.params.unfrozen)
    run.live("unfrozen", plan.unfreeze, lambda: plan.unfrozen)
    optimizer = torch.optim.AdamW(plan.groups, weight_decay=0.1)
    run.attach(model=model, optimizer=optimizer)
    data = torch.randn(8, 4)
    for step in run.steps():
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        training = plan.train(step)
        optimizer.zero_grad(set_to_none=False)
        loss = nn.functional.cross_entropy(model(data), torch.arange(8) % 2)
        loss.backward()
        optimizer.step()
        went = [n for n, p in model.named_parameters() if not torch.equal(p, before[n])]
        TRAINED.append((step, training, went))
        run.report(loss=loss.detach())


@dataclass(frozen=True)
class ThawsLater:
    """One run, of which a second block joins behind step 2."""

    def decide(self, view: StudyView) -> Sequence[Action]:
        if view.trials:
            return []
        plan = ((2, {"unfrozen": 2}),)
        return [Start(params={"unfrozen": 1}, to_step=math.inf, reason="thaw", plan=plan)]


def test_unfreezing_stands_in_the_diary(tmp_path: Path) -> None:
    TRAINED.clear()
    result = tuned.search(trials=1, policy=ThawsLater(), executor="inline", store=tmp_path / "s.db")
    assert [(step, training) for step, training, _ in TRAINED] == [
        (1, ("4",)), (2, ("4",)), (3, ("2", "4")), (4, ("2", "4")),
    ]  # fmt: skip
    for _, training, went in TRAINED:
        assert went == [f"{block}.{kind}" for block in training for kind in ("weight", "bias")]
    entries = [e for e in result.store.diary() if "unfrozen" in getattr(e.action, "params", {})]
    change = entries[-1]
    assert (change.state, change.step, change.action.reason) == ("obeyed", 2, "thaw")
    assert result.view.runs["0.0"].params["unfrozen"] == 2


@pytest.mark.slow
def test_the_example_fine_tunes_digits(tmp_path: Path) -> None:
    tunable = load_target(str(EXAMPLE))
    assert isinstance(tunable, Tunable)
    strategy = tunable.space.domains["strategy"]
    assert isinstance(strategy, Choice)
    assert len(strategy.options) == 6
    result = tunable.search(
        trials=1, policy="full", executor="inline", store=tmp_path / "s.db", workers=1,
        fixed={"strategy": "full", "lr": 1e-3, "head_lr_factor": 3.0},
    )  # fmt: skip
    assert [run.state for run in result.view.runs.values()] == [RunState.COMPLETED]
    assert result.best.value > 0.6
