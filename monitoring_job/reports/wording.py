"""The sentences of a verdict, in mails and in report headers."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain import times
from domain.drift import drift
from domain.drift.drift import RATIOS, Aspect, Outcome
from domain.drift.performance import MARGIN, Calibration, Expectation, Measure, Performance
from domain.drift.summary import ColumnDrift, JointDrift, Summary, Test
from domain.interval import Interval

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
PROBABILITY = "predicted probability"
EXPECTED_DROP = (
    "The model is expected to perform worse than on its reference sample, whether only the inputs "
    "or only the prevalence has changed. This is an estimate from its own probabilities; only "
    "labels can confirm it."
)
LONGEST_NAME = 80
"""Characters of a name that a sentence repeats: a category's name may have any length."""
TOGETHER = "all columns together"
SHARES = {
    "missing": "the share of missing values",
    "invalid": "the share of values outside the contract",
}
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
    estimated = {Outcome.PERFORMANCE_DROP: EXPECTED_DROP} if summary.basis == "estimate" else {}
    sentences = EXPLANATIONS | estimated
    return " ".join(sentences[finding] for finding in _findings(summary))


def _findings(summary: Summary) -> list[Outcome]:
    """List the findings, the most serious first; without any, the outcome."""
    found = sorted(summary.findings, key=lambda o: o.severity, reverse=True)
    return found or [summary.outcome]


def window(summary: Summary) -> str:
    """Format the window: ``2026-01-31 UTC``, ``2026-01-30 to 2026-01-31 UTC``, or two times."""
    start, end = times.from_millis(summary.start), times.from_millis(summary.end)
    if start == times.start_of(start.date()) and end == times.start_of(end.date()):
        first, last = start.date(), end.date() - times.DAY
        return f"{first} UTC" if first == last else f"{first} to {last} UTC"
    return f"{start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC"


def counts(summary: Summary) -> str:
    """Say how many rows the verdict rests on, and what was left out."""
    rows = summary.rows
    about = "" if rows.sample_share == 1.0 else "about "
    text = f"{about}{rows.distinct:,} predictions"
    if rows.sample_share < 1.0:
        text += f", {rows.sampled:,} of them sampled"
    if summary.reference_rows:
        text += f", compared with {summary.reference_rows:,} reference rows"
    malformed = sum(rows.malformed.values())
    if malformed:
        most = sorted(rows.malformed.items(), key=lambda reason: -reason[1])
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in most)
        text += f"; {malformed:,} malformed rows left out ({reasons})"
    if rows.unreadable_objects:
        text += f"; {rows.unreadable_objects:,} unreadable objects left out"
    if rows.copies:
        text += f"; {rows.copies:,} copies left out"
    return text


def performance(summary: Summary) -> list[str]:
    """Say how well the model performs: measured, with its label coverage, and estimated."""
    lines = []
    measured, expected = summary.performance, summary.expectation
    if measured is None:
        lines.append("Labels: none have arrived for these predictions yet, or too few to show.")
    else:
        share = "nearly all of the predictions"
        if measured.labelled is not None:
            share = f"{_percent(measured.coverage)} of the predictions ({measured.labelled:,})"
        few = "" if measured.has_enough_labels else ", too few for a verdict"
        lines.append(f"Labels: known for {share}{few}.")
        lines += [
            f"{METRICS[name]}: {_figure(figure)}{_before(measured.test.get(name))}"
            for name, figure in measured.figures.items()
            if figure is not None
        ]
        if measured.calibration is not None:
            lines.append(f"Calibration: {_calibration(measured.calibration)}.")
        lines += [_decline(measured, name) for name in measured.declined]
    if expected is not None:
        lines.append(f"Expected F1: {_expected_f1(expected)} {expected.note}")
    return lines


def _calibration(found: Calibration) -> str:
    text = f"slope {_figure(found.slope)}, where 1 is right"
    if found.observed_ratio is not None:
        text += f"; {_figure(found.observed_ratio)} times as many positive outcomes as predicted"
    return text


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
        prevalence = _percent(shift.prevalence)
        text += f"; {_figure(shift.f1)} if only the prevalence has changed, to {prevalence}"
    return f"{text}; on the reference {expected.reference_f1:.3f}."


