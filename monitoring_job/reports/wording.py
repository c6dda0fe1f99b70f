"""The sentences of a verdict, in mails and in report headers; `findings` describes each finding."""

from collections.abc import Mapping

from domain import times
from domain.drift.drawn_performance import DrawnPerformance
from domain.drift.drift import Outcome
from domain.drift.fairness import GroupFigure, GroupMeasure
from domain.drift.performance import MARGIN, Calibration, Expectation, Measure, Performance
from domain.drift.summary import ColumnDrift, JointDrift, Summary, Test
from domain.interval import Interval
from domain.plural import agree, write_count

HEADLINES = {
    Outcome.NO_DATA: "No predictions",
    Outcome.INSUFFICIENT_DATA: "Not enough predictions",
    Outcome.STABLE: "No drift",
    Outcome.DATA_DRIFT: "Data drift",
    Outcome.PREDICTION_DRIFT: "Prediction drift",
    Outcome.PERFORMANCE_DROP: "Performance drop",
}
EXPLANATIONS = {
    Outcome.NO_DATA: "No prediction was logged in this window.",
    Outcome.INSUFFICIENT_DATA: "There are too few predictions in this window for a verdict.",
    Outcome.STABLE: "Inputs and predictions look like the model's reference sample.",
    Outcome.DATA_DRIFT: "The inputs no longer look like the model's reference sample.",
    Outcome.PREDICTION_DRIFT: "The predictions no longer look like those of the reference sample.",
    Outcome.PERFORMANCE_DROP: "The model performs worse than when it was promoted.",
}
REPORT_TITLES = {
    "data_drift": "Data drift report",
    "prediction_drift": "Prediction drift report",
    "target_drift": "Target drift report",
    "performance": "Performance report",
}
METRICS = {"f1": "F1", "precision": "Precision", "recall": "Recall", "roc_auc": "ROC AUC"}
GROUP_FIGURES: Mapping[GroupMeasure, str] = {
    "selection_rate": "share called positive",
    "recall": "recall",
    "false_positive_rate": "false positive rate",
    "precision": "precision",
    "f1": "F1",
    "calibration_error": "relative calibration error",
}
PROBABILITY = "predicted probability"
EXPECTED_DROP = (
    "The model is expected to perform worse than on its reference sample, whether only the inputs "
    "or only the prevalence has changed. This is an estimate from its own probabilities; only "
    "labels can confirm it."
)
DROP_IN_SEGMENTS = (
    "For some people, the model performs worse than on its reference sample: see the segments."
)
LONGEST_NAME = 80
"""Characters of a name that a sentence repeats: a category's name may have any length."""
NOT_SHOWN = "not shown"
"""Printed in place of a suppressed figure."""


def headline(summary: Summary) -> str:
    """List every finding, the most serious first: ``Prediction drift, data drift``."""
    names = [HEADLINES[finding] for finding in _findings(summary)]
    if names[0] == HEADLINES[Outcome.PERFORMANCE_DROP] and summary.basis == "estimate":
        names[0] = f"Expected {names[0].lower()}"
    return ", ".join([names[0], *(name.lower() for name in names[1:])])


def explanation(summary: Summary) -> str:
    """Explain each finding in a sentence."""
    sentences = dict(EXPLANATIONS)
    if summary.basis == "estimate":
        sentences[Outcome.PERFORMANCE_DROP] = EXPECTED_DROP
    elif summary.basis == "labels" and not (summary.performance and summary.performance.dropped):
        sentences[Outcome.PERFORMANCE_DROP] = DROP_IN_SEGMENTS
    return " ".join(sentences[finding] for finding in _findings(summary))


def _findings(summary: Summary) -> list[Outcome]:
    """List the findings, the most serious first; without any, the outcome."""
    found = sorted(summary.findings, key=lambda o: o.severity, reverse=True)
    return found or [summary.outcome]


def window(summary: Summary | DrawnPerformance) -> str:
    """Format the window of a run or of a draw.

    ``2026-01-31 UTC``, ``2026-01-30 to 2026-01-31 UTC``, or two times.
    """
    start, end = times.from_millis(summary.start), times.from_millis(summary.end)
    if start == times.start_of(start.date()) and end == times.start_of(end.date()):
        first, last = start.date(), end.date() - times.DAY
        return f"{first} UTC" if first == last else f"{first} to {last} UTC"
    return f"{start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC"


def counts(summary: Summary) -> str:
    """Say how many rows the verdict rests on, and what was left out."""
    rows = summary.rows
    about = "" if rows.sample_share == 1.0 else "about "
    text = f"{about}{write_count(rows.distinct, 'prediction')}"
    if rows.sample_share < 1.0:
        text += f", {rows.sampled:,} of them sampled"
    if summary.reference_rows:
        text += f", compared with {write_count(summary.reference_rows, 'reference row')}"
    if rows.design_effect > 1:
        text += (
            f"; people were scored repeatedly, so {write_count(rows.sampled, 'row')} count as "
            f"{rows.independent:,}"
        )
    malformed = sum(rows.malformed.values())
    if malformed:
        most = sorted(rows.malformed.items(), key=lambda reason: -reason[1])
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in most)
        text += f"; {write_count(malformed, 'malformed row')} left out ({reasons})"
    if rows.unreadable_objects:
        text += f"; {write_count(rows.unreadable_objects, 'unreadable object')} left out"
    if rows.copies:
        text += f"; {rows.copies:,} {agree(rows.copies, 'copy', 'copies')} left out"
    return text


