"""The gate: whether a challenger may replace the champion.

A challenger is promoted when all of these hold. Each that fails gives a sentence:

- Its test F1 and its calibration error are within the limits.
- Against a champion that was scored on the same rows: the confidence interval of its gain in F1
  (paired bootstrap) lies above zero, and no segment of at least SEGMENT_ROWS rows loses more than
  the allowed margin. A tie keeps the champion.
- Against a champion of another contract, which can't be scored on these rows: its F1 is not
  clearly lower than the test F1 on that champion's card.
- The rows left out of the dataset, and files that repeat each other, leave its figures credible.
- A value that is missing by chance leaves the mean answer about as it is.

A champion whose bundle is damaged or missing can't serve, so nothing is compared with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from domain.interval import Interval
from domain.model.left_out import LeftOut
from domain.model.missing_effect import MissingEffect

SEGMENT_ROWS = 200
"""A smaller segment can't stop a promotion: its F1 is too uncertain."""

Case = Literal["contract_changed", "bundle_damaged"]
Rule = Literal["first", "paired", "contract_changed", "bundle_damaged"]


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """The change of F1 in a segment; None where F1 is undefined because no row is positive."""

    name: str
    rows: int
    change: Interval | None


@dataclass(frozen=True, slots=True)
class Paired:
    """A champion scored on the challenger's test rows. `gain`: the challenger's, in F1."""

    version: str
    f1: float
    gain: Interval
    segments: tuple[SegmentChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Unscorable:
    """A champion that can't be scored on these rows. `recorded_f1`: the test F1 on its card."""

    version: str
    case: Case
    recorded_f1: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The figures of a challenger and of the champion on the test rows."""

    f1: Interval
    calibration_error: float
    champion: Paired | Unscorable | None
    left_out: LeftOut | None = None
    missing: tuple[MissingEffect, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits from the settings. `segment_margin`: the largest loss of F1 in a segment."""

    minimum_f1: float = 0.5
    maximum_calibration_error: float = 0.05
    segment_margin: float = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to promote, which rule decided, and each reason as a sentence."""

    promote: bool
    rule: Rule
    reasons: tuple[str, ...]


def judge(evidence: Evidence, limits: Limits) -> Verdict:
    """Apply the rule that fits the champion; the verdict names every reason against a promotion."""
    against = list(_find_broken_limits(evidence, limits))
    match evidence.champion:
        case None:
            rule: Rule = "first"
            reasons = [f"There is no champion yet; test F1 is {evidence.f1.value:.4f}."]
        case Unscorable() as champion:
            rule = champion.case
            reasons = [_explain_unscorable(champion, evidence.f1)]
            against += _find_clear_loss(champion, evidence.f1)
        case Paired() as champion:
            rule = "paired"
            reasons = []
            comparison = _describe_comparison(champion, evidence.f1)
            if champion.gain.low > 0:
                reasons.append(f"{comparison}: better.")
            else:
                against.insert(0, f"{comparison}: no proven gain, so the champion stays.")
            against += _find_losing_segments(champion.segments, limits.segment_margin)
    notes: tuple[str, ...] = ()
    if evidence.left_out is not None:
        against += evidence.left_out.objections()
        notes = evidence.left_out.notes()
    against += [effect.objection() for effect in evidence.missing if effect.is_arbitrary]
    return Verdict(promote=not against, rule=rule, reasons=(*reasons, *against, *notes))


def _find_broken_limits(evidence: Evidence, limits: Limits) -> Iterable[str]:
    f1, error = evidence.f1.value, evidence.calibration_error
    if not f1 >= limits.minimum_f1:
        yield f"Test F1 {f1:.4f} is below the required {limits.minimum_f1:.4f}."
    if not error <= limits.maximum_calibration_error:
        yield (
            f"The calibration error {error:.4f} is above the allowed "
            f"{limits.maximum_calibration_error:.4f}."
        )


def _describe_comparison(champion: Paired, f1: Interval) -> str:
    gain = champion.gain
    return (
        f"Test F1 {f1.value:.4f} against {champion.f1:.4f} of champion {champion.version} on the "
        f"same rows, a change of {gain.value:+.4f} (95 % interval {gain.low:+.4f} to "
        f"{gain.high:+.4f})"
    )


def _find_losing_segments(segments: Iterable[SegmentChange], margin: float) -> Iterable[str]:
    for segment in segments:
        change = segment.change
        if segment.rows < SEGMENT_ROWS or change is None:
            continue
        if change.value < -margin:
            yield (
                f"Segment {segment.name} ({segment.rows:,} rows) loses {-change.value:.4f} of F1 "
                f"(95 % interval {change.low:+.4f} to {change.high:+.4f}), more than the allowed "
                f"{margin:.4f}."
            )


def _explain_unscorable(champion: Unscorable, f1: Interval) -> str:
    why = {
        "contract_changed": "it was trained under another contract",
        "bundle_damaged": "its bundle is damaged or missing",
    }[champion.case]
    return (
        f"Champion {champion.version} can't be scored on these rows because {why}; test F1 "
        f"{f1.value:.4f} only has to be within the limits."
        if champion.recorded_f1 is None or champion.case == "bundle_damaged"
        else f"Champion {champion.version} can't be scored on these rows because {why}; test F1 "
        f"{f1.value:.4f} is compared with the {champion.recorded_f1:.4f} on its card."
    )


def _find_clear_loss(champion: Unscorable, f1: Interval) -> Iterable[str]:
    """Why the challenger is clearly worse than a champion of another contract, if it is."""
    recorded = champion.recorded_f1
    if champion.case == "contract_changed" and recorded is not None and f1.high < recorded:
        yield (
            f"Even the upper bound of the challenger's F1, {f1.high:.4f}, is below that: it is "
            "clearly worse, so the champion stays."
        )
