"""The gate: whether a challenger may replace the champion.

A challenger is promoted when all of these hold. Each that fails gives a sentence:

- The contract's metric is above that of the best constant answer, ROC AUC is surely above 0.5, and
  F1, the required recall or precision, and the calibration error keep the contract's limits. An
  error that chance alone can make on so few rows is no objection.
- Against a champion that was scored on the same rows: the confidence interval of its gain in the
  contract's metric (paired bootstrap) lies above zero, and no segment of at least SEGMENT_POSITIVES
  positives surely gets worse by more than the allowed margin, in that metric or in the one that
  the contract names for segments. A tie keeps the champion.
- Against a champion of another contract, which can't be scored on these rows: its metric is not
  clearly lower than the one on that champion's card.
- The rows left out of the dataset, and files that repeat each other, leave its figures credible.
- A value that is missing by chance leaves the mean answer about as it is.

Where the contract requires a recall, precision may be gained by a higher threshold alone, and where
it requires a precision, recall by a lower one. So the saved cost must surely be higher as well,
where a missed positive costs what the thresholds imply; segments are compared by it.
And a challenger that surely has more of the required figure than a champion that surely misses it
needs no gain in the other one.

A champion whose bundle is damaged or missing can't serve, so nothing is compared with it.

There may be a second witness: the newest labelled production rows (`Recent`), on which the
champion has already answered. When they would see the smallest gain worth having with a power of
80 %, or surely show more than that, they decide, by the same rules. The uploaded test rows then
only must not surely get worse by more than a margin. They need not even that if the newest rows
surely gain more than the margin: then outcomes have changed since the uploaded ones. With fewer
labels production rows can only object: a challenger that is surely worse on them is not promoted.

Each further challenger of the same champion needs a surer gain (`domain.model.alpha_investing`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from domain.contract.gate_limits import DEFAULT_MINIMUM_F1, GateLimits
from domain.contract.objective import Requirement
from domain.interval import Interval
from domain.model.gate.evidence import (
    METRICS,
    SEGMENT_POSITIVES,
    Evidence,
    Paired,
    Recent,
    RequiredComparison,
    Rule,
    SegmentChange,
    Unscorable,
    keeps_calibration,
)
from domain.model.gate.sentences import (
    OUTDATED,
    count_looks,
    count_rows,
    describe_comparison,
    describe_power,
    describe_trade,
    explain_chance,
    explain_role,
    explain_unscorable,
    name_limit,
    name_minimum_f1,
)
from domain.model.replay import Replay
from domain.plural import write_count


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
        reasons.append(explain_role(recent, role, limits))
    match evidence.champion:
        case None:
            rule: Rule = "first"
            reasons.append(
                f"There is no champion yet; test {evidence.metric_name} is "
                f"{evidence.metric.value:.4f}."
            )
        case Unscorable() as champion:
            rule = champion.case
            reasons.append(explain_unscorable(champion, evidence))
            against += _find_clear_loss(champion, evidence)
        case Paired() as champion:
            rule = "paired"
            better, worse = _compare(champion, evidence)
            reasons += better
            against[:0] = worse
            against += _find_losing_segments(champion.segments, evidence, limits)
    notes = [*explain_chance(evidence, limits), *count_looks(evidence)]
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
    comparison = describe_comparison(champion, evidence)
    power = describe_power(champion, evidence.earlier_verdicts)
    proven = champion.proves_gain(evidence.earlier_verdicts)
    required, wanted = champion.required, evidence.objective.requirement
    if required and wanted and _mends(required, wanted):
        return [
            f"Champion {champion.version} has a {wanted.metric} of {required.champion.value:.4f}, "
            f"surely less than the required {wanted.minimum:g}, and the challenger surely has "
            f"more, so it need not be beaten in {evidence.metric_name}."
        ], []
    if required and wanted and proven and not required.saved_cost_gain.low > 0:
        return [], [f"{comparison}, {describe_trade(required, wanted.metric)}."]
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
        yield f"{evidence.place} F1 {f1:.4f} is below {minimum:.4f}, {name_minimum_f1(limits)}."
    wanted = evidence.objective.requirement
    if wanted and _misses(found := evidence.figures[wanted.metric], wanted):
        yield (
            f"{evidence.place} {wanted.metric} {found.value:.4f} (95 % interval {found.low:.4f} to "
            f"{found.high:.4f}) is surely below {wanted.minimum:.4f}, the {wanted.key} in [target] "
            "of the contract."
        )
    error = evidence.figures["relative_calibration_error"].value
    if not (keeps_calibration(error, limits) or error <= evidence.chance_calibration_error):
        yield (
            f"The relative calibration error {error:.4f} is above "
            f"{limits.maximum_calibration_error:.4f}, {name_limit('maximum_calibration_error')}, "
            f"and above the {evidence.chance_calibration_error:.4f} that chance can make."
        )


def _minimum_f1(evidence: Evidence, limits: GateLimits) -> float:
    if limits.minimum_f1 is not None:
        return limits.minimum_f1
    return DEFAULT_MINIMUM_F1 if evidence.objective.metric == "f1" else 0.0


def _misses(found: Interval, wanted: Requirement) -> bool:
    """Whether the required figure is surely missed."""
    return not found.high >= wanted.minimum


def _mends(compared: RequiredComparison, wanted: Requirement) -> bool:
    """Whether the champion surely misses the required figure, and the challenger has more of it."""
    return _misses(compared.champion, wanted) and compared.gain.low > 0


def _find_uploaded_loss(uploaded: Evidence, limits: GateLimits) -> Iterable[str]:
    """Whether the uploaded test rows surely get worse by more than the margin."""
    champion = uploaded.champion
    if isinstance(champion, Paired) and champion.gain.high < -limits.uploaded_margin:
        yield (
            f"{describe_comparison(champion, uploaded)}: surely a loss of more than "
            f"{limits.uploaded_margin:.4f}, {name_limit('uploaded_margin')}."
        )


def _find_recent_loss(recent: Recent) -> Iterable[str]:
    """Whether the challenger is surely worse on production rows that are too few to decide."""
    champion = recent.evidence.champion
    if isinstance(champion, Paired) and champion.gain.high < 0:
        yield f"{describe_comparison(champion, recent.evidence)}: surely worse."


def _find_too_many_changes(replay: Replay, limits: GateLimits) -> Iterable[str]:
    most = limits.maximum_changed_answers
    if most is not None and replay.changed > most:
        yield (
            f"The challenger changes {replay.changed:.2%} of the answers to "
            f"{write_count(replay.rows, 'logged request')}, more than {most:.2%}, "
            f"{name_limit('maximum_changed_answers')}."
        )


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
                f"Segment {segment.name}{count_rows(segment)} {found} (95 % interval "
                f"{change.low:+.4f} to {change.high:+.4f}), surely more than {margin:.4f}, "
                f"{name_limit('segment_margin')}."
            )


def _find_clear_loss(champion: Unscorable, evidence: Evidence) -> Iterable[str]:
    """Why the challenger is clearly worse than a champion of another contract, if it is."""
    recorded, high = champion.recorded, evidence.metric.high
    if champion.case == "contract_changed" and recorded is not None and high < recorded:
        yield (
            f"Even the upper bound of the challenger's {evidence.metric_name}, {high:.4f}, is "
            "below that: it is clearly worse, so the champion stays."
        )
