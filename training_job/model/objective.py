"""The contract's objective, computed from counts of right and wrong answers."""

import numpy as np
import numpy.typing as npt

from domain.contract.objective import Objective
from tabular.classification import Bools, Counts, Floats


def count_answers(labels: Bools, predicted: Bools) -> Counts:
    """``[tn, fp, fn, tp]``."""
    return np.bincount(2 * labels + predicted, minlength=4)


def weigh_answers(labels: Bools, predicted: Bools, weights: Floats | Counts | None) -> Floats:
    """The same where each row counts as often as its weight says."""
    return np.bincount(2 * labels + predicted, weights=weights, minlength=4).astype(np.float64)


def evaluate_counts(objective: Objective, counts: npt.ArrayLike) -> Floats:
    """The objective's metric of each line ``[tn, fp, fn, tp]``; NaN where it is undefined.

    The counts may be expected ones, so no whole numbers.
    """
    tn, fp, fn, tp = np.asarray(counts, dtype=np.float64).T
    with np.errstate(invalid="ignore", divide="ignore"):
        if objective.cost is not None:
            each = objective.cost
            paid = each.false_positive * fp + each.false_negative * fn
            constant = np.minimum(each.false_positive * (tn + fp), each.false_negative * (fn + tp))
            value = np.where(constant > 0, 1 - paid / constant, np.nan)
        elif objective.metric == "precision":
            value = tp / (tp + fp)
        elif objective.metric == "recall":
            value = tp / (tp + fn)
        else:
            value = 2 * tp / (2 * tp + fp + fn)
    return np.asarray(value)


def evaluate_constant(
    objective: Objective, labels: Bools, weights: Floats | Counts | None = None
) -> float:
    """The metric of the better of "yes to all" and "no to all": what needs no model.

    Where a precision is required, "yes to all" counts only if it has that.
    """
    negatives, positives = np.bincount(labels, weights=weights, minlength=2).tolist()
    required = objective.minimum_precision
    if required is not None and positives < required * (negatives + positives):
        return 0.0
    answers = [[0, negatives, 0, positives], [negatives, 0, positives, 0]]
    return float(np.nanmax(evaluate_counts(objective, answers)))
