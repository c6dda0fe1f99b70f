"""What is measured of each group of people, on the model card and in production alike."""

import numpy as np

from domain.interval import Interval
from tabular.calibration import calibration_error
from tabular.classification import Bools, Counts, Floats, group_intervals
from tabular.score_intervals import score_intervals


def measure_group(
    labels: Bools, scores: Floats, predicted: Bools, *, seed: int, counts: Counts | None = None
) -> dict[str, Interval | None]:
    """The GROUP_FIGURES of one group's rows and its calibration error, with 95 % intervals.

    `counts`: see `tabular.classification`. None where a figure is undefined; the calibration error
    is, unless there are rows of both classes.
    """
    figures = group_intervals(labels, predicted, seed=seed, counts=counts)
    if not 0 < np.count_nonzero(labels) < len(labels):
        return {**figures, "calibration_error": None}
    error = {"calibration_error": calibration_error(labels, scores, counts)}
    return {**figures, **score_intervals(labels, scores, error, seed=seed, counts=counts)}
