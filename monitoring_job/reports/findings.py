"""What a run has found, each finding in one sentence with its numbers.

State output, mails, reports and the dashboard show the same sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.contract import feature
from domain.drift.drift import RATIOS, Aspect, Rhythm
from domain.drift.fairness import GroupFigure, SegmentPerformance
from domain.drift.performance import MARGIN
from domain.drift.summary import ColumnDrift, JointDrift, SegmentDrift, Summary, Test
from monitoring_job.reports.wording import (
    GROUP_FIGURES,
    NOT_SHOWN,
    declines,
    name,
    percent,
    shorten,
)

TOGETHER = "all columns together"
SHARES = {
    "missing": "the share of missing values",
    "invalid": "the share of values outside the contract",
}


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
    """Describe each finding.

    First what labels show within segments, then the drifted columns, the strongest first, then all
    columns together, then columns within segments. A column that drifted in every segment is
    mentioned once.
    """
    figures = [
        Change(segment.name, _describe_figures(segment.performance))
        for segment in summary.segments
        if segment.performance and segment.performance.changed
    ]
    within = _describe_within(summary.segments)
    alone = [Change(name(column), text) for column in summary.drifted for text in _describe(column)]
    joint = summary.joint_drift
    together = [Change(TOGETHER, _describe_joint(joint))] if joint else []
    return [*figures, *alone, *together, *within]


def sentences(summary: Summary) -> tuple[str, ...]:
    """Say each finding in one sentence: first what labels show, then what has changed."""
    return (*declines(summary), *(change.sentence for change in changes(summary)))


def _describe_within(segments: Sequence[SegmentDrift]) -> list[Change]:
    """Describe the drifted columns within segments."""
    compared: dict[str, list[ColumnDrift]] = {}
    for segment in segments:
        for column in segment.columns:
            if column.tests:
                compared.setdefault(column.column, []).append(column)
    everywhere = {
        column: found
        for column, found in compared.items()
        if len(found) > 1 and all(each.drifted for each in found)
    }
    once = [
        Change(f"{name(found[0])} in all {len(found)} segments", _describe_range(found))
        for found in everywhere.values()
    ]
    apart = [
        Change(f"{name(column)} in {segment.name}", text)
        for segment in segments
        for column in segment.drifted
        if column.column not in everywhere
        for text in _describe(column)
    ]
    return [*once, *apart]


def _describe_range(columns: Sequence[ColumnDrift]) -> str:
    """Say how far the means have moved; of other columns, that they differ."""
    moved = [
        column.current.mean - column.reference.mean
        for column in columns
        if column.current.mean is not None and column.reference.mean is not None
    ]
    if len(moved) < len(columns):
        return "it differs from the reference in each of them"
    return f"the mean moved by {min(moved):+.3g} to {max(moved):+.3g}{_unit(columns[0])}"


def _describe_figures(performance: SegmentPerformance) -> str:
    """Say from what to what the figures of a segment have changed, and how certain that is."""
    changed = (
        f"{GROUP_FIGURES[name]} {_describe_figure(performance.figures[name])}"
        for name in performance.changed
    )
    return f"by the labels of this window, {'; '.join(changed)} (limit {MARGIN:g})"


def _describe_figure(figure: GroupFigure) -> str:
    before, now = figure.reference, figure.now
    if before is None or now is None or figure.q_value is None:
        return NOT_SHOWN
    return (
        f"{_move(before, now.value)} from {before:.3f} on the reference to {now.value:.3f} "
        f"({now.low:.3f} to {now.high:.3f}, q {_chance(figure.q_value)})"
    )


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
    return f"{what} (limit {limit}, {chance}){_compare_weeks(test.rhythm)}"


def _compare_weeks(rhythm: Rhythm | None) -> str:
    """Say how the weeks before compare: a difference from the reference that lasts is no rhythm."""
    match rhythm:
        case "new":
            return "; the same weekday of the weeks before differs from it, too"
        case "lasting":
            return "; the seven days before differ from the reference, too"
    return ""


def _describe_joint(joint: JointDrift) -> str:
    by = f", mostly by {_list(joint.columns)}" if joint.columns else ""
    return (
        f"a classifier tells the window from the reference{by}; its ROC AUC is {joint.auc:.3f} "
        f"(limit {joint.limit:g}, p {_chance(joint.p_value)}){_compare_weeks(joint.rhythm)}"
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
    unit = _unit(column)
    if f"{old:g}" == f"{new:g}":
        return f"the mean is still {new:g}{unit}, but "
    return f"the mean {_move(old, new)} from {old:g} to {new:g}{unit}, and "


def _unit(column: ColumnDrift) -> str:
    return f" {column.unit}" if column.unit else ""


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
        case feature.OTHER:
            return SHARES["invalid"]
    return f"the share of {shorten(group)}"


def _move(old: float, new: float) -> str:
    return "rose" if new >= old else "fell"


def _from_to(old: float, new: float) -> str:
    return f"from {percent(old)} to {percent(new)}"
