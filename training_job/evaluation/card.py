"""The model card for people: the part that the evaluation fills, and the whole as Markdown."""

from collections.abc import Mapping, Sequence

from domain.contract.gate_limits import GateLimits
from domain.contract.objective import Objective
from domain.drift.disclosure import SMALLEST_GROUP
from domain.interval import Interval
from domain.model.card import (
    Bounds,
    CardVerdict,
    ModelCard,
    Quality,
    RecentFigures,
    SegmentFigures,
)
from domain.model.gate.evidence import Paired, Recent
from domain.model.gate.rules import Verdict
from domain.model.left_out import LeftOut
from domain.model.missing_effect import MissingEffect
from domain.plural import write_count

NAMES = {
    "f1": "F1",
    "saved_cost": "saved cost",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "brier": "Brier score",
    "relative_calibration_error": "relative calibration error",
    "log_loss": "log loss",
}


SEGMENTS_NOTE = (
    "In brackets: 95 % intervals. Recall is the true positive rate. The relative calibration error "
    "is the share of the rarer outcome's rows that the probabilities expect in the wrong place. A "
    f"figure is missing where it has no denominator or would describe fewer than {SMALLEST_GROUP} "
    "rows; counts that would reveal so few are not shown."
)


def evaluation_section(
    measures: Mapping[str, Interval],
    segments: tuple[SegmentFigures, ...],
    verdict: Verdict,
    champion_version: str | None,
) -> Quality:
    """Arrange an evaluation's figures, segments and verdict as the card has them."""
    return Quality(
        metrics={name: interval.value for name, interval in measures.items()},
        intervals={name: (i.low, i.high) for name, i in measures.items()},
        segments=segments,
        verdict=CardVerdict(
            promote=verdict.promote,
            rule=verdict.rule,
            reasons=verdict.reasons,
            champion_version=champion_version,
        ),
    )


def recent_section(recent: Recent | None, limits: GateLimits) -> RecentFigures | None:
    """What production rows said; None where they were too few to say anything."""
    if recent is None or (role := recent.choose_role(limits)) == "none":
        return None
    champion, figures = recent.evidence.champion, recent.evidence.figures
    gain = champion.gain if isinstance(champion, Paired) else None
    return RecentFigures(
        role=role,
        start=recent.start,
        end=recent.end,
        labels=recent.labels,
        positives=recent.positives,
        effective_rows=recent.effective_rows,
        metrics={name: interval.value for name, interval in figures.items()},
        intervals={name: (i.low, i.high) for name, i in figures.items()},
        gain=gain.value if gain else None,
        gain_interval=(gain.low, gain.high) if gain else None,
        detectable_gain=recent.detectable_gain,
    )


def production_metrics(card: ModelCard) -> dict[str, float]:
    """The card's figures of production rows and of the replay, for MLflow."""
    found: dict[str, float] = {}
    if card.production is not None:
        found |= {
            "production_rows": card.production.rows,
            "production_label_coverage": card.production.coverage.share,
        }
    if card.recent is not None:
        found |= {f"production_{name}": value for name, value in card.recent.metrics.items()}
        if card.recent.gain is not None:
            found["production_gain"] = card.recent.gain
    if card.replay is not None:
        found |= {
            "replay_changed_answers": card.replay.changed,
            "replay_score_shift": card.replay.score_shift,
        }
    return found


def to_markdown(card: ModelCard) -> str:
    """Write the whole card for people."""
    rows, verdict = card.rows, card.verdict
    return "\n".join(
        [
            f"# Model card: {card.target} {card.version}",
            "",
            f"The model estimates the probability of `{card.target}`. From {card.threshold:.4f} on "
            f"the answer is positive; this threshold has {_describe_objective(card.objective)}. It "
            "supports a professional's judgement and does not replace "
            "it. It was trained and tested on the dataset named below; nothing is known about its "
            "quality for people unlike those in that dataset.",
            "",
            "## Data",
            "",
            f"Dataset `{card.dataset_id}`, contract `{card.contract_version}`: "
            f"{write_count(rows['train'], 'training row')}, "
            f"{write_count(rows['valid'], 'validation row')} (for early stopping and the "
            f"threshold) and {write_count(rows['test'], 'test row')}. {card.prevalence:.2%} of "
            "the training rows are positive.",
            *_effective(card),
            "",
            "### What was left out",
            "",
            *_left_out(card.left_out),
            "",
            *_production(card),
            "## Quality on the test rows",
            "",
            *_table(
                ("figure", "value", "95 % interval"),
                [
                    (NAMES.get(n, n), f"{v:.4f}", _span(card.intervals.get(n)))
                    for n, v in card.metrics.items()
                ],
            ),
            "",
            "## Segments",
            "",
            *_table(
                ("segment", "rows", "positives", "F1", "precision", "recall"),
                [_segment_row(segment) for segment in card.segments],
            ),
            "",
            *_table(
                ("segment", "called positive", "false positive rate", "relative calibration error"),
                [_fairness_row(segment) for segment in card.segments],
            ),
            "",
            SEGMENTS_NOTE,
            "",
            "## What the answers rest on",
            "",
            *_importance(card),
            "",
            "## When a value is missing",
            "",
            *_missing(card.missing),
            "",
            f"## Verdict: {'promote' if verdict.promote else 'keep the champion'}",
            "",
            *[f"- {reason}" for reason in verdict.reasons],
            "",
            "## Training",
            "",
            f"{write_count(card.trees, 'tree')}, fitted with XGBoost. Execution "
            f"`{card.execution}`, MLflow run `{card.mlflow_run_id}`.",
            "",
            *_table(("parameter", "value"), [(n, f"{v}") for n, v in card.params.items()]),
            "",
        ]
    )


