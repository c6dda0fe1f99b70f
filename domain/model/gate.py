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
saved cost must surely be higher as well, where a missed positive costs what the thresholds imply;
segments are compared by it.
And a challenger that surely finds more than a champion that surely misses the required recall needs
no gain in precision.

A champion whose bundle is damaged or missing can't serve, so nothing is compared with it.

There may be a second witness: the newest labelled production rows (`Recent`), on which the
champion has already answered. When they would see the smallest gain worth having with a power of
80 %, or surely show more than that, they decide, by the same rules. The uploaded test rows then
only must not surely get worse by more than a margin. They need not even that if the newest rows
surely gain more than the margin: then outcomes have changed since the uploaded ones. With fewer
labels production rows can only object: a challenger that is surely worse on them is not promoted.

Each further challenger of the same champion needs a surer gain (`domain.model.alpha_investing`).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from domain.contract.gate_limits import DEFAULT_MINIMUM_F1, GateLimits, SegmentMetric
from domain.contract.objective import Metric, Objective
from domain.drift.disclosure import SMALLEST_GROUP, choose_suppressed
from domain.interval import Interval
from domain.model.alpha_investing import detectable_gain, required_errors
from domain.model.left_out import LeftOut
from domain.model.missing_effect import MissingEffect
from domain.model.replay import Replay

SEGMENT_POSITIVES = 50
"""A segment with fewer can't stop a promotion: its F1 is too uncertain. For the false positive
rate, as many negatives are needed."""
LEAST_LABELS, LEAST_POSITIVES = 100, 30
"""With fewer labels production rows say nothing."""

METRICS: Mapping[Metric | SegmentMetric, str] = {
    "f1": "F1",
    "saved_cost": "saved cost",
    "precision": "precision",
    "recall": "recall",
    "false_positive_rate": "false positive rate",
}

Case = Literal["contract_changed", "bundle_damaged"]
Rule = Literal["first", "paired", "contract_changed", "bundle_damaged"]
Role = Literal["decides", "objects", "none"]
"""Of production rows in a verdict."""


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
    as the thresholds imply it. `saved_cost_gain`: the challenger's saved cost by that price minus
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
        """The gain that such a test proves in 80 of 100 cases, if it is the first on its rows."""
        return detectable_gain(self.standard_error, 0)

    def proves_gain(self, earlier: int) -> bool:
        """Whether the gain is surely above zero after so many earlier tests on the same rows."""
        required = required_errors(earlier) * self.standard_error
        return self.gain.low > 0 and (not earlier or self.gain.value > required)


