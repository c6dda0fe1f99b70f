"""The gate: whether a challenger may replace the champion.

A challenger is promoted when all of these hold. Each that fails gives a sentence:

- The contract's metric is above that of the best constant answer, ROC AUC is surely above 0.5, and
  F1, recall and the calibration error keep the contract's limits. An error that chance alone can
  make on so few rows is no objection.
- Against a champion that was scored on the same rows: the confidence interval of its gain in the
  contract's metric (paired bootstrap) lies above zero, and no segment of at least SEGMENT_POSITIVES
  positives surely gets worse by more than the allowed margin, in that metric or in the one that
  the contract names for segments. A tie keeps the champion.
- Against a champion of another contract, which can't be scored on these rows: its metric is not
  clearly lower than the one on that champion's card.
- The rows left out of the dataset, and files that repeat each other, leave its figures credible.
- A value that is missing by chance leaves the mean answer about as it is.

Where the contract requires a recall, precision may be gained by a higher threshold alone. So the
saved cost must surely be higher as well, where a missed positive costs what a threshold implies.
And a challenger that surely finds more than a champion that surely misses the required recall needs
no gain in precision.

A champion whose bundle is damaged or missing can't serve, so nothing is compared with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from domain.contract.gate_limits import DEFAULT_MINIMUM_F1, GateLimits, SegmentMetric
from domain.contract.objective import Metric, Objective
from domain.interval import Interval
from domain.model.left_out import LeftOut
from domain.model.missing_effect import MissingEffect

SEGMENT_POSITIVES = 50
"""A segment with fewer can't stop a promotion: its F1 is too uncertain. For the false positive
rate, as many negatives are needed."""
POWER_80 = 1.959964 + 0.841621
"""A gain of so many standard errors is proven in 80 of 100 tests (both quantiles are normal)."""

METRICS: Mapping[Metric | SegmentMetric, str] = {
    "f1": "F1",
    "saved_cost": "saved cost",
    "precision": "precision",
    "recall": "recall",
    "false_positive_rate": "false positive rate",
}

Case = Literal["contract_changed", "bundle_damaged"]
Rule = Literal["first", "paired", "contract_changed", "bundle_damaged"]


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """The challenger's metric in a segment minus the champion's.

    The metric is the contract's, or the one that it names for segments.
    """

    name: str
    rows: int
    positives: int
    change: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallComparison:
    """What a required recall adds to a comparison on the same rows.

    `champion`: its recall. `gain`: the challenger's minus that. `cost_of_a_miss`: in false alarms,
    as a threshold implies it. `saved_cost_gain`: the challenger's saved cost by that price minus
    the champion's.
    """

    champion: Interval
    gain: Interval
    cost_of_a_miss: float
    saved_cost_gain: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """A champion scored on the challenger's test rows.

    `value`: its metric. `gain`: the challenger's metric minus that. `standard_error`: the gain's.
    `recall`: None unless the contract requires one.
    """

    version: str
    value: float
    gain: Interval
    standard_error: float
    recall: RecallComparison | None = None
    segments: tuple[SegmentChange, ...] = ()

    @property
    def detectable_gain(self) -> float:
        """The gain that such a test proves in 80 of 100 cases."""
        return POWER_80 * self.standard_error


@dataclass(frozen=True, slots=True)
class Unscorable:
    """A champion that can't be scored on these rows. `recorded`: the metric on its card."""

    version: str
    case: Case
    recorded: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The figures of a challenger and of the champion on the test rows.

    `figures`: at least F1, recall, ROC AUC, calibration error and the objective's metric.
    `constant`: the metric of the best constant answer. `chance_calibration_error`: what a perfectly
    calibrated model exceeds once in forty times. `earlier_verdicts`: of other models on these very
    test rows.
    """

    objective: Objective
    figures: Mapping[str, Interval]
    constant: float
    chance_calibration_error: float
    champion: Paired | Unscorable | None
    earlier_verdicts: int = 0
    left_out: LeftOut | None = None
    missing: tuple[MissingEffect, ...] = ()

    @property
    def metric(self) -> Interval:
        """The challenger's figure that decides."""
        return self.figures[self.objective.metric]

    @property
    def metric_name(self) -> str:
        """Its name in sentences."""
        return METRICS[self.objective.metric]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to promote, which rule decided, and each reason as a sentence."""

    promote: bool
    rule: Rule
    reasons: tuple[str, ...]


def judge(evidence: Evidence, limits: GateLimits) -> Verdict:
    """Apply the rule that fits the champion; the verdict names every reason against a promotion."""
    against = [*_find_missing_skill(evidence), *_find_broken_limits(evidence, limits)]
    reasons: list[str] = []
    match evidence.champion:
        case None:
            rule: Rule = "first"
            reasons.append(
                f"There is no champion yet; test {evidence.metric_name} is "
                f"{evidence.metric.value:.4f}."
            )
        case Unscorable() as champion:
            rule = champion.case
            reasons.append(_explain_unscorable(champion, evidence))
            against += _find_clear_loss(champion, evidence)
        case Paired() as champion:
            rule = "paired"
            comparison = _describe_comparison(champion, evidence)
            power = _describe_power(champion)
            recall = champion.recall
            if recall and _mends_recall(recall, evidence.objective):
                reasons.append(
                    f"Champion {champion.version} finds {recall.champion.value:.4f} of the "
                    f"positives, surely fewer than required, and the challenger surely more, so "
                    f"it need not be beaten in {evidence.metric_name}."
                )
            elif recall and champion.gain.low > 0 and not recall.saved_cost_gain.low > 0:
                against.insert(0, f"{comparison}, {_describe_trade(recall)}.")
            elif champion.gain.low > 0:
                reasons.append(f"{comparison}: better{power}.")
            else:
                against.insert(0, f"{comparison}: no proven gain, so the champion stays{power}.")
            against += _find_losing_segments(champion.segments, evidence, limits)
    notes = [*_explain_chance(evidence, limits), *_count_looks(evidence)]
    if evidence.left_out is not None:
        against += evidence.left_out.objections()
        notes += evidence.left_out.notes()
    against += [effect.objection() for effect in evidence.missing if effect.is_arbitrary]
    return Verdict(promote=not against, rule=rule, reasons=(*reasons, *against, *notes))


def _find_missing_skill(evidence: Evidence) -> Iterable[str]:
    """What a model that knows nothing would show as well."""
    value, roc_auc = evidence.metric.value, evidence.figures["roc_auc"]
    if not value > evidence.constant:
        yield (
            f"Test {evidence.metric_name} {value:.4f} is not above the {evidence.constant:.4f} of "
            "the best constant answer."
        )
    if not roc_auc.low > 0.5:
        yield (
            f"Test ROC AUC {roc_auc.value:.4f} (95 % interval {roc_auc.low:.4f} to "
            f"{roc_auc.high:.4f}) is not surely above 0.5, which is chance."
        )


def _find_broken_limits(evidence: Evidence, limits: GateLimits) -> Iterable[str]:
    f1, minimum = evidence.figures["f1"].value, _minimum_f1(evidence, limits)
    if not f1 >= minimum:
        yield f"Test F1 {f1:.4f} is below {minimum:.4f}, {_name_limit('minimum_f1')}."
    recall = evidence.figures["recall"]
    if _misses_recall(recall, evidence.objective):
        yield (
            f"Test recall {recall.value:.4f} (95 % interval {recall.low:.4f} to {recall.high:.4f}) "
            f"is surely below {evidence.objective.minimum_recall:.4f}, the minimum_recall in "
            "[target] of the contract."
        )
    error = evidence.figures["calibration_error"].value
    if not (_keeps_calibration(error, limits) or error <= evidence.chance_calibration_error):
        yield (
            f"The calibration error {error:.4f} is above "
            f"{limits.maximum_calibration_error:.4f}, {_name_limit('maximum_calibration_error')}, "
            f"and above the {evidence.chance_calibration_error:.4f} that chance can make."
        )


def _minimum_f1(evidence: Evidence, limits: GateLimits) -> float:
    if limits.minimum_f1 is not None:
        return limits.minimum_f1
    return DEFAULT_MINIMUM_F1 if evidence.objective.metric == "f1" else 0.0


def _keeps_calibration(error: float, limits: GateLimits) -> bool:
    return error <= limits.maximum_calibration_error


def _misses_recall(recall: Interval, objective: Objective) -> bool:
    """Whether the required recall is surely missed."""
    return objective.minimum_recall is not None and not recall.high >= objective.minimum_recall


def _mends_recall(recall: RecallComparison, objective: Objective) -> bool:
    """Whether the champion surely misses the required recall, and the challenger finds more."""
    return _misses_recall(recall.champion, objective) and recall.gain.low > 0


def _describe_trade(recall: RecallComparison) -> str:
    saved = recall.saved_cost_gain
    return (
        f"but recall changes by {recall.gain.value:+.4f}, and where a missed positive costs "
        f"{recall.cost_of_a_miss:.1f} false alarms, as the threshold implies, the gain in saved "
        f"cost is {saved.value:+.4f} (95 % interval {saved.low:+.4f} to {saved.high:+.4f}): no "
        "proven gain, so the champion stays"
    )


def _name_limit(key: str) -> str:
    return f"the {key} in [gate] of the contract"


def _explain_chance(evidence: Evidence, limits: GateLimits) -> Iterable[str]:
    error = evidence.figures["calibration_error"].value
    if not _keeps_calibration(error, limits) and error <= evidence.chance_calibration_error:
        yield (
            f"The calibration error {error:.4f} is above "
            f"{limits.maximum_calibration_error:.4f}, but on so few rows chance can make "
            f"{evidence.chance_calibration_error:.4f}."
        )


def _count_looks(evidence: Evidence) -> Iterable[str]:
    if evidence.earlier_verdicts:
        verdicts = (
            "1 earlier model"
            if evidence.earlier_verdicts == 1
            else (f"{evidence.earlier_verdicts:,} earlier models")
        )
        yield (
            f"The same test rows have judged {verdicts}, and each further look makes a false "
            "promotion more likely."
        )


def _describe_comparison(champion: Paired, evidence: Evidence) -> str:
    gain = champion.gain
    return (
        f"Test {evidence.metric_name} {evidence.metric.value:.4f} against {champion.value:.4f} of "
        f"champion {champion.version} on the same rows, a gain of {gain.value:+.4f} (95 % interval "
        f"{gain.low:+.4f} to {gain.high:+.4f})"
    )


def _describe_power(champion: Paired) -> str:
    """What such a test can see; nothing where both models answer every row alike."""
    if not champion.standard_error > 0:
        return ""
    return (
        f"; a true gain of {champion.detectable_gain:.4f} would be proven in 80 of 100 such tests"
    )


def _find_losing_segments(
    segments: Iterable[SegmentChange], evidence: Evidence, limits: GateLimits
) -> Iterable[str]:
    metric = limits.segment_metric or evidence.objective.metric
    lower_is_better = metric == "false_positive_rate"
    name, margin = METRICS[metric], limits.segment_margin
    for segment in segments:
        change = segment.change
        relevant = segment.rows - segment.positives if lower_is_better else segment.positives
        gets_worse = change.low > margin if lower_is_better else change.high < -margin
        if relevant >= SEGMENT_POSITIVES and gets_worse:
            found = (
                f"has a {name} higher by {change.value:.4f}"
                if lower_is_better
                else f"loses {-change.value:.4f} of {name}"
            )
            yield (
                f"Segment {segment.name} ({segment.rows:,} rows, {segment.positives:,} positives) "
                f"{found} (95 % interval {change.low:+.4f} to {change.high:+.4f}), surely more "
                f"than {margin:.4f}, {_name_limit('segment_margin')}."
            )


def _explain_unscorable(champion: Unscorable, evidence: Evidence) -> str:
    why = {
        "contract_changed": "it was trained under another contract",
        "bundle_damaged": "its bundle is damaged or missing",
    }[champion.case]
    shown = f"test {evidence.metric_name} {evidence.metric.value:.4f}"
    comparison = (
        f"{shown} only has to be within the limits"
        if champion.recorded is None or champion.case == "bundle_damaged"
        else f"{shown} is compared with the {champion.recorded:.4f} on its card"
    )
    return f"Champion {champion.version} can't be scored on these rows because {why}; {comparison}."


def _find_clear_loss(champion: Unscorable, evidence: Evidence) -> Iterable[str]:
    """Why the challenger is clearly worse than a champion of another contract, if it is."""
    recorded, high = champion.recorded, evidence.metric.high
    if champion.case == "contract_changed" and recorded is not None and high < recorded:
        yield (
            f"Even the upper bound of the challenger's {evidence.metric_name}, {high:.4f}, is "
            "below that: it is clearly worse, so the champion stays."
        )
