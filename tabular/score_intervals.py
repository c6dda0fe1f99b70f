"""Intervals of figures that depend on scores: ROC AUC, PR AUC, Brier score, log loss, calibration.

As in `tabular.classification`, a resample is a redrawn table of counts; its cells are (label, group
of neighbouring scores).
"""

from collections.abc import Mapping

import numpy as np

from domain.interval import Interval
from tabular.calibration import BINS, bin_by_mass, positives_are_rarer
from tabular.classification import (
    Bools,
    Counts,
    Floats,
    count_cells,
    percentile_interval,
    resample,
)

SCORE_GROUPS = 1_024
"""Scores are put into this many groups of equal size, for their intervals only."""
BLOCK = 250


def score_intervals(
    labels: Bools,
    scores: Floats,
    values: Mapping[str, float],
    *,
    seed: int,
    resamples: int = 1_000,
    counts: Counts | None = None,
) -> dict[str, Interval]:
    """95 % intervals of ROC AUC, PR AUC, Brier score, log loss and calibration error.

    `values`: the exact figures, whose names choose what is computed. `counts`: see
    `tabular.classification`. The resamples see the scores
    in at most SCORE_GROUPS groups of neighbours, so that the work is the same for any number of
    rows; a group keeps its rows' mean losses, and what grouping changes is taken off again.

    So is what resampling adds to the calibration error: distances have no sign, so chance makes
    each resample's larger, and the plain percentiles of a good model lie above its value.
    """
    groups = _Groups.of(labels, scores, counts)
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


class _Groups:
    """Rows as counts per (label, group of scores), groups in descending order of the score."""

    def __init__(
        self,
        cells: Counts,
        losses: Mapping[str, Floats],
        bins: Counts,
        gaps: Floats,
        positives_are_rarer: bool,
    ) -> None:
        self.cells = cells
        self._losses, self._bins, self._gaps = losses, bins, gaps
        self._positives_are_rarer = positives_are_rarer

    @classmethod
    def of(cls, labels: Bools, scores: Floats, counts: Counts | None) -> "_Groups":
        order = np.argsort(-scores, kind="stable")
        ordered, truth = scores[order], labels[order]
        each = np.ones(len(order), np.int64) if counts is None else counts[order]
        ends = np.cumsum(each)
        ranks = (ends - each) * SCORE_GROUPS // ends[-1]
        # Equal scores stay together, in the group of the first of them.
        starts = np.r_[True, ordered[1:] != ordered[:-1]]
        ranks = ranks[np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))]
        groups = np.unique(ranks, return_inverse=True)[1]
        count = int(groups[-1]) + 1 if len(groups) else 0
        cell = groups + count * truth
        cells = count_cells(cell, 2 * count, each)
        clipped = np.clip(ordered, 1e-7, 1 - 1e-7)
        rows = np.maximum(cells, 1)

        def means(values: Floats) -> Floats:
            return np.asarray(np.bincount(cell, weights=each * values, minlength=2 * count) / rows)

        losses = {
            "brier": means((truth - ordered) ** 2),
            "log_loss": means(-np.log(np.where(truth, clipped, 1 - clipped))),
        }
        expected = np.bincount(groups, weights=each * ordered, minlength=count).astype(np.float64)
        rarer = positives_are_rarer(labels, counts)
        if rarer:
            bins = bin_by_mass(expected)
        else:  # the chances of the other class descend from the last group to the first
            others = count_cells(groups, count, each) - expected
            bins = bin_by_mass(others[::-1])[::-1]
        return cls(cells, losses, np.tile(bins, 2), means(truth - ordered), rarer)

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
        gaps = np.zeros((len(drawn), BINS))
        for index in range(BINS):
            here = self._bins == index
            gaps[:, index] = drawn[:, here] @ self._gaps[here]
        losses = {name: drawn @ mean / rows for name, mean in self._losses.items()}
        rarer = (hits if self._positives_are_rarer else alarms)[:, -1]
        calibration = np.abs(gaps).sum(axis=1) / np.maximum(rarer, 1)
        return losses | {"roc_auc": roc_auc, "pr_auc": pr_auc, "calibration_error": calibration}
