"""The gate: when a challenger is promoted, and the sentence that says why."""

import re
from dataclasses import replace

import pytest

from domain.contract.gate_limits import GateLimits, SegmentMetric
from domain.contract.objective import F1, Cost, Objective
from domain.interval import Interval
from domain.model.gate.evidence import (
    SEGMENT_POSITIVES,
    Evidence,
    Paired,
    RequiredComparison,
    SegmentChange,
    Unscorable,
)
from domain.model.gate.rules import judge
from domain.model.left_out import LeftOut, RepeatedFile
from domain.model.missing_effect import MissingEffect

LIMITS = GateLimits(minimum_f1=0.7)
GAIN = Interval(0.02, 0.004, 0.036)
PAIRED = Paired(
    version="3-0a1b2c3d",
    value=0.78,
    gain=GAIN,
    standard_error=0.008,
)
FIGURES = {
    "f1": Interval(0.8, 0.78, 0.82),
    "recall": Interval(0.7, 0.66, 0.74),
    "precision": Interval(0.93, 0.91, 0.95),
    "saved_cost": Interval(0.4, 0.36, 0.44),
    "roc_auc": Interval(0.97, 0.96, 0.98),
    "relative_calibration_error": Interval(0.06, 0.05, 0.07),
}
EVIDENCE = Evidence(
    objective=F1,
    figures=FIGURES,
    constant=0.16,
    chance_calibration_error=0.1,
    champion=PAIRED,
)


def _with(**figures: Interval) -> Evidence:
    return replace(EVIDENCE, figures=FIGURES | figures)


def _segment(high: float, positives: int = SEGMENT_POSITIVES) -> SegmentChange:
    return SegmentChange("age under 30", 1_200, positives, Interval(high - 0.03, high - 0.06, high))


def test_a_surely_better_challenger_is_promoted() -> None:
    verdict = judge(EVIDENCE, LIMITS)
    assert (True, "paired") == (verdict.promote, verdict.rule)
    assert (
        "Test F1 0.8000 against 0.7800 of champion 3-0a1b2c3d on the same rows, a gain of "
        "+0.0200 (95 % interval +0.0040 to +0.0360): better; a true gain of 0.0224 would be proven "
        "in 80 of 100 such tests.",
    ) == verdict.reasons


@pytest.mark.parametrize(
    "gain",
    [Interval(0.0, 0.0, 0.0), Interval(0.01, -0.001, 0.02), Interval(0.01, 0.0, 0.02)],
    ids=["tie", "unsure", "bound of zero"],
)
def test_a_tie_or_a_doubtful_gain_keeps_the_champion(gain: Interval) -> None:
    verdict = judge(replace(EVIDENCE, champion=replace(PAIRED, gain=gain)), LIMITS)
    assert not verdict.promote
    assert "no proven gain, so the champion stays; a true gain of 0.0224" in verdict.reasons[0]


def test_models_that_answer_alike_leave_no_power_to_speak_of() -> None:
    same = replace(PAIRED, gain=Interval(0.0, 0.0, 0.0), standard_error=0.0)
    verdict = judge(replace(EVIDENCE, champion=same), LIMITS)
    assert verdict.reasons[0].endswith("no proven gain, so the champion stays.")


@pytest.mark.parametrize(
    ("segment", "promote"),
    [
        (_segment(-0.051), False),
        (_segment(-0.049), True),
        (_segment(-0.5, positives=SEGMENT_POSITIVES - 1), True),
        (_segment(0.1), True),
    ],
    ids=["surely loses", "perhaps loses", "too few positives", "wins"],
)
def test_a_segment_that_surely_loses_too_much_keeps_the_champion(
    segment: SegmentChange, promote: bool
) -> None:
    verdict = judge(replace(EVIDENCE, champion=replace(PAIRED, segments=(segment,))), LIMITS)
    assert promote == verdict.promote
    assert promote == ("loses" not in " ".join(verdict.reasons))
    assert promote == ("the segment_margin in [gate]" not in " ".join(verdict.reasons))


