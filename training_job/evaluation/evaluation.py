"""Quality figures with confidence intervals, overall and per segment, and the paired comparison."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from domain.interval import Interval
from domain.model.card import SegmentFigures
from domain.model.gate import Paired, SegmentChange
from tabular.classification import FIGURES, Bools, confusion_intervals
from training_job.evaluation.bootstrap import (
    calibration_error,
    f1_change,
    score_intervals,
)
from training_job.model.model import quality

Masks = Mapping[str, Bools]
NO_SKILL = Interval(0.0, 0.0, 0.0)


def measure(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, threshold: float, *, seed: int
) -> dict[str, Interval]:
    """The figures of a model card, each with its 95 % bootstrap interval.

    On the whole test set an undefined figure, such as the precision of a model that calls no row
    positive, counts as 0, because the gate needs a number.
    """
    truth = np.asarray(labels).astype(bool)
    scores = np.asarray(probabilities, dtype=np.float64)
    values = quality(np.asarray(labels), scores, threshold)
    values["calibration_error"] = calibration_error(truth, scores)
    counted = confusion_intervals(truth, scores >= threshold, seed=seed)
    defined = {name: interval or NO_SKILL for name, interval in counted.items()}
    rest = {name: value for name, value in values.items() if name not in FIGURES}
    return defined | score_intervals(truth, scores, rest, seed=seed)


def measure_segments(
    labels: npt.ArrayLike, predicted: Bools, masks: Masks, *, seed: int
) -> tuple[SegmentFigures, ...]:
    """Rows, positives, and F1, precision, recall with intervals, of every segment that has rows."""
    truth = np.asarray(labels).astype(bool)
    return tuple(
        _measure_segment(name, truth[mask], predicted[mask], seed=seed)
        for name, mask in masks.items()
        if mask.any()
    )


def _measure_segment(name: str, truth: Bools, predicted: Bools, *, seed: int) -> SegmentFigures:
    figures = confusion_intervals(truth, predicted, seed=seed)
    f1, precision, recall = figures["f1"], figures["precision"], figures["recall"]
    return SegmentFigures(
        segment=name,
        rows=len(truth),
        positives=int(truth.sum()),
        f1=f1.value if f1 else None,
        f1_interval=(f1.low, f1.high) if f1 else None,
        precision=precision.value if precision else None,
        precision_interval=(precision.low, precision.high) if precision else None,
        recall=recall.value if recall else None,
        recall_interval=(recall.low, recall.high) if recall else None,
    )


def compare_pairwise(
    labels: npt.ArrayLike,
    challenger: Bools,
    champion: Bools,
    masks: Masks,
    *,
    version: str,
    seed: int,
) -> Paired:
    """Compare two models' predictions on the same rows.

    `version`: the champion's. The gain is zero where F1 is undefined on the test rows.
    """
    truth = np.asarray(labels).astype(bool)
    gain = f1_change(truth, challenger, champion, seed=seed) or NO_SKILL
    segments = tuple(
        SegmentChange(
            name,
            int(mask.sum()),
            f1_change(truth[mask], challenger[mask], champion[mask], seed=seed)
            if mask.any()
            else None,
        )
        for name, mask in masks.items()
    )
    f1 = confusion_intervals(truth, champion, seed=seed)["f1"] or NO_SKILL
    return Paired(version, f1.value, gain, segments)
