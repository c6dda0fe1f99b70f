"""Quality figures with confidence intervals, overall and per segment, and the paired comparison."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.contract import Contract
from domain.contract.feature import Segment
from domain.interval import Interval
from domain.model.card import SegmentFigures
from domain.model.gate import Paired, SegmentChange
from training_job.evaluation.bootstrap import (
    Bools,
    calibration_error,
    confusion_intervals,
    f1_change,
    score_intervals,
)
from training_job.model.model import quality

Masks = Mapping[str, Bools]
COUNTED = ("f1", "precision", "recall")


def segment_masks(table: pa.Table, contract: Contract) -> dict[str, Bools]:
    """Which rows belong to each segment, by the segment's name; a missing value belongs to none."""
    masks: dict[str, Bools] = {}
    for segment in contract.segments:
        masks |= _groups(table.column(segment.feature), segment, contract)
    return masks


def _groups(column: pa.ChunkedArray, segment: Segment, contract: Contract) -> dict[str, Bools]:
    feature = next(f for f in contract.features if f.name == segment.feature)
    names = segment.labels(feature)
    if segment.bounds:
        values = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
        which = np.where(np.isnan(values), -1, np.digitize(values, segment.bounds))
    else:
        categories = feature.categories if feature.kind == "category" else ("0", "1")
        texts = pc.cast(column, pa.string())
        codes = pc.index_in(texts, value_set=pa.array(categories, pa.string()))
        which = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False)
    return {name: which == index for index, name in enumerate(names)}


def measure(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, threshold: float, *, seed: int
) -> dict[str, Interval]:
    """The figures of a model card, each with its 95 % bootstrap interval."""
    truth = np.asarray(labels).astype(bool)
    scores = np.asarray(probabilities, dtype=np.float64)
    values = quality(np.asarray(labels), scores, threshold)
    values["calibration_error"] = calibration_error(truth, scores)
    counted = confusion_intervals(truth, scores >= threshold, seed=seed)
    rest = {name: value for name, value in values.items() if name not in COUNTED}
    return counted | score_intervals(truth, scores, rest, seed=seed)


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
        f1=f1.value,
        f1_interval=(f1.low, f1.high),
        precision=precision.value,
        precision_interval=(precision.low, precision.high),
        recall=recall.value,
        recall_interval=(recall.low, recall.high),
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
    gain = f1_change(truth, challenger, champion, seed=seed) or Interval(0.0, 0.0, 0.0)
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
    f1 = confusion_intervals(truth, champion, seed=seed)["f1"].value
    return Paired(version, f1, gain, segments)