@pytest.mark.parametrize(
    ("metric", "objective", "sentence"),
    [
        (None, F1, "loses 0.0900 of F1 (95 % interval -0.1200 to -0.0600)"),
        (None, Objective(Cost()), "loses 0.0900 of saved cost (95 % interval"),
        (None, Objective(minimum_recall=0.7), "loses 0.0900 of saved cost (95 % interval"),
        ("recall", F1, "loses 0.0900 of recall (95 % interval -0.1200 to -0.0600)"),
        ("precision", Objective(Cost()), "loses 0.0900 of precision (95 % interval"),
    ],
)
def test_the_sentence_of_a_losing_segment_names_the_metric_that_compared_it(
    metric: SegmentMetric | None, objective: Objective, sentence: str
) -> None:
    evidence = replace(
        EVIDENCE, objective=objective, champion=replace(PAIRED, segments=(_segment(-0.06),))
    )
    verdict = judge(evidence, replace(LIMITS, segment_metric=metric))
    assert not verdict.promote
    assert f"Segment age under 30 (1,200 rows, 50 positives) {sentence}" in " ".join(
        verdict.reasons
    )


@pytest.mark.parametrize(
    ("negatives", "low", "promote"),
    [(50, 0.051, False), (50, 0.049, True), (49, 0.5, True), (50, -0.5, True)],
    ids=["surely more alarms", "perhaps more alarms", "too few negatives", "fewer alarms"],
)
def test_of_the_false_positive_rate_a_segment_may_not_have_surely_more(
    negatives: int, low: float, promote: bool
) -> None:
    rows = SegmentChange("age under 30", 20 + negatives, 20, Interval(low + 0.03, low, low + 0.06))
    verdict = judge(
        replace(EVIDENCE, champion=replace(PAIRED, segments=(rows,))),
        replace(LIMITS, segment_metric="false_positive_rate"),
    )
    assert promote == verdict.promote
    sentence = (
        "Segment age under 30 (70 rows, 20 positives) has a false positive rate higher by 0.0810 "
        "(95 % interval +0.0510 to +0.1110), surely more than 0.0500, the segment_margin in [gate]"
    )
    assert promote == (sentence not in " ".join(verdict.reasons))


@pytest.mark.parametrize("champion", [None, PAIRED, Unscorable("3-0a1b2c3d", "bundle_damaged")])
def test_the_limits_hold_against_any_champion(champion: Paired | Unscorable | None) -> None:
    low = _with(f1=Interval(0.69, 0.6, 0.7), relative_calibration_error=Interval(0.21, 0.2, 0.22))
    verdict = judge(replace(low, champion=champion), LIMITS)
    assert not verdict.promote
    assert (
        "Test F1 0.6900 is below 0.7000, the minimum_f1 in [gate] of the contract."
        in verdict.reasons
    )
    assert (
        "The relative calibration error 0.2100 is above 0.1500, the maximum_calibration_error in "
        "[gate] of the contract, and above the 0.1000 that chance can make." in verdict.reasons
    )


def test_a_minimum_that_one_training_was_given_is_named_as_the_option() -> None:
    low = _with(f1=Interval(0.69, 0.6, 0.7))
    (reason,) = judge(low, GateLimits(minimum_f1=0.5).give_minimum_f1(0.75)).reasons[-1:]
    assert (
        "Test F1 0.6900 is below 0.7500, the --minimum-f1 that this training was given." == reason
    )


@pytest.mark.parametrize(("positives", "shown"), [(1_189, True), (1_190, False)])
def test_the_sentence_of_a_segment_has_no_count_that_reveals_fewer_than_eleven_people(
    positives: int, *, shown: bool
) -> None:
    losing = replace(PAIRED, segments=(_segment(-0.06, positives=positives),))
    reasons = " ".join(judge(replace(EVIDENCE, champion=losing), LIMITS).reasons)
    counts = f" (1,200 rows, {positives:,} positives)" if shown else ""
    assert f"Segment age under 30{counts} loses 0.0900 of F1 (95 % interval" in reasons


