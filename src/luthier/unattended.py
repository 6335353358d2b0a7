"""What people ask of a study that nobody tunes: done at once, but for what has to train."""

from luthier.executors.nowhere import NowhereExecutor
from luthier.policies.hand import Hand
from luthier.stores.sqlite import SqliteStore
from luthier.tuner import Tuner
from luthier.worker.lock import ProcessLock


def attend(store: SqliteStore) -> bool:
    """Obey or refuse what waits, but for a fork and a resume: they wait for the next sitting.

    False, and nothing is done, where a tuner is at work: that reads the orders itself.
    """
    lock = ProcessLock(store.paths.lock)
    if not lock.acquire():
        return False
    try:
        Tuner(store, Hand(), NowhereExecutor()).attend()
    finally:
        lock.release()
    return True
