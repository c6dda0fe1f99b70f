"""Confidence intervals by the percentile bootstrap, from counts alone.

As in `tabular.classification`, a resample is a redrawn table of counts. A paired difference of F1
comes from the cells (label, challenger's prediction, champion's prediction), and the metrics of
scores from the cells (label, group of neighbouring scores).

Method: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 (percentile
intervals); paired on the same rows as in P. Koehn, "Statistical Significance Tests for Machine
Translation Evaluation" (EMNLP 2004).
"""

from collections.abc import Mapping

import numpy as np

from domain.interval import Interval
from tabular.classification import (
    RESAMPLES,
    Bools,
    Counts,
    Floats,
    divide,
    percentile_interval,
    resample,
)

SCORE_GROUPS = 1_024
"""Scores are put into this many groups of equal size, for their intervals only."""
BLOCK = 250
CALIBRATION_BINS = 10


def f1_change(
    labels: Bools, challenger: Bools, champion: Bools, *, seed: int, resamples: int = RESAMPLES
) -> Interval | None:
    """F1 of `challenger` minus F1 of `champion` on the same rows, with its paired 95 % interval.

    None when F1 is undefined for either: no row is positive, and it calls none positive.
    """
    cells = np.bincount(4 * labels + 2 * challenger + champion, minlength=8)
    values = [_f1_of(cells[None, :], shift) for shift in (1, 0)]
    if any(np.isnan(value[0]) for value in values):
        return None
    drawn = resample(cells, seed, resamples)
    spread = _f1_of(drawn, 1) - _f1_of(drawn, 0)
    return percentile_interval(float(values[0][0] - values[1][0]), spread)


def score_intervals(
    labels: Bools, scores: Floats, values: Mapping[str, float], *, seed: int, resamples: int = 1_000
) -> dict[str, Interval]:
    """95 % intervals of ROC AUC, PR AUC, Brier score, log loss and calibration error.

    `values`: the exact figures, whose names choose what is computed. The resamples see the scores
    in at most SCORE_GROUPS groups of neighbours, so that the work is the same for any number of
    rows; a group keeps its rows' mean losses, and what grouping changes is taken off again.

    So is what resampling adds to the calibration error: distances have no sign, so chance makes
    each resample's larger, and the plain percentiles of a good model lie above its value.
    """
    groups = _Groups.of(labels, scores)
    grouped = groups.metrics(groups.cells[None, :])
    blocks = [
        groups.metrics(resample(groups.cells, seed + start, min(BLOCK, resamples - start)))
        for start in range(0, resamples, BLOCK)
    ]
    found = {}
    for name, value in values.items():
        drawn = np.concatenate([block[name] for block in blocks])
        centre = drawn.mean() if name == "calibration_error" else grouped[name]
        # None of these figures can be negative.
        found[name] = percentile_interval(value, np.maximum(drawn + (value - centre), 0.0))
    return found


def calibration_error(labels: Bools, scores: Floats, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: mean distance of score and share of positives over equal bins.

    Source: C. Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017).
    """
    which = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights=labels - scores, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


class _Groups:
    """Rows as counts per (label, group of scores), groups in descending order of the score."""

    def __init__(self, cells: Counts, losses: Mapping[str, Floats], bins: Counts, gaps: Floats):
        self.cells = cells
        self._losses, self._bins, self._gaps = losses, bins, gaps

    @classmethod
    def of(cls, labels: Bools, scores: Floats) -> "_Groups":
        order = np.argsort(-scores, kind="stable")
        ordered, truth = scores[order], labels[order]
        ranks = np.arange(len(order)) * SCORE_GROUPS // len(order)
        # Equal scores stay together, in the group of the first of them.
        starts = np.r_[True, ordered[1:] != ordered[:-1]]
        ranks = ranks[np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))]
        groups = np.unique(ranks, return_inverse=True)[1]
        count = int(groups[-1]) + 1 if len(groups) else 0
        cell = groups + count * truth
        cells = np.bincount(cell, minlength=2 * count)
        clipped = np.clip(ordered, 1e-7, 1 - 1e-7)
        rows = np.maximum(cells, 1)

        def means(values: Floats) -> Floats:
            return np.asarray(np.bincount(cell, weights=values, minlength=2 * count) / rows)

        losses = {
            "brier": means((truth - ordered) ** 2),
            "log_loss": means(-np.log(np.where(truth, clipped, 1 - clipped))),
        }
        bins = np.minimum((means(ordered) * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
        return cls(cells, losses, bins, means(truth - ordered))

    def metrics(self, drawn: Counts) -> dict[str, Floats]:
        """Each metric of each resample; `drawn` is resamples x cells."""
        rows = drawn.sum(axis=1)
        half = drawn.shape[1] // 2
        negatives, positives = drawn[:, :half].astype(float), drawn[:, half:].astype(float)
        hits, alarms = positives.cumsum(axis=1), negatives.cumsum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            # A positive beats the negatives below its group and half of those within.
            below = alarms[:, -1:] - alarms + negatives / 2
            roc_auc = (positives * below).sum(axis=1) / (hits[:, -1] * alarms[:, -1])
            precision = hits / np.maximum(hits + alarms, 1)
            pr_auc = (positives * precision).sum(axis=1) / hits[:, -1]
        gaps = np.zeros((len(drawn), CALIBRATION_BINS))
        for index in range(CALIBRATION_BINS):
            here = self._bins == index
            gaps[:, index] = drawn[:, here] @ self._gaps[here]
        losses = {name: drawn @ mean / rows for name, mean in self._losses.items()}
        calibration = np.abs(gaps).sum(axis=1) / rows
        return losses | {"roc_auc": roc_auc, "pr_auc": pr_auc, "calibration_error": calibration}


def _f1_of(cells: Counts, shift: int) -> Floats:
    """F1 per line of the cells (label, challenger, champion); `shift` 1 is the challenger's bit."""
    index = np.arange(8)
    label, called = index >> 2 & 1, index >> shift & 1
    tp = cells[:, (label & called).astype(bool)].sum(axis=1)
    wrong = cells[:, (label ^ called).astype(bool)].sum(axis=1)
    return divide(2 * tp, 2 * tp + wrong)
