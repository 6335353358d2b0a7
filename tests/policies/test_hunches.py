"""Faint priors from the names of parameters."""

from dataclasses import replace

import numpy as np

from luthier.core.action import Start
from luthier.core.domain import Choice, Float, Int
from luthier.core.space import Params, Space, make_space
from luthier.core.study import Run, Study, StudyView, Trial
from luthier.policies.freeze_thaw import FreezeThaw
from luthier.policies.hunches import belief_of, with_hunches
from luthier.samplers.random import Random


def test_names_that_are_known_get_a_prior() -> None:
    adam = make_space({
        "learning_rate": Float(1e-8, 10.0, log=True), "beta1": Float(0.0, 1.0),
        "speed": Float(0, 1), "depth": Int(1, 9), "opt": Choice("a", "b"),
    })  # fmt: skip
    domains = with_hunches(adam).domains
    assert domains["learning_rate"].prior == 1e-3
    assert domains["learning_rate"].confidence == "high"
    assert domains["beta1"].confidence == "medium"
    assert domains["beta1"].prior == 0.9
    assert [domains[n].prior for n in ("speed", "depth", "opt")] == [None] * 3
    momentum = make_space({"lr": Float(1e-5, 1.0, log=True), "momentum": Float(0.0, 0.99)})
    assert with_hunches(momentum).domains["lr"].default() > 0.01, "what goes with momentum"


def test_advice_on_decay_is_not_on_a_penalty_in_the_loss() -> None:
    wide = Float(1e-8, 10.0, log=True)
    domains = with_hunches(make_space({"l2": wide, "weight_decay": wide, "beta1": Float(0, 1)}))
    assert domains.domains["l2"].prior is None
    assert domains.domains["weight_decay"].prior is not None


def test_an_epoch_of_small_batches_makes_more_updates() -> None:
    domains = with_hunches(make_space({"batch_size": Int(8, 512, log=True)})).domains
    assert domains["batch_size"].prior == 32
    assert domains["batch_size"].confidence == "medium"


def test_what_people_count_in_different_ways_is_not_guessed() -> None:
    names = ("warmup", "warmup_steps", "warm_up_epochs", "lr_warmup_ratio")
    domains = with_hunches(make_space(dict.fromkeys(names, Float(0.0, 20.0)))).domains
    assert {domain.prior for domain in domains.values()} == {None}


def test_a_rate_is_known_to_a_factor_however_wide_its_range() -> None:
    for low, surest in ((1e-8, "high"), (1e-6, "medium"), (1e-3, "low"), (1.0, "low")):
        space = make_space({"lr": Float(low, 10.0, log=True), "momentum": Float(0.0, 0.99)})
        assert with_hunches(space).domains["lr"].confidence == surest, low
    decay = make_space({"weight_decay": Float(1e-9, 1.0, log=True)}).domains
    assert with_hunches(make_space(decay)).domains["weight_decay"].confidence == "medium"


def test_a_name_is_asked_where_a_stated_prior_looks_wrong() -> None:
    stated = {"lr": Float(1e-8, 10.0, log=True, prior=1e-7), "beta1": Float(0.0, 1.0)}
    space = make_space(stated)
    units = np.stack([np.linspace(0.05, 0.65, 30), np.full(30, 0.9)], axis=1)
    away = np.abs(units[:, 0] - 0.55)
    kept = belief_of(space, units, np.abs(units[:, 0] - 0.1))
    assert kept.space.domains["lr"].prior == 1e-7, "it was right"
    asked = belief_of(space, units, away)
    assert asked.space.domains["lr"].prior == 1e-3
    assert "lr" in asked.names


def test_a_name_has_its_say_beside_a_stated_prior() -> None:
    stated = Float(1e-8, 10.0, log=True, prior=1e-7)
    runs = np.empty((0, 1))
    shares = {}
    for confidence in ("medium", "high"):
        space = make_space({"lr": replace(stated, confidence=confidence)})
        belief = belief_of(space, runs, np.empty(0))
        drawn = belief.draw(4000, np.random.default_rng(0))[:, 0]
        shares[confidence] = [np.mean(np.abs(drawn - at) < 0.2) for at in (1 / 9, 5 / 9)]
        places = np.linspace(0.0, 1.0, 10001)[:, None]
        assert abs(np.exp(belief.log_density(places)).mean() - 1.0) < 0.15
    assert 0.2 < shares["medium"][0] < shares["medium"][1], "most of them go where the name says"
    assert 0.28 < shares["high"][1] < shares["high"][0], "unless one was sure"
    nameless = belief_of(make_space({"speed": stated}), runs, np.empty(0))
    drawn = nameless.draw(4000, np.random.default_rng(0))[:, 0]
    assert np.mean(np.abs(drawn - 5 / 9) < 0.2) < 0.22


