"""The sentences of a verdict: what was compared, what it could have seen, and what is noted."""

from collections.abc import Iterable

from domain.contract.gate_limits import GateLimits
from domain.drift.disclosure import SMALLEST_GROUP, choose_suppressed
from domain.model.alpha_investing import detectable_gain, required_errors
from domain.model.gate.evidence import (
    LEAST_LABELS,
    LEAST_POSITIVES,
    Evidence,
    Paired,
    Recent,
    RequiredComparison,
    Role,
    SegmentChange,
    Unscorable,
    keeps_calibration,
)
from domain.plural import write_count


def describe_trade(required: RequiredComparison, metric: str) -> str:
    """What a gain costs in the required figure; `metric`: that figure's name."""
    saved = required.saved_cost_gain
    return (
        f"but {metric} changes by {required.gain.value:+.4f}, and where a missed positive costs "
        f"{required.cost_of_a_miss:.1f} false alarms, as the thresholds imply, the gain in saved "
        f"cost is {saved.value:+.4f} (95 % interval {saved.low:+.4f} to {saved.high:+.4f}): no "
        "proven gain, so the champion stays"
    )


def name_limit(key: str) -> str:
    """Where a limit stands."""
    return f"the {key} in [gate] of the contract"


def name_minimum_f1(limits: GateLimits) -> str:
    """The same for the smallest F1, which one training may be given."""
    if limits.is_minimum_given:
        return "the --minimum-f1 that this training was given"
    return name_limit("minimum_f1")


def explain_chance(evidence: Evidence, limits: GateLimits) -> Iterable[str]:
    """That an error above the limit is no objection on so few rows."""
    error = evidence.figures["relative_calibration_error"].value
    if not keeps_calibration(error, limits) and error <= evidence.chance_calibration_error:
        yield (
            f"The relative calibration error {error:.4f} is above "
            f"{limits.maximum_calibration_error:.4f}, but on so few rows chance can make "
            f"{evidence.chance_calibration_error:.4f}."
        )


def count_looks(evidence: Evidence) -> Iterable[str]:
    """How many earlier models the same rows have judged, and what follows."""
    earlier = evidence.earlier_verdicts
    if not earlier or not isinstance(evidence.champion, Paired):
        return
    models = write_count(earlier, "earlier model")
    yield (
        f"These rows, or others like them, have judged {models} against this champion, and each "
        f"further test makes a false promotion more likely, so a gain of "
        f"{required_errors(earlier):.2f} standard errors is required instead of 1.96, which keeps "
        "the chance that any of these models is promoted without being better below 5 %."
    )


def explain_role(recent: Recent, role: Role, limits: GateLimits) -> str:
    """How many production rows there are, and what they may do."""
    rows = (
        f"{recent.labels:,} {'fresh' if recent.fresh else 'of the newest'} production rows with "
        f"mature labels ({write_count(recent.positives, 'positive')})"
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
            f" having ({name_limit('smallest_gain')}), so they decide."
        )
    if role == "decides":
        return (
            f"{found}, no more than the {limits.smallest_gain:.4f} that is worth having "
            f"({name_limit('smallest_gain')}), so they decide."
        )
    return (
        f"{found}, more than the {limits.smallest_gain:.4f} that is worth having "
        f"({name_limit('smallest_gain')}), so they can only object."
    )


OUTDATED = (
    "That is no objection: the newest production rows surely gain more than this, so outcomes have"
    " changed since the uploaded ones."
)


def describe_comparison(champion: Paired, evidence: Evidence) -> str:
    """Both figures on the same rows, and the gain with its interval."""
    gain = champion.gain
    return (
        f"{evidence.place} {evidence.metric_name} {evidence.metric.value:.4f} against "
        f"{champion.value:.4f} of champion {champion.version} on the same rows, a gain of "
        f"{gain.value:+.4f} (95 % interval {gain.low:+.4f} to {gain.high:+.4f})"
    )


def describe_power(champion: Paired, earlier: int) -> str:
    """What such a test can see; nothing where both models answer every row alike."""
    if not champion.standard_error > 0:
        return ""
    gain = detectable_gain(champion.standard_error, earlier)
    return f"; a true gain of {gain:.4f} would be proven in 80 of 100 such tests"


def count_rows(segment: SegmentChange) -> str:
    """The segment's rows in brackets; nothing where they reveal fewer than eleven people."""
    positives, negatives = segment.positives, segment.rows - segment.positives
    if choose_suppressed({True: positives, False: negatives}):
        return ""
    return f" ({write_count(segment.rows, 'row')}, {write_count(positives, 'positive')})"


def explain_unscorable(champion: Unscorable, evidence: Evidence) -> str:
    """Why a champion can't be scored, and what happens instead."""
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
