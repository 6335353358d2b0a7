"""What every sampler, policy, executor and store must do, as test classes to inherit from.

    from luthier.testing import SamplerContract

    class TestMine(SamplerContract):
        def make(self):
            return Mine()

Needs pytest.
"""

from luthier.testing.executors import ExecutorContract
from luthier.testing.paper import PaperExecutor
from luthier.testing.policies import PolicyContract
from luthier.testing.samplers import SamplerContract
from luthier.testing.stores import StoreContract

__all__ = [
    "ExecutorContract",
    "PaperExecutor",
    "PolicyContract",
    "SamplerContract",
    "StoreContract",
]