def _describe_objective(objective: Objective) -> str:
    if objective.cost is not None:
        each = objective.cost
        return (
            f"the lowest expected cost, {each.false_negative:g} for a missed positive and "
            f"{each.false_positive:g} for a false alarm"
        )
    if objective.minimum_recall is not None:
        return f"the highest precision with a recall of at least {objective.minimum_recall:g}"
    if objective.minimum_precision is not None:
        return f"the highest recall with a precision of at least {objective.minimum_precision:g}"
    return "the highest expected F1"


def _effective(card: ModelCard) -> list[str]:
    if card.effective_test_rows is None:
        return []
    return [
        "",
        "The rows have weights, which all figures allow for: the test rows are as informative as "
        f"{write_count(round(card.effective_test_rows), 'row')} of equal weight.",
    ]


def _left_out(left_out: LeftOut) -> list[str]:
    sentences = (*left_out.objections(), *left_out.notes())
    if not sentences:
        return [
            f"Nothing: all {write_count(left_out.rows_read, 'row')} of the files are in the "
            "dataset."
        ]
    return [f"- {sentence}" for sentence in sentences]


def _production(card: ModelCard) -> list[str]:
    """Sections on production rows and on the replay; nothing where there was neither."""
    lines: list[str] = []
    if card.production is not None:
        lines += ["### Production rows", "", *(f"- {n}" for n in card.production.notes()), ""]
    if card.recent is not None:
        recent = card.recent
        figures = [
            (NAMES.get(n, n), f"{v:.4f}", _span(recent.intervals.get(n)))
            for n, v in recent.metrics.items()
        ]
        lines += [
            "## Quality on the newest production rows",
            "",
            f"{write_count(recent.labels, 'row')}, {write_count(recent.positives, 'positive')}.",
            "",
            *_table(("figure", "value", "95 % interval"), figures),
            "",
        ]
    if card.replay is not None:
        rows = [("all", card.replay), *card.replay.segments.items()]
        lines += [
            "## Replay of logged requests",
            "",
            *_table(
                ("segment", "requests", "answers changed", "changed to positive", "score shift"),
                [
                    (n, f"{g.rows:,}", f"{g.changed:.2%}", f"{g.to_positive:.2%}",
                     f"{g.score_shift:+.4f}")
                    for n, g in rows
                ],
            ),
            "",
        ]  # fmt: skip
    return lines


def _importance(card: ModelCard) -> list[str]:
    if card.curves is None or not card.curves.importance:
        return ["Not measured."]
    return _table(
        ("feature", "mean absolute SHAP value, log odds"),
        [(name, f"{value:.3g}") for name, value in card.curves.importance.items()],
    )


def _missing(effects: Sequence[MissingEffect]) -> list[str]:
    if not effects:
        return ["No feature may be missing."]
    return _table(
        ("missing", "mean answer", "negatives answered positive", "ROC AUC", "learned from"),
        [
            (
                effect.feature,
                f"{effect.mean:.2%} instead of {effect.usual_mean:.2%}",
                f"{effect.false_positives:.2%} instead of {effect.usual_false_positives:.2%}",
                f"{effect.roc_auc:.4f}",
                "missing values" if effect.learned else "values blanked at random",
            )
            for effect in effects
        ],
    )


def _segment_row(segment: SegmentFigures) -> tuple[str, ...]:
    return (
        segment.segment,
        _format_count(segment.rows),
        _format_count(segment.positives),
        _format_figure(segment.f1, segment.f1_interval),
        _format_figure(segment.precision, segment.precision_interval),
        _format_figure(segment.recall, segment.recall_interval),
    )


def _fairness_row(segment: SegmentFigures) -> tuple[str, ...]:
    figures = (
        (segment.selection_rate, segment.selection_rate_interval),
        (segment.false_positive_rate, segment.false_positive_rate_interval),
        (segment.calibration_error, segment.calibration_error_interval),
    )
    return (segment.segment, *(_format_figure(*each) for each in figures))


def _format_count(rows: int | None) -> str:
    return "not shown" if rows is None else f"{rows:,}"


def _format_figure(figure: float | None, bounds: Bounds | None) -> str:
    if figure is None:
        return "-"
    return f"{figure:.3g} ({bounds[0]:.3g} to {bounds[1]:.3g})" if bounds else f"{figure:.3g}"


def _span(bounds: Bounds | None) -> str:
    return f"{bounds[0]:.4f} to {bounds[1]:.4f}" if bounds else ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines]
