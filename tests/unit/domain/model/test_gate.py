"""The gate: when a challenger is promoted, and the sentence that says why."""

from dataclasses import replace

import pytest

from domain.interval import Interval
from domain.model.gate import (
    SEGMENT_ROWS,
    Evidence,
    Limits,
    Paired,
    SegmentChange,
    Unscorable,
    judge,
)
from domain.model.left_out import LeftOut, RepeatedFile
from domain.model.missing_effect import MissingEffect

LIMITS = Limits(minimum_f1=0.7, maximum_calibration_error=0.05, segment_margin=0.05)
GAIN = Interval(0.02, 0.004, 0.036)
PAIRED = Paired("3-0a1b2c3d", 0.78, GAIN)
EVIDENCE = Evidence(f1=Interval(0.8, 0.78, 0.82), calibration_error=0.01, champion=PAIRED)


def _segment(change: float | None, rows: int = SEGMENT_ROWS) -> SegmentChange:
    interval = None if change is None else Interval(change, change - 0.02, change + 0.02)
    return SegmentChange("age under 30", rows, interval)


def test_a_surely_better_challenger_is_promoted() -> None:
    verdict = judge(EVIDENCE, LIMITS)
    assert (True, "paired") == (verdict.promote, verdict.rule)
    assert (
        "Test F1 0.8000 against 0.7800 of champion 3-0a1b2c3d on the same rows, a change of "
        "+0.0200 (95 % interval +0.0040 to +0.0360): better.",
    ) == verdict.reasons


@pytest.mark.parametrize(
    "gain",
    [Interval(0.0, 0.0, 0.0), Interval(0.01, -0.001, 0.02), Interval(0.01, 0.0, 0.02)],
    ids=["tie", "unsure", "bound of zero"],
)
def test_a_tie_or_a_doubtful_gain_keeps_the_champion(gain: Interval) -> None:
    verdict = judge(replace(EVIDENCE, champion=replace(PAIRED, gain=gain)), LIMITS)
    assert not verdict.promote
    assert "no proven gain, so the champion stays" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("segment", "promote"),
    [
        (_segment(-0.06), False),
        (_segment(-0.05), True),
        (_segment(-0.5, rows=SEGMENT_ROWS - 1), True),
        (_segment(None, rows=5000), True),
        (_segment(0.1), True),
    ],
    ids=["loses", "at the margin", "too small", "without positives", "wins"],
)
def test_a_segment_that_loses_too_much_keeps_the_champion(
    segment: SegmentChange, promote: bool
) -> None:
    verdict = judge(replace(EVIDENCE, champion=replace(PAIRED, segments=(segment,))), LIMITS)
    assert promote == verdict.promote
    assert promote == ("loses" not in " ".join(verdict.reasons))


@pytest.mark.parametrize("champion", [None, PAIRED, Unscorable("3-0a1b2c3d", "bundle_damaged")])
def test_the_limits_hold_against_any_champion(champion: Paired | Unscorable | None) -> None:
    low = replace(EVIDENCE, f1=Interval(0.69, 0.6, 0.7), champion=champion)
    verdict = judge(replace(low, calibration_error=0.06), LIMITS)
    assert not verdict.promote
    assert "Test F1 0.6900 is below the required 0.7000." in verdict.reasons
    assert "The calibration error 0.0600 is above the allowed 0.0500." in verdict.reasons


def test_the_first_model_needs_the_limits_only() -> None:
    verdict = judge(replace(EVIDENCE, champion=None), LIMITS)
    assert (True, "first") == (verdict.promote, verdict.rule)


