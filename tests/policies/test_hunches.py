"""Faint priors from the names of parameters."""

import numpy as np

from luthier.core.domain import Choice, Float, Int
from luthier.core.space import make_space
from luthier.models.priors import Belief
from luthier.policies.hunches import with_hunches


def test_names_that_are_known_get_a_prior() -> None:
    adam = make_space({
        "learning_rate": Float(1e-8, 10.0, log=True), "beta1": Float(0.0, 1.0),
        "speed": Float(0, 1), "depth": Int(1, 9), "opt": Choice("a", "b"),
    })  # fmt: skip
    domains = with_hunches(adam).domains
    assert domains["learning_rate"].prior == 1e-3
    assert domains["learning_rate"].confidence == "low"
    assert domains["beta1"].prior == 0.9
    assert [domains[n].prior for n in ("speed", "depth", "opt")] == [None] * 3
    momentum = make_space({"lr": Float(1e-5, 1.0, log=True), "momentum": Float(0.0, 0.99)})
    assert with_hunches(momentum).domains["lr"].default() > 0.01, "what goes with momentum"


def test_advice_on_decay_is_not_on_a_penalty_in_the_loss() -> None:
    wide = Float(1e-8, 10.0, log=True)
    domains = with_hunches(make_space({"l2": wide, "weight_decay": wide, "beta1": Float(0, 1)}))
    assert domains.domains["l2"].prior is None
    assert domains.domains["weight_decay"].prior is not None


def test_a_rate_is_believed_to_a_factor_of_ten_however_wide_its_range() -> None:
    for low, name, decades in ((1e-8, "lr", 1.0), (1e-8, "speed", 2.25), (1e-3, "lr", 1.0)):
        space = make_space({name: Float(low, 10.0, log=True, prior=0.1, confidence="low")})
        drawn = Belief(space).draw(4000, np.random.default_rng(0))[:, 0]
        magnitudes = np.log10(low) + drawn * np.log10(10.0 / low)
        near = np.mean(np.abs(magnitudes + 1.0) < decades)
        assert near > 0.55, "four fifths of a normal distribution, and a little of the even one"
        assert np.mean(np.abs(magnitudes + 1.0) < decades / 3) < 0.35


def test_what_the_user_says_stands() -> None:
    space = make_space({"lr": Float(1e-5, 1.0, log=True, prior=0.5, confidence="high")})
    assert with_hunches(space) == space


def test_the_best_is_not_taken_to_lie_at_the_edge() -> None:
    space = make_space({"lr": Float(1e-6, 1e-4, log=True), "weight_decay": Int(1, 1000, log=True)})
    domains = with_hunches(space).domains
    assert abs(domains["lr"].to_unit(domains["lr"].prior) - 0.75) < 1e-6
    decay = domains["weight_decay"]
    assert decay.prior is not None
    assert 0.2 < decay.to_unit(decay.prior) < 0.3