def test_a_calibration_error_that_chance_can_make_is_said_and_refuses_nothing() -> None:
    few = replace(
        _with(relative_calibration_error=Interval(0.3, 0.2, 0.4)), chance_calibration_error=0.35
    )
    verdict = judge(few, LIMITS)
    assert verdict.promote
    assert "but on so few rows chance can make 0.3500." in verdict.reasons[-1]


@pytest.mark.parametrize(
    ("objective", "minimum", "promote"),
    [(F1, None, False), (F1, 0.4, True), (Objective(Cost()), None, True)],
)
def test_without_a_minimum_only_the_objective_f1_has_one(
    objective: Objective, minimum: float | None, promote: bool
) -> None:
    poor = replace(_with(f1=Interval(0.45, 0.4, 0.5)), objective=objective)
    assert promote == judge(poor, GateLimits(minimum_f1=minimum)).promote


@pytest.mark.parametrize(
    ("evidence", "part"),
    [
        (
            replace(_with(f1=Interval(0.75, 0.7, 0.8)), constant=0.75),
            "Test F1 0.7500 is not above the 0.7500 of the best constant answer.",
        ),
        (
            _with(roc_auc=Interval(0.55, 0.5, 0.6)),
            "Test ROC AUC 0.5500 (95 % interval 0.5000 to 0.6000) is not surely above 0.5",
        ),
    ],
    ids=["constant answer", "chance"],
)
@pytest.mark.parametrize("champion", [None, PAIRED])
def test_a_model_without_skill_is_refused(
    evidence: Evidence, part: str, champion: Paired | None
) -> None:
    verdict = judge(replace(evidence, champion=champion), LIMITS)
    assert not verdict.promote
    assert part in " ".join(verdict.reasons)


RECALL = Objective(minimum_recall=0.75)
ENOUGH = Interval(0.77, 0.73, 0.8)


PRECISION = Objective(minimum_precision=0.75)


@pytest.mark.parametrize(("high", "promote"), [(0.74, False), (0.76, True)])
def test_a_precision_that_is_surely_too_low_is_refused(high: float, promote: bool) -> None:
    evidence = _with(precision=Interval(0.7, 0.6, high))
    verdict = judge(replace(evidence, objective=PRECISION, champion=None), LIMITS)
    assert promote == verdict.promote
    found = "is surely below 0.7500, the minimum_precision in [target]" in " ".join(verdict.reasons)
    assert promote != found


def test_a_champion_that_misses_the_required_precision_need_not_be_beaten_in_recall() -> None:
    compared = replace(COMPARED, champion=Interval(0.6, 0.5, 0.7), gain=MORE)
    worse = replace(PAIRED, gain=Interval(-0.2, -0.3, -0.1), required=compared)
    evidence = replace(_with(precision=ENOUGH), objective=PRECISION, champion=worse)
    verdict = judge(evidence, LIMITS)
    assert verdict.promote
    assert "has a precision of 0.6000, surely less than the required 0.75" in verdict.reasons[0]
    assert "need not be beaten in recall" in verdict.reasons[0]


def test_recall_that_is_bought_with_precision_is_no_gain() -> None:
    bought = replace(COMPARED, saved_cost_gain=Interval(0.02, -0.004, 0.036))
    paired = replace(PAIRED, required=bought)
    verdict = judge(replace(_with(precision=ENOUGH), objective=PRECISION, champion=paired), LIMITS)
    assert not verdict.promote
    assert "but precision changes by +0.0100" in verdict.reasons[0]


def test_a_recall_that_is_surely_too_low_is_refused() -> None:
    verdict = judge(replace(EVIDENCE, objective=RECALL), LIMITS)
    assert not verdict.promote
    assert "is surely below 0.7500, the minimum_recall in [target]" in " ".join(verdict.reasons)


