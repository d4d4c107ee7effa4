"""Success and score of made-up gaits: every criterion can fail an episode on its own."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from mesozoic.config import StageConfig, parse_overrides
from mesozoic.curricula.gate import Gate
from mesozoic.evaluation.episodes import Episodes, Summary
from mesozoic.evaluation.gait import Gait, measure_gait
from mesozoic.evaluation.outcome import reach_score, walk_criteria, walk_score
from mesozoic.species import load_stage

# Half of sqrt(g*h) is Froude 0.25: what the made-up walk does.
SPEED = 0.5
LIMITS = {"speed_tolerance": 0.2, "max_drift": 0.15, "min_alternation": 0.9, "max_flight": 0.05, "max_slip": 0.4}


@pytest.fixture(scope="module")
def config() -> StageConfig:
    limits = [f"curriculum.{key}={value}" for key, value in LIMITS.items()]
    overrides = ["env.target_froude=0.25", "curriculum.min_stride_length=0.8", *limits]
    return load_stage("velociraptor", 2, parse_overrides(overrides))


@pytest.fixture(scope="module")
def walking(walk: Any, make_trace: Any) -> Gait:
    return measure_gait(make_trace(walk()))


def unmet(config: StageConfig, gait: Gait) -> set[str]:
    return {name for name, mask in walk_criteria(config, gait).items() if not mask[0]}


def with_figure(gait: Gait, name: str, value: float) -> Gait:
    return dataclasses.replace(gait, **{name: np.array([value])})


def test_a_walk_meets_every_criterion_and_scores_one(config: StageConfig, walking: Gait) -> None:
    assert unmet(config, walking) == set()
    assert walk_score(config, walking, np.ones(1)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("figure", "good", "bad", "criterion"),
    [
        ("speed", 0.41, 0.39, "on_speed"),
        ("speed", 0.59, 0.61, "on_speed"),
        ("drift", 0.149, 0.151, "straight"),
        ("drift", 0.0, np.inf, "straight"),
        ("alternation", 0.91, 0.89, "alternating"),
        ("stride_length", 0.81, 0.79, "striding"),
        ("stride_length", 0.81, np.nan, "striding"),
        ("flight", 0.049, 0.051, "grounded"),
        ("slip", 0.199, 0.201, "planted"),
        ("slip", 0.0, np.nan, "planted"),
    ],
)
def test_each_criterion_alone_fails_an_episode(
    config: StageConfig, walking: Gait, figure: str, good: float, bad: float, criterion: str
) -> None:
    assert unmet(config, with_figure(walking, figure, good)) == set()
    assert unmet(config, with_figure(walking, figure, bad)) == {criterion}


@pytest.mark.parametrize(
    ("motion", "contact", "wanted"),
    [
        ({"speed": 0.0}, np.ones((500, 2), bool), {"on_speed", "straight", "alternating", "striding"}),
        ({"duty": 0.4, "lags": (0.0, 0.0)}, None, {"alternating", "grounded"}),
        ({"duty": 0.4}, None, {"grounded"}),
        ({"lags": (0.0, 0.15)}, None, {"alternating", "grounded"}),
        ({"aside": 0.3}, None, {"straight"}),
        ({"speed": -1.0}, None, {"on_speed", "straight", "striding"}),
        ({"period": 20.0}, None, {"striding"}),
        ({"slip": 0.5}, None, {"planted"}),
        ({"steps": 60}, None, {"on_speed", "straight", "alternating", "striding", "grounded", "planted"}),
    ],
    ids=["statue", "hopper", "runner", "limper", "drifter", "retreater", "tripper", "skater", "faller"],
)
def test_what_is_no_walk(
    config: StageConfig, walk: Any, make_trace: Any, motion: dict[str, Any], contact: Any, wanted: set[str]
) -> None:
    assert unmet(config, measure_gait(make_trace(walk(**motion), contact=contact))) == wanted


@pytest.mark.parametrize(
    ("changes", "survived", "score"),
    [
        ({}, 0.25, 0.25),
        ({"speed": 0.0}, 1.0, 0.0),
        ({"speed": -0.4}, 1.0, 0.0),
        ({"speed": 0.75}, 1.0, 0.5),
        ({"speed": 2 * SPEED}, 1.0, 0.0),
        ({"speed": 3 * SPEED}, 1.0, 0.0),
        ({"alternation": 0.6}, 1.0, 0.6),
        ({"flight": 0.3}, 1.0, 0.7),
        ({"speed": 0.25, "alternation": 0.5, "flight": 0.5}, 0.5, 0.0625),
    ],
)
def test_score_of_a_walk(
    config: StageConfig, walking: Gait, changes: dict[str, float], survived: float, score: float
) -> None:
    for name, value in changes.items():
        walking = with_figure(walking, name, value)
    assert walk_score(config, walking, np.array([survived])) == pytest.approx(score)


@pytest.mark.parametrize("hop", [{"duty": 0.4, "lags": (0.0, 0.0)}, {"lags": (0.0, 0.1)}, {"speed": 0.0}])
def test_hoppers_and_statues_score_nothing(config: StageConfig, walk: Any, make_trace: Any, hop: Any) -> None:
    assert walk_score(config, measure_gait(make_trace(walk(**hop))), np.ones(1)) == 0.0


def test_score_of_reaching() -> None:
    score = reach_score(np.array([True, False, False, False]), np.array([0.9, 0.5, -0.2, 1.3]))
    assert score == pytest.approx([0.975, 0.125, 0.0, 0.25])


def summary_of(config: StageConfig, trace: Any) -> Summary:
    """What an evaluation of stage 2 would say of the episodes of a made-up trace, all survived."""
    gait = measure_gait(trace)
    criteria, alive = walk_criteria(config, gait), np.ones(len(trace.length), bool)
    return Episodes(
        length=trace.length,
        reward=np.full(len(alive), 2000.0),
        survived=alive,
        success=alive & np.logical_and.reduce(list(criteria.values())),
        score=walk_score(config, gait, alive.astype(float)),
        ends={},
        terms={},
        criteria=criteria,
        trace=trace,
        gait=gait,
    ).summary()


class TestGate:
    """From feet to verdict, with the gate of the shipped stage."""

    @pytest.fixture
    def statue(self, config: StageConfig, walk: Any, make_trace: Any) -> Summary:
        still = make_trace(*[walk(speed=0.0)] * 64, contact=np.ones((500, 2), bool))
        return summary_of(config, still)

    def test_walkers_pass(self, config: StageConfig, statue: Summary, walk: Any, make_trace: Any) -> None:
        verdict = Gate(config.curriculum, {"statue": statue}).judge(summary_of(config, make_trace(*[walk()] * 64)))
        assert verdict.passed, verdict.failures()
        assert "share of time on the floor" in {criterion.name for criterion in verdict.criteria}

    @pytest.mark.parametrize("lags", [(0.0, 0.0), (0.0, 0.5)], ids=["hoppers", "runners"])
    def test_hoppers_and_runners_do_not(
        self, config: StageConfig, statue: Summary, walk: Any, make_trace: Any, lags: tuple[float, float]
    ) -> None:
        figures = summary_of(config, make_trace(*[walk(duty=0.4, lags=lags)] * 64))
        assert figures["survival"] == 1.0 and figures["criterion/on_speed"] == 1.0
        failures = " ".join(Gate(config.curriculum, {"statue": statue}).judge(figures).failures())
        for name in ("success 0 <", "success_low 0 <", "success_low over statue 0 <=", "share of time on the floor"):
            assert name in failures

    def test_statues_do_not(self, config: StageConfig, statue: Summary) -> None:
        assert statue["success"] == 0.0 and statue["survival"] == 1.0
        assert not Gate(config.curriculum, {"statue": statue}).judge(statue).passed

    def test_walkers_that_now_and_then_hop_do_not(
        self, config: StageConfig, statue: Summary, walk: Any, make_trace: Any
    ) -> None:
        hop = walk(duty=0.4, lags=(0.0, 0.0))
        few, many = (summary_of(config, make_trace(*[hop] * n, *[walk()] * (64 - n))) for n in (1, 16))
        gate = Gate(config.curriculum, {"statue": statue})
        assert gate.judge(few).passed
        assert not gate.judge(many).passed
