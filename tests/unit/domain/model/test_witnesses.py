"""The newest production rows decide when they can see enough, and can only object otherwise."""

import re
from dataclasses import replace

import pytest

from domain.contract.gate_limits import GateLimits
from domain.interval import Interval
from domain.model.alpha_investing import WEALTH, detectable_gain, error_rate, required_errors
from domain.model.gate.evidence import Evidence, Paired, Recent, Unscorable
from domain.model.gate.rules import judge
from domain.model.replay import Replay, ReplayedGroup
from tests.unit.domain.model.test_gate import EVIDENCE, PAIRED

LIMITS = GateLimits(minimum_f1=0.3, smallest_gain=0.02, uploaded_margin=0.05)


def _paired(gain: float, error: float) -> Paired:
    interval = Interval(gain, gain - 1.96 * error, gain + 1.96 * error)
    return replace(PAIRED, gain=interval, standard_error=error)


def _evidence(gain: float, error: float) -> Evidence:
    return replace(EVIDENCE, champion=_paired(gain, error))


def _recent(gain: float, error: float, **changes: object) -> Recent:
    evidence = replace(_evidence(gain, error), place="Production")
    found = Recent(
        evidence=evidence, labels=2_000, positives=200, effective_rows=2_000.0, start=0, end=1
    )
    return replace(found, **changes)  # type: ignore[arg-type]  # fields of the class


@pytest.mark.parametrize(
    ("uploaded", "recent", "promote", "reason"),
    [(_evidence(0.0, 0.005), _recent(0.03, 0.006), True, "so they decide"),
     (_evidence(0.03, 0.005), _recent(0.0, 0.006), False, "Production F1 .* no proven gain"),
     (_evidence(-0.04, 0.005), _recent(0.03, 0.006), True, "so they decide"),
     (_evidence(-0.08, 0.005), _recent(0.03, 0.006), False, "loss of more than 0.0500, the uplo"),
     (_evidence(0.0, 0.005), _recent(0.3, 0.02), True, "surely show more than the gain of 0.0200"),
     (_evidence(-0.3, 0.01), _recent(0.4, 0.02), True, "outcomes have changed since"),
     (_evidence(-0.3, 0.01), _recent(0.06, 0.006), False, "loss of more than 0.0500, the uplo"),
     (_evidence(0.03, 0.005), _recent(0.0, 0.02), True, "so they can only object"),
     (_evidence(0.03, 0.005), _recent(-0.05, 0.02), False, "Production F1 .*: surely worse"),
     (_evidence(0.0, 0.005), _recent(0.05, 0.02), False, "Test F1 .* no proven gain"),
     (_evidence(0.03, 0.005), _recent(-0.5, 0.01, positives=29), True, "too few to say anything"),
     (_evidence(0.03, 0.005), _recent(-0.5, 0.01, labels=99), True, "too few to say anything")],
)  # fmt: skip
def test_the_newer_rows_decide_when_they_have_the_power_to(
    uploaded: Evidence, recent: Recent, promote: bool, reason: str
) -> None:
    verdict = judge(uploaded, LIMITS, recent)
    assert promote == verdict.promote
    assert re.search(reason, " ".join(verdict.reasons))


def test_the_rows_that_decide_must_keep_the_limits_too() -> None:
    recent = _recent(0.03, 0.006)
    weak = Interval(0.6, 0.45, 0.7)
    figures = {**recent.evidence.figures, "roc_auc": weak}
    recent = replace(recent, evidence=replace(recent.evidence, figures=figures))
    [*_, reason] = judge(_evidence(0.0, 0.005), LIMITS, recent).reasons
    assert reason.startswith("Production ROC AUC 0.6000")


def test_a_champion_of_another_contract_is_compared_by_its_logged_answers() -> None:
    changed = replace(EVIDENCE, champion=Unscorable("3-0a1b2c3d", "contract_changed", 0.99))
    assert not judge(changed, LIMITS).promote
    verdict = judge(changed, LIMITS, _recent(0.03, 0.006))
    assert (True, "paired") == (verdict.promote, verdict.rule)


def test_without_an_answer_of_a_champion_production_rows_say_nothing() -> None:
    recent = _recent(0.03, 0.006)
    recent = replace(recent, evidence=replace(recent.evidence, champion=None))
    verdict = judge(replace(EVIDENCE, champion=None), LIMITS, recent)
    assert verdict.promote
    assert "no answer of a champion" in verdict.reasons[0]


def test_few_rows_without_a_difference_do_not_pass_for_certainty() -> None:
    assert "objects" == _recent(0.0, 0.0, positives=40).choose_role(LIMITS)
    assert "decides" == _recent(0.0, 0.0, positives=1_000).choose_role(LIMITS)


def test_used_rows_need_more_to_decide_than_fresh_ones() -> None:
    used = _recent(0.015, 0.007)
    assert "decides" == used.choose_role(LIMITS)
    looked = replace(used, evidence=replace(used.evidence, earlier_verdicts=2))
    assert "objects" == looked.choose_role(LIMITS)


def test_all_further_looks_together_have_an_error_rate_of_five_percent() -> None:
    rates = [error_rate(earlier) for earlier in range(10_000)]
    assert 0.025 == rates[0]
    assert rates == sorted(rates, reverse=True)
    assert WEALTH >= sum(rates)
    assert pytest.approx(WEALTH, rel=1e-3) == sum(rates)
    assert pytest.approx(1.959964, abs=1e-6) == required_errors(0)
    assert pytest.approx(2.8016, abs=1e-4) == detectable_gain(1.0, 0)


def _replay(changed: float) -> Replay:
    group = ReplayedGroup(rows=500, changed=0.2, to_positive=0.15, score_shift=0.1)
    return Replay(
        start=0, end=1, logged=90_000, rows=10_000, changed=changed, to_positive=0.01,
        score_shift=0.002, segments={"age under 30": group},
    )  # fmt: skip


@pytest.mark.parametrize(("most", "promote"), [(None, True), (0.05, True), (0.03, False)])
def test_a_challenger_may_change_only_so_many_answers(most: float | None, promote: bool) -> None:
    limits = replace(LIMITS, maximum_changed_answers=most)
    verdict = judge(_evidence(0.03, 0.005), limits, replay=_replay(0.04))
    assert promote == verdict.promote
    told = " ".join(verdict.reasons)
    assert "10,000 of 90,000 logged requests, the challenger changes 4.00% of the answers" in told
    assert "age under 30: 20.00% of 500" in told
    assert promote != ("the maximum_changed_answers in [gate] of the contract" in told)
