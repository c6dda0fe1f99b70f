"""Quality figures with confidence intervals, overall and per segment, and the paired comparison."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from domain.contract.objective import Objective
from domain.interval import Interval
from domain.model.card import SegmentFigures
from domain.model.gate import Paired, SegmentChange
from tabular.classification import FIGURES, Bools, confusion_intervals
from training_job.evaluation.bootstrap import metric_interval, paired_change, score_intervals
from training_job.evaluation.calibration import calibration_error
from training_job.model.model import quality

Masks = Mapping[str, Bools]
NO_SKILL = Interval(0.0, 0.0, 0.0)


def measure(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    threshold: float,
    *,
    objective: Objective,
    seed: int,
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
    if objective.cost is not None:
        saved = metric_interval(objective, truth, scores >= threshold, seed=seed)
        counted["saved_cost"] = saved
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
    objective: Objective,
    version: str,
    seed: int,
) -> Paired:
    """Compare two models' answers to the same rows by the objective's metric.

    `version`: the champion's. The gain is zero where the metric is undefined on the test rows.
    """
    truth = np.asarray(labels).astype(bool)
    change = paired_change(objective, truth, challenger, champion, seed=seed)
    changes = {
        name: paired_change(objective, truth[mask], challenger[mask], champion[mask], seed=seed)
        for name, mask in masks.items()
        if mask.any()
    }
    value = metric_interval(objective, truth, champion, seed=seed) or NO_SKILL
    recall = confusion_intervals(truth, champion, seed=seed)["recall"] or NO_SKILL
    return Paired(
        version=version,
        value=value.value,
        gain=change.interval if change else NO_SKILL,
        standard_error=change.standard_error if change else 0.0,
        recall=recall,
        segments=tuple(
            SegmentChange(
                name, int(masks[name].sum()), int(truth[masks[name]].sum()), change.interval
            )
            for name, change in changes.items()
            if change is not None
        ),
    )
