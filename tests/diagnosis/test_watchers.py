"""Curves with known faults, and healthy ones with noise of many kinds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.curve import Curve
from luthier.diagnosis import WATCHERS, Evidence, Finding, Severity, diagnose
from luthier.diagnosis.generalization import generalization
from luthier.diagnosis.series import forecast, noise, series, trend
from luthier.knowledge import LANGUAGES
from luthier.knowledge.findings import evidence_words, finding_texts

T = np.arange(1, 61.0)


def curve(values: np.ndarray | list[float]) -> Curve:
    return Curve(np.arange(1.0, len(values) + 1), np.asarray(values, float))


def evidence(**curves: np.ndarray | list[float]) -> Evidence:
    found = {name.replace("probe_", "probe/"): curve(v) for name, v in curves.items()}
    return Evidence(found, max_steps=max(len(c) for c in found.values()), n_classes=10)


def falling(seed: int, size: float = 0.03, low: float = 0.05, pace: float = 10.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (low + 2.2 * np.exp(-T / pace)) * (1 + size * rng.standard_normal(len(T)))


def alarms(e: Evidence) -> list[str]:
    return [f.id for f in diagnose(e) if f.is_alarm]


def notes(e: Evidence) -> list[str]:
    return [f.id for f in diagnose(e) if not f.is_alarm]


def test_every_watcher_has_its_text_and_every_text_its_watcher() -> None:
    assert sorted(w.id for w in WATCHERS) == sorted(finding_texts())
    assert len({w.id for w in WATCHERS}) == len(WATCHERS)
    for lang in LANGUAGES:
        assert set(evidence_words(lang)) == set(evidence_words("en"))
        for text in finding_texts().values():
            assert text.what[lang]
            assert text.fix[lang]
            assert text.sources
            assert text.causes[lang].keys() == text.causes["en"].keys()


@given(
    seed=st.integers(0, 10_000),
    size=st.floats(0.0, 0.15),
    low=st.floats(0.01, 0.6),
    pace=st.floats(3.0, 14.0),
    gap=st.floats(0.04, 0.15),
)
@settings(max_examples=25, deadline=None)
def test_no_alarm_on_a_healthy_noisy_curve_at_any_time(
    seed: int, size: float, low: float, pace: float, gap: float
) -> None:
    rng = np.random.default_rng(seed)
    train = falling(seed, size, low, pace)
    val = falling(seed + 1, size, low, pace) + gap * (1 - np.exp(-T / pace))
    val *= 1 + size * rng.standard_normal(len(T))
    e = evidence(train_loss=train, val_loss=val)
    for step in (4, 8, 25, 60):
        assert alarms(e.until(step)) == []


def test_nonfinite_names_the_step_and_the_likely_cause() -> None:
    calm = falling(0)
    calm[30:] = np.nan
    found = diagnose(evidence(train_loss=calm))[0]
    assert (found.id, found.onset, found.causes[0]) == ("D01", 31, "batch")
    wild = np.array([2.3, 2.6, 4.0, 9.0, 80.0, math.inf, math.nan, math.nan])
    found = diagnose(evidence(train_loss=wild))[0]
    assert (found.id, found.severity, found.causes[0]) == ("D01", Severity.CRITICAL, "lr")


def test_spike_recovery_and_divergence_are_told_apart() -> None:
    spike = falling(1)
    spike[30:32] += 3.0
    assert alarms(evidence(train_loss=spike)) == []
    assert "D03" in notes(evidence(train_loss=spike))
    stays = falling(1)
    stays[30:] += 3.0
    assert alarms(evidence(train_loss=stays))[0] == "D02"
    often = falling(1)
    often[[20, 30, 40, 50]] += 3.0
    assert "D03" in alarms(evidence(train_loss=often))


def test_overfitting_and_double_descent_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    val = 0.4 + 2 * np.exp(-T / 5) + 0.012 * np.maximum(0, T - 15) + 0.01 * rng.standard_normal(60)
    over = evidence(train_loss=falling(2, low=0.01), val_loss=val)
    assert alarms(over) == ["D12"]
    view = generalization(over)
    assert view is not None
    assert view.side == "regularize"
    assert view.gap_trend > 2
    hump = 0.5 + 1.8 * np.exp(-T / 5) + 0.45 * np.exp(-(((T - 25) / 7) ** 2)) - 0.002 * T
    descent = evidence(train_loss=falling(2, low=0.02, pace=15), val_loss=hump)
    assert alarms(descent) == []
    assert "D14" in notes(descent)


def test_plateaus_of_three_kinds() -> None:
    rng = np.random.default_rng(3)
    baseline = math.log(10) + 0.01 * rng.standard_normal(60)
    assert "D10" in alarms(evidence(train_loss=baseline, val_loss=baseline))
    high = 1.5 + 0.8 * np.exp(-T / 4) + 0.01 * rng.standard_normal(60)
    found = evidence(train_loss=high, val_loss=high + 0.02)
    assert alarms(found) == ["D11"]
    assert (view := generalization(found)) is not None
    assert view.side == "fit"
    lr = np.full(60, 0.1)
    low = falling(4, 0.03, low=0.3, pace=4)
    assert "D09" in notes(evidence(train_loss=low, val_loss=low, lr=lr))


def test_learning_rate_by_updates() -> None:
    slow = math.log(10) - 0.002 * T
    few = [1e-6] * 60
    found = diagnose(evidence(train_loss=slow, probe_update_ratio=few, probe_steps=30 * T))[0]
    assert found.id == "D07"
    assert found.remedies[0].target({"lr": 1e-5}) == pytest.approx(1e-4)
    stuck = np.full(60, 2.31)
    fast = evidence(train_loss=stuck, probe_update_ratio=[0.4] * 60,
                    probe_update_ratio_max=[0.6] * 60)  # fmt: skip
    assert alarms(fast)[0] == "D08"
    # the same small updates in a long training get somewhere
    long = evidence(train_loss=slow, probe_update_ratio=[5e-5] * 60, probe_steps=5000 * T)
    assert "D07" not in alarms(long)


@pytest.mark.parametrize(
    ("id_", "probes"),
    [
        ("D18", {"grad_first_to_last": 1e-6, "grad_first": 1e-9}),
        ("D19", {"grad_norm_max": 1e6, "grad_first_to_last": 3.0}),
        ("D20", {"dead_share": 0.9}),
        ("D21", {"saturated_share": 0.8}),
        ("D22", {"start_weight_scale": 12.0, "start_weight_scale_max": 13.0}),
        ("D23", {"softmax_twice": 1.0, "n_classes": 10.0}),
        ("D24", {"left_out_share": 0.5, "frozen_share": 0.5}),
        ("D25", {"start_weight_scale": 1.0, "weight_scale": 0.01}),
        ("D26", {"decay_share": 0.8}),
        ("D29", {"bn_batch": 2.0}),
        ("D30", {"class_ratio": 40.0, "label_order": 0.0}),
        ("D31", {"top_prediction_share": 1.0, "top_label_share": 0.2}),
        ("D39", {"input_rms": 120.0}),
        ("D41", {"loader_wait_s": 0.02, "step_s": 0.03}),
        ("D45", {"label_order": 0.9}),
    ],
)
def test_what_probes_say(id_: str, probes: dict[str, float]) -> None:
    loss = 2.0 - 0.003 * T
    curves = {f"probe_{name}": np.full(60, value) for name, value in probes.items()}
    assert id_ in alarms(evidence(train_loss=loss, **curves))


def test_schedule_watchers() -> None:
    loss = falling(5)
    assert alarms(evidence(train_loss=loss, lr=0.1 * np.exp(-T / 2)))[0] == "D46"
    wave = 0.05005 + 0.04995 * np.cos(np.pi * T / 36)
    assert alarms(evidence(train_loss=loss, lr=wave))[0] == "D47"
    linear = 0.1 * (1 - T / 61)
    assert alarms(evidence(train_loss=loss, lr=linear)) == []
    restarts = 0.05 * (1 + np.cos(np.pi * (T % 20) / 20))
    assert alarms(evidence(train_loss=loss, lr=restarts)) == []


def test_memory_leak_and_what_is_none() -> None:
    rng = np.random.default_rng(6)
    leak = 3e8 + 4e6 * T + 1e5 * rng.standard_normal(60)
    warm = 3e8 + 1e8 * (1 - np.exp(-T / 3)) + 1e5 * rng.standard_normal(60)
    assert alarms(evidence(train_loss=falling(6), probe_memory_bytes=leak)) == ["D43"]
    assert alarms(evidence(train_loss=falling(6), probe_memory_bytes=warm)) == []


def test_causes_come_before_what_they_bring_about() -> None:
    e = evidence(
        train_loss=np.full(60, 2.31), val_loss=np.full(60, 2.31),
        probe_start_weight_scale=np.full(60, 20.0), probe_start_weight_scale_max=np.full(60, 20.0),
        probe_saturated_share=np.full(60, 0.9),
    )  # fmt: skip
    found = alarms(e)
    assert found[0] == "D22"
    assert {"D21", "D10"} <= set(found)


def test_names_of_curves() -> None:
    values = list(falling(7)[:40])
    for train, val in [("loss", "val_loss"), ("train/loss", "valid/loss"), ("trainLoss", "valLoss"),
                       ("train_nll", "test_nll"), ("train_loss", "loss")]:  # fmt: skip
        e = evidence(**{train: values, val: [v + 1 for v in values]})
        assert e.train_loss.first == pytest.approx(values[0])
        assert e.val_loss.first == pytest.approx(values[0] + 1)
    percent = evidence(val_acc=[50.0 + i for i in range(40)])
    assert percent.val_accuracy.last < 1


def test_nothing_known_is_no_finding() -> None:
    assert diagnose(Evidence({})) == ()
    assert diagnose(Evidence({"train_loss": Curve()})) == ()
    assert generalization(Evidence({})) is None
    steps = np.arange(1.0, 21)
    falls = {"train_loss": Curve(steps, 1 / steps), "val_loss": Curve(steps, 1.1 / steps)}
    assert generalization(Evidence(falls)) is not None
    lost = np.where(steps > 15, np.nan, 1 / steps)
    assert generalization(Evidence({**falls, "train_loss": Curve(steps, lost)})) is None


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_numbers_are_data(values: list[float]) -> None:
    names = ("train_loss", "val_loss", "val_acc", "probe/update_ratio", "probe/grad_norm_max",
             "probe/memory_bytes", "lr", "probe/dead_share", "probe/step_s")  # fmt: skip
    with np.errstate(all="ignore"):
        found = diagnose(Evidence({name: curve(values) for name in names}, n_classes=3))
    assert all(isinstance(f, Finding) for f in found)


def test_noise_trend_and_forecast() -> None:
    rng = np.random.default_rng(8)
    flat = 1 + 0.1 * rng.standard_normal(400)
    assert noise(flat) == pytest.approx(0.1, rel=0.25)
    flat[200:] += 5  # a jump is no noise
    assert noise(flat) == pytest.approx(0.1, rel=0.25)
    assert abs(trend(rng.standard_normal(50))) < 3
    assert trend(-np.arange(20.0)) < -5
    power = series(Curve(T, 1 + 3 / np.sqrt(T)))
    assert forecast(power, 240) == pytest.approx(1 + 3 / math.sqrt(240), rel=0.02)
