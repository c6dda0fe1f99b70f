"""The model card: what a person should know before trusting a version, as JSON and Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.interval import Interval
from domain.model.gate import Verdict
from domain.model.left_out import LeftOut

NAMES = {
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "log_loss": "log loss",
}


def evaluation_section(
    measures: Mapping[str, Interval],
    segments: Sequence[Mapping[str, Any]],
    verdict: Verdict,
    champion_version: str | None,
) -> dict[str, Any]:
    """The card's part that the judgement fills: figures, their intervals, segments, verdict."""
    return {
        "metrics": {name: interval.value for name, interval in measures.items()},
        "intervals": {name: [i.low, i.high] for name, i in measures.items()},
        "segments": [dict(segment) for segment in segments],
        "verdict": {
            "promote": verdict.promote,
            "rule": verdict.rule,
            "reasons": list(verdict.reasons),
            "champion_version": champion_version,
        },
    }


def markdown(card: Mapping[str, Any]) -> str:
    """The whole card for people; `card` has the fields of the version's ``card.json``."""
    rows, verdict = card["rows"], card["verdict"]
    return "\n".join(
        [
            f"# Model card: {card['target']} {card['version']}",
            "",
            f"Answers the probability of `{card['target']}`; true from {card['threshold']:.4f} on. "
            "It supports a professional's judgement and replaces none; it was trained and judged "
            "on the data set named here, and says nothing about people unlike those in it.",
            "",
            "## Data",
            "",
            f"Dataset `{card['dataset_id']}`, contract `{card['contract_version']}`: "
            f"{rows['train']:,} rows to fit, {rows['valid']:,} to stop early and to choose the "
            f"threshold, {rows['test']:,} to judge. {card['prevalence']:.2%} of the rows it was "
            "fitted on are positive.",
            "",
            "### What was left out",
            "",
            *_left_out(LeftOut.from_dict(card["left_out"])),
            "",
            "## Quality on the test rows",
            "",
            *_table(
                ("figure", "value", "95 % interval"),
                [
                    (NAMES.get(n, n), f"{v:.4f}", _span(card["intervals"].get(n)))
                    for n, v in card["metrics"].items()
                ],
            ),
            "",
            "## Segments",
            "",
            *_table(
                ("segment", "rows", "positives", "F1", "95 % interval", "precision", "recall"),
                [_segment(segment) for segment in card["segments"]],
            ),
            "",
            f"## Verdict: {'promote' if verdict['promote'] else 'keep the champion'}",
            "",
            *[f"- {reason}" for reason in verdict["reasons"]],
            "",
            "## Making",
            "",
            f"{card['trees']} trees by XGBoost. Execution `{card['execution']}`, MLflow run "
            f"`{card['mlflow_run_id']}`.",
            "",
            *_table(("parameter", "value"), [(n, f"{v}") for n, v in card["params"].items()]),
            "",
        ]
    )


def _left_out(left_out: LeftOut) -> list[str]:
    sentences = (*left_out.objections(), *left_out.notes())
    if not sentences:
        return [f"Nothing: all {left_out.rows_read:,} rows of the files are in the dataset."]
    return [f"- {sentence}" for sentence in sentences]


def _segment(segment: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        segment["segment"],
        f"{segment['rows']:,}",
        f"{segment['positives']:,}",
        f"{segment['f1']:.4f}",
        _span(segment["f1_interval"]),
        f"{segment['precision']:.4f}",
        f"{segment['recall']:.4f}",
    )


def _span(bounds: Sequence[float] | None) -> str:
    return f"{bounds[0]:.4f} to {bounds[1]:.4f}" if bounds else ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines]
