"""Every sampler and every policy keeps its contract."""

import pytest

from luthier.contracts import Policy, Sampler
from luthier.core.errors import PolicyError
from luthier.policies.asha import Asha
from luthier.policies.asha_stopping import AshaStopping
from luthier.policies.autopilot import Autopilot
from luthier.policies.children import Children
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.full import Full
from luthier.policies.halving import SuccessiveHalving
from luthier.policies.hyperband import Hyperband
from luthier.policies.median import MedianStopping
from luthier.policies.one_epoch import OneEpoch
from luthier.policies.pasha import Pasha
from luthier.policies.pbt import PopulationBased
from luthier.registry import POLICIES, SAMPLERS, make_policy
from luthier.samplers.cma_es import CmaEs
from luthier.samplers.de import DifferentialEvolution
from luthier.samplers.gp import Gp
from luthier.samplers.grid import Grid
from luthier.samplers.optuna import Optuna
from luthier.samplers.random import Random
from luthier.samplers.sobol import Sobol
from luthier.samplers.staged import Staged
from luthier.samplers.tpe import Tpe
from luthier.testing import PolicyContract, SamplerContract


class TestRandom(SamplerContract):
    def make(self) -> Sampler:
        return Random()


class TestSobol(SamplerContract):
    def make(self) -> Sampler:
        return Sobol()


class TestGrid(SamplerContract):
    def make(self) -> Sampler:
        return Grid()


class TestFull(PolicyContract):
    def make(self) -> Policy:
        return Full(Random())


class TestFullWithSobol(PolicyContract):
    def make(self) -> Policy:
        return Full(Sobol())


class TestAsha(PolicyContract):
    def make(self) -> Policy:
        return Asha(Random())


class TestSuccessiveHalving(PolicyContract):
    def make(self) -> Policy:
        return SuccessiveHalving(Random(), n_points=9)


class TestStaged(SamplerContract):
    def make(self) -> Sampler:
        return Staged(Random())


class TestTpe(SamplerContract):
    def make(self) -> Sampler:
        return Tpe()


class TestGp(SamplerContract):
    def make(self) -> Sampler:
        return Gp()


class TestCmaEs(SamplerContract):
    def make(self) -> Sampler:
        return CmaEs()


class TestDifferentialEvolution(SamplerContract):
    def make(self) -> Sampler:
        return DifferentialEvolution()


class TestOptuna(SamplerContract):
    def make(self) -> Sampler:
        return Optuna()


class TestFreezeThaw(PolicyContract):
    def make(self) -> Policy:
        return FreezeThaw(Random())


class TestAshaStopping(PolicyContract):
    def make(self) -> Policy:
        return AshaStopping(Random())


class TestHyperband(PolicyContract):
    def make(self) -> Policy:
        return Hyperband(Random())


class TestBohb(PolicyContract):
    def make(self) -> Policy:
        return make_policy("bohb")


class TestPasha(PolicyContract):
    def make(self) -> Policy:
        return Pasha(Random())


class TestMedianStopping(PolicyContract):
    def make(self) -> Policy:
        return MedianStopping(Random())


class TestOneEpoch(PolicyContract):
    def make(self) -> Policy:
        return OneEpoch(Random(), n_points=9, n_kept=2)


class TestChildren(PolicyContract):
    def make(self) -> Policy:
        return Children(Random())


class TestPopulationBased(PolicyContract):
    goes_on = False

    def make(self) -> Policy:
        return PopulationBased(Random(), n_population=4, interval=2)

    def test_runs_that_cannot_pause(self) -> None:
        with pytest.raises(PolicyError, match="attach"):
            super().test_runs_that_cannot_pause()


class TestAutopilot(PolicyContract):
    goes_on = False
    dies_after = 4

    def make(self) -> Policy:
        return Autopilot(Random())

    def test_runs_that_cannot_pause(self) -> None:
        with pytest.raises(PolicyError, match="attach"):
            super().test_runs_that_cannot_pause()


def test_all_players_are_under_contract() -> None:
    here = {name.removeprefix("Test") for name in globals() if name.startswith("Test")}
    known = {place.rpartition(":")[2] for place in (*SAMPLERS.values(), *POLICIES.values())}
    # a fixed list has points of one space only, and is tested beside the drawing of points
    assert known - {"Fixed"} <= here
