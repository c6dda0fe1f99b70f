"""The gate: whether a challenger may replace the champion."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """F1 of both models on the same test rows; no champion, no champion's F1."""

    challenger_f1: float
    champion_f1: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promote or keep, and each reason as a sentence."""

    promote: bool
    reasons: tuple[str, ...]


def judge(scores: Scores, *, minimum_f1: float) -> Verdict:
    """Promote when F1 reaches `minimum_f1` and beats the champion; a tie keeps the champion."""
    challenger, champion = scores.challenger_f1, scores.champion_f1
    if challenger < minimum_f1:
        reason = f"Test F1 {challenger:.4f} is below the required {minimum_f1:.4f}."
        return Verdict(promote=False, reasons=(reason,))
    if champion is None:
        reason = f"There is no champion yet; test F1 is {challenger:.4f}."
        return Verdict(promote=True, reasons=(reason,))
    comparison = f"Test F1 {challenger:.4f} against the champion's {champion:.4f} on the same rows"
    if challenger > champion:
        return Verdict(promote=True, reasons=(f"{comparison}: better.",))
    return Verdict(promote=False, reasons=(f"{comparison}: not better, the champion stays.",))