def rhythm(summary: Summary) -> list[str]:
    """Name what differs from the reference as it does each week, which is no drift."""
    found = [name(column) for column in summary.compared if _is_explained(*column.tests)]
    if summary.joint is not None and _is_explained(summary.joint):
        found.append("all columns together")
    within = [
        f"{name(column)} in {segment.name}"
        for segment in summary.segments
        for column in segment.columns
        if _is_explained(*column.tests)
    ]
    names = ", ".join(map(shorten, [*found, *within]))
    explained = "as on the same weekday of the weeks before, while the whole week before does not"
    return [f"Weekly rhythm: {names} differ from the reference {explained}."] if names else []


def _is_explained(*tests: Test | JointDrift) -> bool:
    return any(test.rhythm == "explained" for test in tests)


def performance(summary: Summary) -> list[str]:
    """Say how well the model performs: measured, with its label coverage, and estimated."""
    lines = []
    measured, expected = summary.performance, summary.expectation
    if measured is None:
        lines.append("Labels: none have arrived for these predictions yet, or too few to show.")
    else:
        share = "nearly all of the predictions"
        if measured.labelled is not None:
            share = f"{percent(measured.coverage)} of the predictions ({measured.labelled:,})"
        few = "" if measured.has_enough_labels else ", too few for a verdict"
        lines.append(f"Labels: known for {share}{few}.")
        lines += [
            f"{METRICS[name]}: {_figure(figure)}{_before(measured.test.get(name))}"
            for name, figure in measured.figures.items()
            if figure is not None
        ]
        if measured.calibration is not None:
            lines.append(f"Calibration: {_calibration(measured.calibration)}.")
    if summary.drawn is not None:
        lines += _drawn_labels(summary.drawn)
    lines += declines(summary)
    if expected is not None:
        lines.append(f"Expected F1: {_expected_f1(expected)} {expected.note}")
    return lines


def _calibration(found: Calibration) -> str:
    text = f"slope {_figure(found.slope)}, where 1 is right"
    if found.observed_ratio is not None:
        text += f"; {_figure(found.observed_ratio)} times as many positive outcomes as predicted"
    return text


def _drawn_labels(drawn: DrawnPerformance) -> list[str]:
    """Say what the labels of drawn predictions show."""
    labelled = "nearly all" if drawn.labelled is None else f"{drawn.labelled:,}"
    few = "" if drawn.has_enough_labels else ", too few for a verdict"
    lines = [
        f"Drawn labels: known for {labelled} of {write_count(drawn.drawn, 'prediction')} drawn "
        f"from {window(drawn)}{few}."
    ]
    return lines + [
        f"{METRICS[name]} of that window: {_figure(figure)}{_before(drawn.test.get(name))}"
        for name, figure in drawn.figures.items()
        if figure is not None
    ]


def declines(summary: Summary) -> list[str]:
    """Say what labels show to have become worse."""
    measured, drawn = summary.performance, summary.drawn
    found = [_decline(measured, name) for name in measured.declined] if measured else []
    return [*found, _drawn_decline(drawn)] if drawn is not None and drawn.dropped else found


def _drawn_decline(drawn: DrawnPerformance) -> str:
    figure, chance = drawn.figures.get("f1"), drawn.p_value or 0.0
    now = NOT_SHOWN if figure is None else f"{figure.value:.3f}"
    p = "p < 0.001" if chance < 0.001 else f"p = {chance:.3f}"
    return (
        f"F1 has fallen from {drawn.test['f1']:.3f} on the test rows to {now}, as the drawn labels "
        f"of {window(drawn)} say: by more than {MARGIN}, and they contradict the model's "
        f"probabilities ({p})."
    )


def _decline(measured: Performance, name: Measure) -> str:
    """Say what has declined, from what to what."""
    if name == "calibration":
        return "The probabilities are off by more than a quarter, and by more than chance explains."
    figure = measured.figures.get(name)
    now = NOT_SHOWN if figure is None else f"{figure.value:.3f}"
    return (
        f"{METRICS[name]} has fallen from {measured.test[name]:.3f} on the test rows to {now}: "
        f"by more than {MARGIN}, and by more than chance explains."
    )


def _expected_f1(expected: Expectation) -> str:
    text = f"{_figure(expected.f1)} if only the inputs have changed"
    shift = expected.label_shift
    if shift is not None:
        prevalence = percent(shift.prevalence)
        text += f"; {_figure(shift.f1)} if only the prevalence has changed, to {prevalence}"
    return f"{text}; on the reference {expected.reference_f1:.3f}."


def _figure(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def group_figure(figure: GroupFigure) -> str:
    """A segment's figure with its interval, and its value on the reference."""
    if figure.now is None:
        return NOT_SHOWN
    before = "" if figure.reference is None else f"; {figure.reference:.3f} on the reference"
    return f"{_figure(figure.now)}{before}"


def _before(test: float | None) -> str:
    return "" if test is None else f"; {test:.3f} on the test rows"


def name(column: ColumnDrift) -> str:
    """What people call the column."""
    return PROBABILITY if column.column == "probability" else column.title or column.name


def shorten(text: str) -> str:
    """Cut to LONGEST_NAME characters on one line, without characters that can't be printed."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"


def percent(share: float | None) -> str:
    """Format a share; None stands for one that is suppressed."""
    return NOT_SHOWN if share is None else f"{100 * share:.1f} %"