def test_a_prior_that_fails_at_first_gives_way_before_it_is_dropped() -> None:
    stated = Float(1e-8, 10.0, log=True, prior=1e-7)
    space = make_space({"lr": stated})
    near, far = np.array([[0.1], [0.12], [0.14]]), np.array([[0.5], [0.55], [0.6]])
    runs = np.concatenate([near, far])
    shares = {}
    for said, losses in (("right", [1.0, 1.1, 1.2, 2.0, 2.1, 2.2]),
                         ("wrong", [2.0, 2.1, 2.2, 1.1, 1.0, 1.2])):  # fmt: skip
        belief = belief_of(space, runs, np.array(losses))
        assert belief.space.domains["lr"].prior == 1e-7, "too early to drop it"
        drawn = belief.draw(4000, np.random.default_rng(0))[:, 0]
        shares[said] = np.mean(np.abs(drawn - 1 / 9) < 0.2)
    assert shares["wrong"] < 0.75 * shares["right"]
    nameless = make_space({"speed": stated})
    belief = belief_of(nameless, runs, np.array([2.0, 2.1, 2.2, 1.1, 1.0, 1.2]))
    drawn = belief.draw(4000, np.random.default_rng(0))[:, 0]
    assert np.mean(drawn > 0.5) > 0.2, "what no name says anything of is drawn more evenly"


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


def next_point(space: Space, *tried: Params) -> Params:
    trials = {n: Trial(n, params) for n, params in enumerate(tried)}
    runs = {f"{n}.0": Run(f"{n}.0", n, params, 1.0) for n, params in enumerate(tried)}
    view = StudyView(Study("s", space, "loss", max_steps=9), trials, runs, n_free=1, n_new=1)
    (action,) = FreezeThaw(Random()).decide(view)
    assert isinstance(action, Start)
    return action.params


def test_the_first_point_is_what_names_take_for_best() -> None:
    rate = Float(1e-8, 10.0, log=True)
    point = next_point(make_space({"lr": rate, "beta1": Float(0.0, 1.0), "speed": Float(0.0, 4.0)}))
    assert (point["lr"], point["beta1"], point["speed"]) == (1e-3, 0.9, 2.0)
    stated = next_point(make_space({"lr": replace(rate, prior=1e-7), "beta1": Float(0.0, 1.0)}))
    assert (stated["lr"], stated["beta1"]) == (1e-7, 0.9)
    nameless = next_point(make_space({"speed": Float(0.0, 4.0)}))
    assert nameless["speed"] != 2.0, "drawn as any other"


def test_where_names_say_otherwise_the_second_point_is_theirs() -> None:
    rate = Float(1e-8, 10.0, log=True, prior=1e-7)
    space = make_space({"lr": rate, "beta1": Float(0.0, 1.0)})
    assert next_point(space, next_point(space)) == {"lr": 1e-3, "beta1": 0.9}
    alike = make_space({"lr": replace(rate, prior=3e-3), "beta1": Float(0.0, 1.0)})
    assert next_point(alike, next_point(alike))["beta1"] != 0.9, "drawn as any other"


def test_what_a_point_does_not_have_says_nothing_of_it() -> None:
    momentum = Float(0.0, 1.0, prior=0.9, when={"optimizer": "sgd"})
    space = make_space({"optimizer": Choice("adam", "sgd"), "momentum": momentum})
    belief = belief_of(space, np.empty((0, 2)), np.empty(0))
    units = np.array([space.to_unit(p) for p in (
        {"optimizer": "adam"}, {"optimizer": "sgd", "momentum": 0.9},
        {"optimizer": "sgd", "momentum": 0.1})])  # fmt: skip
    without, near, far = belief.log_density(units)
    assert far < without < near
    assert belief.log_density(units, belief.unconditional).tolist() == [0.0, 0.0, 0.0]
