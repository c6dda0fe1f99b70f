"""Choose the threshold: from which probability on an answer is positive.

The threshold that is best on the validation rows follows their chance: as counted there, the metric
jumps from one threshold to the next. So each row counts with its probability instead of its label,
and the *expected* metric is maximised (Z. Lipton, C. Elkan and B. Naryanaswamy, "Optimal
Thresholding of Classifiers to Maximize F1 Measure", 2014). That takes calibrated probabilities, as
a fit to the log loss has them; the gate refuses a model whose probabilities are not.

A required recall maximises nothing: the threshold is a quantile of the positives' probabilities,
such that recall is above the requirement with a confidence of 90 %.

A required precision asks for the lowest threshold at which it is surely reached. What is expected
there is the mean probability of the rows that are called positive. It must be above the requirement
by as much as a count of right answers among so many rows would have to be for a confidence of 90 %
(C. Clopper and E. Pearson, "The Use of Confidence or Fiducial Limits", 1934). The labels
don't count: the lowest threshold at which they seem to be enough is the one at which chance helped
most.

With counts each line stands for so many rows. With weights each of these counts so many times; the
confidence then is that of as many rows of equal weight as are equally informative.
"""

import numpy as np
from scipy.stats import beta, binom

from domain.contract.objective import Objective
from tabular.classification import Bools, Counts, Floats
from training_job.model.objective import evaluate_counts

TINY = 1e-9
CONFIDENCE = 0.9
"""That a required recall or precision is reached on new rows."""


def choose_threshold(
    labels: Bools,
    probabilities: Floats,
    objective: Objective,
    weights: Floats | None = None,
    counts: Counts | None = None,
) -> float:
    """The best threshold by validation rows, of which one at least must be positive.

    `weights`: how much each row counts. `counts`: see `tabular.classification`.

    It lies midway between two neighbouring probabilities.
    """
    rows = np.ones(len(labels)) if counts is None else counts.astype(np.float64)
    if weights is not None:
        there = weights > 0
        labels, probabilities = labels[there], probabilities[there]
        rows, weights = rows[there], weights[there]
    order = np.argsort(-probabilities, kind="stable")
    ordered = probabilities[order]
    # No threshold separates equal probabilities.
    cuts = np.flatnonzero(np.r_[ordered[:-1] != ordered[1:], True])
    weight = np.ones(len(ordered)) if weights is None else weights[order]
    each, squares = rows[order] * weight, rows[order] * weight**2
    if objective.minimum_precision is not None:
        surely = _bound_precision(each, squares, ordered)[cuts]
        enough = np.flatnonzero(surely >= objective.minimum_precision)
        best = int(cuts[enough[-1] if len(enough) else np.argmax(surely)])
    elif objective.minimum_recall is None:
        tp = np.cumsum(each * ordered)
        called = np.cumsum(each)
        fp, fn = called - tp, tp[-1] - tp
        counts = np.column_stack([called[-1] - called - fn, fp, fn, tp])
        best = int(cuts[np.nanargmax(evaluate_counts(objective, counts[cuts]))])
    else:
        found = np.cumsum(each * labels[order])[cuts]
        positive = labels[order]
        effective = each[positive].sum() ** 2 / max(squares[positive].sum(), TINY)
        positives = max(round(effective), 1)
        share = _count_wanted(objective.minimum_recall, positives) / positives
        best = int(cuts[np.argmax(found >= share * found[-1] - TINY)])
    below = ordered[best + 1] if best + 1 < len(ordered) else 0.0
    return float((ordered[best] + below) / 2)


def _bound_precision(each: Floats, squares: Floats, chances: Floats) -> Floats:
    """What the precision surely is if all lines up to each one are called positive.

    `each`: the sum of a line's weights. `squares`: the sum of their squares.
    """
    called = np.cumsum(each)
    rows = called**2 / np.cumsum(squares)
    right = rows * np.cumsum(each * chances) / called
    return np.asarray(beta.ppf(1 - CONFIDENCE, np.maximum(right, TINY), rows - right + 1))


def _count_wanted(recall: float, positives: int) -> int:
    """How many of the positives must be found; all where even that leaves more doubt.

    The share of all positives above the k-th highest of n probabilities has the distribution
    Beta(k, n + 1 - k), whatever the probabilities are (S. Wilks, "Determination of Sample Sizes for
    Setting Tolerance Limits", 1941).
    """
    return min(int(binom.ppf(CONFIDENCE, positives, recall)) + 1, positives)