@dataclass(frozen=True, slots=True)
class Unscorable:
    """A champion that can't be scored on these rows. `recorded`: the metric on its card."""

    version: str
    case: Case
    recorded: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The figures of a challenger and of the champion on the test rows.

    `figures`: at least F1, recall, ROC AUC, relative calibration error and the objective's metric.
    `constant`: the metric of the best constant answer. `chance_calibration_error`: what a perfectly
    calibrated model exceeds once in forty times. `earlier_verdicts`: on such rows against the
    same champion. `place`: which rows these are, as the first word of a sentence.
    """

    objective: Objective
    figures: Mapping[str, Interval]
    constant: float
    chance_calibration_error: float
    champion: Paired | Unscorable | None
    earlier_verdicts: int = 0
    left_out: LeftOut | None = None
    missing: tuple[MissingEffect, ...] = ()
    place: str = "Test"

    @property
    def metric(self) -> Interval:
        """The challenger's figure that decides."""
        return self.figures[self.objective.metric]

    @property
    def metric_name(self) -> str:
        """Its name in sentences."""
        return METRICS[self.objective.metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """What the newest labelled production rows show; predicted in ``[start, end)`` (UTC ms).

    `evidence` compares the challenger with the champion's own logged answers. `effective_rows`: as
    many rows of equal weight are as informative. `fresh`: whether no earlier verdict used any.
    """

    evidence: Evidence
    labels: int
    positives: int
    effective_rows: float
    start: int
    end: int
    fresh: bool = True

    def choose_role(self, limits: GateLimits) -> Role:
        """What they may do: decide, object, or nothing."""
        champion = self.evidence.champion
        if not isinstance(champion, Paired) or self.labels < LEAST_LABELS:
            return "none"
        if min(self.positives, self.labels - self.positives) < LEAST_POSITIVES:
            return "none"
        if self.detectable_gain <= limits.smallest_gain or self.proves(limits.smallest_gain):
            return "decides"
        return "objects"

    def proves(self, gain: float) -> bool:
        """Whether they surely show more than such a gain, after all earlier tests."""
        champion = self.evidence.champion
        if not isinstance(champion, Paired):
            return False
        required = required_errors(self.evidence.earlier_verdicts) * self._error(champion)
        return min(champion.gain.low, champion.gain.value - required) > gain

    def _error(self, champion: Paired) -> float:
        """The gain's standard error.

        Where hardly any answer differs the bootstrap knows none. Three rows that differ may still
        be unseen, each of which changes F1 by about half a positive.
        """
        return max(champion.standard_error, math.sqrt(3) / (2 * max(self.positives, 1)))

    @property
    def detectable_gain(self) -> float:
        """The gain that they prove in 80 of 100 cases; infinite without a scored champion."""
        champion = self.evidence.champion
        if not isinstance(champion, Paired):
            return math.inf
        return detectable_gain(self._error(champion), self.evidence.earlier_verdicts)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to promote, which rule decided, and each reason as a sentence."""

    promote: bool
    rule: Rule
    reasons: tuple[str, ...]


def judge(
    evidence: Evidence,
    limits: GateLimits,
    recent: Recent | None = None,
    replay: Replay | None = None,
) -> Verdict:
    """Apply the rule that fits the champion; the verdict names every reason against a promotion.

    `evidence`: on the uploaded test rows.
    """
    role = recent.choose_role(limits) if recent else "none"
    uploaded = evidence
    if recent and role == "decides":
        evidence = replace(recent.evidence, left_out=uploaded.left_out, missing=uploaded.missing)
    against = [*_find_missing_skill(evidence), *_find_broken_limits(evidence, limits)]
    reasons: list[str] = []
    if recent:
        reasons.append(_explain_role(recent, role, limits))
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
            better, worse = _compare(champion, evidence)
            reasons += better
            against[:0] = worse
            against += _find_losing_segments(champion.segments, evidence, limits)
    notes = [*_explain_chance(evidence, limits), *_count_looks(evidence)]
    if recent and role == "decides":
        losses = _find_uploaded_loss(uploaded, limits)
        if recent.proves(limits.uploaded_margin):
            notes += [f"{loss} {OUTDATED}" for loss in losses]
        else:
            against += losses
    if recent and role == "objects":
        against += _find_recent_loss(recent)
    if replay is not None:
        against += _find_too_many_changes(replay, limits)
        notes += replay.notes()
    if evidence.left_out is not None:
        against += evidence.left_out.objections()
        notes += evidence.left_out.notes()
    against += [effect.objection() for effect in evidence.missing if effect.is_arbitrary]
    return Verdict(promote=not against, rule=rule, reasons=(*reasons, *against, *notes))


def _compare(champion: Paired, evidence: Evidence) -> tuple[list[str], list[str]]:
    """Why the challenger is better, and why it is not: one sentence in one of the two."""
    comparison = _describe_comparison(champion, evidence)
    power = _describe_power(champion, evidence.earlier_verdicts)
    proven = champion.proves_gain(evidence.earlier_verdicts)
    recall = champion.recall
    if recall and _mends_recall(recall, evidence.objective):
        return [
            f"Champion {champion.version} finds {recall.champion.value:.4f} of the "
            f"positives, surely fewer than required, and the challenger surely more, so "
            f"it need not be beaten in {evidence.metric_name}."
        ], []
    if recall and proven and not recall.saved_cost_gain.low > 0:
        return [], [f"{comparison}, {_describe_trade(recall)}."]
    if proven:
        return [f"{comparison}: better{power}."], []
    return [], [f"{comparison}: no proven gain, so the champion stays{power}."]


def _find_missing_skill(evidence: Evidence) -> Iterable[str]:
    """What a model that knows nothing would show as well."""
    value, roc_auc = evidence.metric.value, evidence.figures["roc_auc"]
    if not value > evidence.constant:
        yield (
            f"{evidence.place} {evidence.metric_name} {value:.4f} is not above the "
            f"{evidence.constant:.4f} of the best constant answer."
        )
    if not roc_auc.low > 0.5:
        yield (
            f"{evidence.place} ROC AUC {roc_auc.value:.4f} (95 % interval {roc_auc.low:.4f} to "
            f"{roc_auc.high:.4f}) is not surely above 0.5, which is chance."
        )


def _find_broken_limits(evidence: Evidence, limits: GateLimits) -> Iterable[str]:
    f1, minimum = evidence.figures["f1"].value, _minimum_f1(evidence, limits)
    if not f1 >= minimum:
        yield f"{evidence.place} F1 {f1:.4f} is below {minimum:.4f}, {_name_limit('minimum_f1')}."
    recall = evidence.figures["recall"]
    if _misses_recall(recall, evidence.objective):
        yield (
            f"{evidence.place} recall {recall.value:.4f} (95 % interval {recall.low:.4f} to "
            f"{recall.high:.4f}) is surely below {evidence.objective.minimum_recall:.4f}, the "
            "minimum_recall in [target] of the contract."
        )
    error = evidence.figures["relative_calibration_error"].value
    if not (_keeps_calibration(error, limits) or error <= evidence.chance_calibration_error):
        yield (
            f"The relative calibration error {error:.4f} is above "
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
        f"{recall.cost_of_a_miss:.1f} false alarms, as the thresholds imply, the gain in saved "
        f"cost is {saved.value:+.4f} (95 % interval {saved.low:+.4f} to {saved.high:+.4f}): no "
        "proven gain, so the champion stays"
    )


def _name_limit(key: str) -> str:
    return f"the {key} in [gate] of the contract"


def _explain_chance(evidence: Evidence, limits: GateLimits) -> Iterable[str]:
    error = evidence.figures["relative_calibration_error"].value
    if not _keeps_calibration(error, limits) and error <= evidence.chance_calibration_error:
        yield (
            f"The relative calibration error {error:.4f} is above "
            f"{limits.maximum_calibration_error:.4f}, but on so few rows chance can make "
            f"{evidence.chance_calibration_error:.4f}."
        )


def _count_looks(evidence: Evidence) -> Iterable[str]:
    earlier = evidence.earlier_verdicts
    if not earlier or not isinstance(evidence.champion, Paired):
        return
    models = "1 earlier model" if earlier == 1 else f"{earlier:,} earlier models"
    yield (
        f"These rows, or others like them, have judged {models} against this champion, and each "
        f"further test makes a false promotion more likely, so a gain of "
        f"{required_errors(earlier):.2f} standard errors is required instead of 1.96, which keeps "
        "the chance that any of these models is promoted without being better below 5 %."
    )


def _explain_role(recent: Recent, role: Role, limits: GateLimits) -> str:
    rows = (
        f"{recent.labels:,} {'fresh' if recent.fresh else 'of the newest'} production rows with "
        f"mature labels ({recent.positives:,} positives)"
    )
    if recent.effective_rows < recent.labels - 0.5:
        rows += f", worth {recent.effective_rows:,.0f} of equal weight,"
    if role == "none":
        if recent.labels < SMALLEST_GROUP:
            rows = f"Fewer than {SMALLEST_GROUP} production rows with mature labels"
        if not isinstance(recent.evidence.champion, Paired):
            return f"{rows} have no answer of a champion to compare with, so they say nothing."
        return (
            f"{rows} are too few to say anything: {LEAST_LABELS} labels, and {LEAST_POSITIVES} of "
            "either class, are needed."
        )
    found = f"{rows} would show a true gain of {recent.detectable_gain:.4f} in 80 of 100 cases"
    if role == "decides" and recent.detectable_gain > limits.smallest_gain:
        return (
            f"{rows} surely show more than the gain of {limits.smallest_gain:.4f} that is worth"
            f" having ({_name_limit('smallest_gain')}), so they decide."
        )
    if role == "decides":
        return (
            f"{found}, no more than the {limits.smallest_gain:.4f} that is worth having "
            f"({_name_limit('smallest_gain')}), so they decide."
        )
    return (
        f"{found}, more than the {limits.smallest_gain:.4f} that is worth having "
        f"({_name_limit('smallest_gain')}), so they can only object."
    )


OUTDATED = (
    "That is no objection: the newest production rows surely gain more than this, so outcomes have"
    " changed since the uploaded ones."
)


def _find_uploaded_loss(uploaded: Evidence, limits: GateLimits) -> Iterable[str]:
    """Whether the uploaded test rows surely get worse by more than the margin."""
    champion = uploaded.champion
    if isinstance(champion, Paired) and champion.gain.high < -limits.uploaded_margin:
        yield (
            f"{_describe_comparison(champion, uploaded)}: surely a loss of more than "
            f"{limits.uploaded_margin:.4f}, {_name_limit('uploaded_margin')}."
        )


def _find_recent_loss(recent: Recent) -> Iterable[str]:
    """Whether the challenger is surely worse on production rows that are too few to decide."""
    champion = recent.evidence.champion
    if isinstance(champion, Paired) and champion.gain.high < 0:
        yield f"{_describe_comparison(champion, recent.evidence)}: surely worse."


def _find_too_many_changes(replay: Replay, limits: GateLimits) -> Iterable[str]:
    most = limits.maximum_changed_answers
    if most is not None and replay.changed > most:
        yield (
            f"The challenger changes {replay.changed:.2%} of the answers to {replay.rows:,} "
            f"logged requests, more than {most:.2%}, {_name_limit('maximum_changed_answers')}."
        )


def _describe_comparison(champion: Paired, evidence: Evidence) -> str:
    gain = champion.gain
    return (
        f"{evidence.place} {evidence.metric_name} {evidence.metric.value:.4f} against "
        f"{champion.value:.4f} of champion {champion.version} on the same rows, a gain of "
        f"{gain.value:+.4f} (95 % interval {gain.low:+.4f} to {gain.high:+.4f})"
    )


def _describe_power(champion: Paired, earlier: int) -> str:
    """What such a test can see; nothing where both models answer every row alike."""
    if not champion.standard_error > 0:
        return ""
    gain = detectable_gain(champion.standard_error, earlier)
    return f"; a true gain of {gain:.4f} would be proven in 80 of 100 such tests"


def _find_losing_segments(
    segments: Iterable[SegmentChange], evidence: Evidence, limits: GateLimits
) -> Iterable[str]:
    metric = limits.segment_metric or evidence.objective.segment_metric
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
                f"Segment {segment.name}{_count_rows(segment)} {found} (95 % interval "
                f"{change.low:+.4f} to {change.high:+.4f}), surely more than {margin:.4f}, "
                f"{_name_limit('segment_margin')}."
            )


def _count_rows(segment: SegmentChange) -> str:
    """The segment's rows in brackets; nothing where they reveal fewer than eleven people."""
    positives, negatives = segment.positives, segment.rows - segment.positives
    if choose_suppressed({True: positives, False: negatives}):
        return ""
    return f" ({segment.rows:,} rows, {positives:,} positives)"


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