MORE, FEWER = Interval(0.07, 0.02, 0.12), Interval(0.01, -0.02, 0.04)
COMPARED = RequiredComparison(
    champion=Interval(0.78, 0.74, 0.82),
    gain=FEWER,
    cost_of_a_miss=6.1,
    saved_cost_gain=Interval(0.02, 0.004, 0.036),
)


@pytest.mark.parametrize(
    ("champion", "gain", "promote"),
    [
        (FIGURES["recall"], MORE, True),
        (FIGURES["recall"], FEWER, False),
        (ENOUGH, MORE, False),
    ],
    ids=["finds surely more", "finds perhaps more", "champion perhaps reaches it"],
)
def test_a_champion_that_misses_the_required_recall_need_not_be_beaten(
    champion: Interval, gain: Interval, promote: bool
) -> None:
    compared = replace(COMPARED, champion=champion, gain=gain)
    worse = replace(PAIRED, gain=Interval(-0.2, -0.3, -0.1), required=compared)
    evidence = replace(_with(recall=ENOUGH), objective=RECALL, champion=worse)
    verdict = judge(evidence, LIMITS)
    assert promote == verdict.promote
    assert promote == ("it need not be beaten in precision" in verdict.reasons[0])


@pytest.mark.parametrize("low", [0.001, 0.0, -0.004])
def test_precision_that_is_bought_with_recall_is_no_gain(low: float) -> None:
    compared = replace(COMPARED, saved_cost_gain=Interval(0.02, low, 0.036))
    paired = replace(PAIRED, required=compared)
    verdict = judge(replace(_with(recall=ENOUGH), objective=RECALL, champion=paired), LIMITS)
    assert (low > 0) == verdict.promote
    bought = (
        "but recall changes by +0.0100, and where a missed positive costs 6.1 false alarms, as the "
        "thresholds imply, the gain in saved cost is +0.0200"
    )
    assert (low > 0) == (bought not in verdict.reasons[0])


def test_the_sentences_name_the_contracts_metric() -> None:
    evidence = replace(EVIDENCE, objective=Objective(Cost(1.0, 5.0)))
    assert judge(evidence, LIMITS).reasons[0].startswith("Test saved cost 0.4000 against 0.7800")
    assert "test saved cost is 0.4000" in judge(replace(evidence, champion=None), LIMITS).reasons[0]


@pytest.mark.parametrize(
    ("looks", "part"),
    [(0, None), (1, "1 earlier model against .* gain of 2.58 standard"),
     (1_200, "1,200 earlier models against .* gain of 5.6[0-9] standard")],
)  # fmt: skip
def test_further_looks_at_the_same_rows_demand_a_surer_gain(looks: int, part: str | None) -> None:
    verdict = judge(replace(EVIDENCE, earlier_verdicts=looks), LIMITS)
    assert (looks == 0) == verdict.promote
    assert (part is None) == (len(verdict.reasons) == 1)
    assert part is None or re.search(f"These rows.* have judged {part}", verdict.reasons[-1])


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


@pytest.mark.parametrize("name", ["f1", "roc_auc", "relative_calibration_error"])
def test_a_figure_that_is_no_number_promotes_nothing(name: str) -> None:
    nan = float("nan")
    assert not judge(_with(**{name: Interval(nan, nan, nan)}), LIMITS).promote


def test_each_reason_is_one_sentence() -> None:
    wrong = Interval(0.1, 0.0, 0.2)
    worst = replace(
        _with(
            f1=wrong,
            recall=wrong,
            roc_auc=wrong,
            relative_calibration_error=Interval(0.9, 0.8, 1.0),
        ),
        constant=0.16,
        earlier_verdicts=3,
        champion=replace(PAIRED, gain=Interval(-0.6, -0.7, -0.5), segments=(_segment(-0.6),)),
    )
    reasons = judge(worst, LIMITS).reasons
    assert 7 == len(reasons)
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