@pytest.mark.parametrize(
    ("champion", "promote"),
    [
        (Unscorable("3-0a1b2c3d", "contract_changed", 0.81), True),
        (Unscorable("3-0a1b2c3d", "contract_changed", 0.83), False),
        (Unscorable("3-0a1b2c3d", "contract_changed", None), True),
        (Unscorable("3-0a1b2c3d", "bundle_damaged", 0.99), True),
    ],
    ids=["comparable", "clearly worse", "without a card", "damaged"],
)
def test_a_champion_that_cannot_be_scored_has_a_rule_of_its_own(
    champion: Unscorable, promote: bool
) -> None:
    verdict = judge(replace(EVIDENCE, champion=champion), LIMITS)
    assert (promote, champion.case) == (verdict.promote, verdict.rule)
    assert "can't be scored on these rows" in verdict.reasons[0]
    assert promote == ("clearly worse" not in verdict.reasons[-1])


def test_a_figure_that_is_no_number_promotes_nothing() -> None:
    nan = float("nan")
    assert not judge(replace(EVIDENCE, calibration_error=nan), LIMITS).promote
    assert not judge(replace(EVIDENCE, f1=Interval(nan, nan, nan)), LIMITS).promote


def test_each_reason_is_one_sentence() -> None:
    worst = Evidence(
        f1=Interval(0.1, 0.0, 0.2),
        calibration_error=0.5,
        champion=replace(PAIRED, gain=Interval(-0.6, -0.7, -0.5), segments=(_segment(-0.6),)),
    )
    reasons = judge(worst, LIMITS).reasons
    assert 4 == len(reasons)
    assert all(r.endswith(".") and ". " not in r and "\n" not in r for r in reasons)


COMPLETE = LeftOut(
    rows_read=1_000,
    rows_quarantined=0,
    rows_repeated=0,
    reasons={},
    copies={},
    repeats=(),
    prevalence_read=0.1,
    prevalence_kept=0.1,
)
LOST = replace(COMPLETE, rows_quarantined=200, reasons={"bmi must be there": 200})


@pytest.mark.parametrize(
    ("left_out", "promote", "part"),
    [
        (COMPLETE, True, ""),
        (LOST, True, "200 of 1,000 rows (20.0%, which is much) were left out."),
        (replace(LOST, prevalence_kept=0.119), True, "The share of positives is 11.90%"),
        (replace(LOST, prevalence_kept=0.13), False, "from 10.00% to 13.00%"),
        (replace(LOST, prevalence_kept=0.08), False, "from 10.00% to 8.00%"),
        (replace(COMPLETE, copies={"b": "a"}), True, "counted once: b (of a)."),
        (replace(COMPLETE, rows_repeated=7), True, "7 rows have the id"),
        (
            replace(COMPLETE, repeats=(RepeatedFile("a", "b", 90, 100),)),
            False,
            "a repeats 90 of its 100 rows from b",
        ),
    ],
)
def test_what_was_left_out_is_said_and_stands_against_a_promotion_where_figures_mislead(
    left_out: LeftOut, promote: bool, part: str
) -> None:
    verdict = judge(replace(EVIDENCE, left_out=left_out), LIMITS)
    assert promote == verdict.promote
    assert part in " ".join(verdict.reasons)
    assert (left_out == COMPLETE) == (judge(EVIDENCE, LIMITS) == verdict)


EFFECT = MissingEffect(
    feature="bmi",
    mean=0.083,
    usual_mean=0.081,
    false_positives=0.005,
    usual_false_positives=0.004,
    roc_auc=0.97,
    learned=False,
)


@pytest.mark.parametrize(
    ("effect", "promote"),
    [
        (EFFECT, True),
        (replace(EFFECT, mean=0.14), True),
        (replace(EFFECT, mean=0.16), False),
        (replace(EFFECT, mean=0.97), False),
        (replace(EFFECT, mean=1.0), False),
        (replace(EFFECT, mean=0.03), False),
        (replace(EFFECT, mean=0.97, learned=True), True),
    ],
)
def test_a_value_missing_by_chance_must_not_change_the_mean_answer(
    effect: MissingEffect, promote: bool
) -> None:
    verdict = judge(replace(EVIDENCE, missing=(EFFECT, effect)), LIMITS)
    assert promote == verdict.promote
    assert promote == ("Without bmi the mean answer is" not in " ".join(verdict.reasons))
