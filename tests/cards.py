"""Model cards for tests."""

from dataclasses import replace
from typing import Any

from domain.model.card import CardVerdict, ModelCard, SegmentFigures
from domain.model.left_out import LeftOut
from domain.model.missing_effect import MissingEffect

SEGMENT = SegmentFigures(
    segment="gender=Female",
    rows=900,
    positives=80,
    f1=0.78,
    f1_interval=(0.71, 0.84),
    precision=0.9,
    precision_interval=(0.84, 0.95),
    recall=0.69,
    recall_interval=(0.6, 0.77),
)


def make_card(version: str, **changes: Any) -> ModelCard:
    """A plausible card of a version, with some fields changed."""
    card = ModelCard(
        version=version,
        registered_at=1,
        execution="execution-1",
        mlflow_run_id="0f" * 16,
        dataset_id="a3" * 32,
        contract_version="c" * 12,
        target="diabetes",
        threshold=0.4,
        trees=5,
        params={"max_depth": 4, "learning_rate": 0.0734},
        rows={"train": 70_000, "valid": 15_000, "test": 15_000},
        prevalence=0.085,
        left_out=LeftOut(
            rows_read=100_000,
            rows_quarantined=0,
            rows_repeated=0,
            reasons={},
            copies={},
            repeats=(),
            prevalence_read=0.085,
            prevalence_kept=0.085,
        ),
        missing=(
            MissingEffect(
                feature="bmi",
                mean=0.083,
                usual_mean=0.081,
                false_positives=0.005,
                usual_false_positives=0.004,
                roc_auc=0.975,
                learned=False,
            ),
        ),
        reference_rows=10_000,
        metrics={"f1": 0.8, "precision": 0.9, "recall": 0.72},
        intervals={"f1": (0.79, 0.81)},
        segments=(SEGMENT,),
        verdict=CardVerdict(
            promote=True, rule="first", reasons=("The limits hold.",), champion_version=None
        ),
    )
    return replace(card, **changes)