def _figure(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _before(test: float | None) -> str:
    return "" if test is None else f"; {test:.3f} on the test rows"


@dataclass(frozen=True, slots=True)
class Change:
    """One finding, as text: what has changed, and from what to what."""

    name: str
    text: str

    @property
    def sentence(self) -> str:
        """All of it."""
        return f"{self.name}: {self.text}."


def changes(summary: Summary) -> list[Change]:
    """Describe each finding: of columns, the strongest first, of all together, within segments."""
    within = [
        Change(f"{name(column)} in {segment.name}", text)
        for segment in summary.drifted_segments
        for column in segment.drifted
        for text in _describe(column)
    ]
    alone = [Change(name(column), text) for column in summary.drifted for text in _describe(column)]
    joint = summary.joint_drift
    together = [Change(TOGETHER, _describe_joint(joint))] if joint else []
    return [*alone, *together, *within]


def sentences(summary: Summary) -> tuple[str, ...]:
    """The same as whole sentences."""
    return tuple(change.sentence for change in changes(summary))


def name(column: ColumnDrift) -> str:
    """What people call the column."""
    return PROBABILITY if column.column == "probability" else column.name


def _describe(column: ColumnDrift) -> list[str]:
    """Describe the strongest finding of each aspect."""
    found = (test for test in column.tests if test.drifted)
    strongest: dict[Aspect, Test] = {}
    for test in sorted(found, key=lambda test: test.strength, reverse=True):
        strongest.setdefault(test.aspect, test)
    return [_describe_test(test, column) for test in strongest.values()]


def _describe_test(test: Test, column: ColumnDrift) -> str:
    """Say what has changed from what to what, by how much, and how certain that is."""
    limit, chance = f"{test.limit:g}", f"q {_chance(test.q_value)}"
    match test.method:
        case "wasserstein":
            moved = f"the distribution moved by {test.effect:.2f} standard deviations"
            what = f"{_describe_means(column)}{moved}"
        case "jensenshannon":
            what = f"{_describe_groups(column)}the distance of the shares is {test.effect:.2f}"
        case "odds_ratio":
            limit = limit if test.effect >= 1 else f"1/{limit}"
            what = f"{_describe_share(test)}; the odds ratio is {test.effect:.2f}"
        case "share_difference":
            least = "at least " if None in (test.before, test.after) else ""
            grown = f"by {least}{100 * test.effect:.1f} points"
            what, limit = f"{_describe_share(test)}, {grown}", f"{100 * test.limit:g}"
        case "share_ratio":
            limit = limit if test.effect >= 1 else f"1/{limit}"
            what = f"{_describe_share(test)}, {test.effect:.2f} times that of the reference"
            chance = f"p {_chance(test.p_value)}"
    return f"{what} (limit {limit}, {chance})"


def _describe_joint(joint: JointDrift) -> str:
    by = f", mostly by {_list(joint.columns)}" if joint.columns else ""
    return (
        f"a classifier tells the window from the reference{by}; its ROC AUC is {joint.auc:.3f} "
        f"(limit {joint.limit:g}, p {_chance(joint.p_value)})"
    )


def _list(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _chance(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"= {value:.4f}"


def _describe_means(column: ColumnDrift) -> str:
    old, new = column.reference.mean, column.current.mean
    if old is None or new is None:
        return ""
    if f"{old:g}" == f"{new:g}":
        return f"the mean is still {new:g}, but "
    return f"the mean {_move(old, new)} from {old:g} to {new:g}, and "


def _describe_groups(column: ColumnDrift) -> str:
    """Describe the group whose share has moved most."""
    old, new = column.reference.shares, column.current.shares
    moved = {
        group: abs(new.get(group, 0.0) - old.get(group, 0.0)) for group in sorted({*old, *new})
    }
    if not moved:
        return ""
    group = max(moved, key=lambda g: moved[g])
    before, after = old.get(group, 0.0), new.get(group, 0.0)
    return f"{_name_share(group)} {_move(before, after)} {_from_to(before, after)}, and "


def _describe_share(test: Test) -> str:
    share = _name_share(test.group)
    if test.before is None or test.after is None:
        rose = "rose" if test.effect > (1 if test.method in RATIOS else 0) else "fell"
        return f"{share} {rose} (shares of so few rows are not shown)"
    return f"{share} {_move(test.before, test.after)} {_from_to(test.before, test.after)}"


def _name_share(group: str | None) -> str:
    match group:
        case None:
            return "the share of a small group"
        case "missing" | "invalid":
            return SHARES[group]
        case "positive":
            return "the share of positive predictions"
        case drift.OTHER:
            return SHARES["invalid"]
    return f"the share of {shorten(group)}"


def shorten(text: str) -> str:
    """Cut to LONGEST_NAME characters on one line, without characters that can't be printed."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"


def _move(old: float, new: float) -> str:
    return "rose" if new >= old else "fell"


def _from_to(old: float, new: float) -> str:
    return f"from {_percent(old)} to {_percent(new)}"


def _percent(share: float | None) -> str:
    return NOT_SHOWN if share is None else f"{100 * share:.1f} %"
