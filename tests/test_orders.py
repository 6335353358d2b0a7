"""What a person asks of runs that wait."""

from luthier.core.action import Author, Mark
from luthier.core.event import Dropped
from luthier.core.study import Run, RunState
from luthier.policies.asha import Asha
from luthier.samplers.random import Random
from luthier.stores.memory import MemoryStore
from luthier.testing.paper import PaperExecutor
from luthier.testing.policies import MAX_STEPS, bowl, question
from luthier.tuner import Tuner


def marked(tuner: Tuner, store: MemoryStore, run: Run) -> tuple[str, str]:
    tuner.enact(Mark(run_id=run.id, reason="good", author=Author.HUMAN))
    entry = store.diary()[-1]
    return entry.state, entry.why


def test_the_checkpoint_of_a_paused_run_is_marked_if_it_has_one() -> None:
    store = MemoryStore(question())
    executor = PaperExecutor(bowl, 2, max_steps=MAX_STEPS)
    tuner = Tuner(store, Asha(Random()), executor, clock=executor.clock)
    tuner.run()
    run = next(r for r in store.view().runs.values() if r.state is RunState.PAUSED)
    assert marked(tuner, store, run) == ("obeyed", "")
    assert store.view().runs[run.id].checkpoints[-1].kept == "mark: good"
    store.record([Dropped(run.id, c.step, "superseded") for c in run.checkpoints])
    why = f"no checkpoint of run {run.id} at {run.step:g}; it has none"
    assert marked(tuner, store, run) == ("refused", why)
    store.close()
