"""F1, precision and recall: undefined figures are None, in both jobs alike."""

import numpy as np
import pytest

from domain.interval import Interval
from tabular.classification import bootstrap_figures, confusion_intervals

NONE = np.zeros(500, dtype=bool)
ALL = np.ones(500, dtype=bool)
FIRST = np.arange(500) == 0
PERFECT = Interval(1.0, 1.0, 1.0)
NOTHING = Interval(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("labels", "predicted", "expected"),
    [
        (NONE, NONE, {"f1": None, "precision": None, "recall": None}),
        (NONE, ALL, {"f1": NOTHING, "precision": NOTHING, "recall": None}),
        (ALL, NONE, {"f1": NOTHING, "precision": None, "recall": NOTHING}),
        (ALL, ALL, {"f1": PERFECT, "precision": PERFECT, "recall": PERFECT}),
    ],
)
def test_a_figure_without_a_denominator_is_none(
    labels: np.ndarray, predicted: np.ndarray, expected: dict[str, Interval | None]
) -> None:
    assert expected == confusion_intervals(labels, predicted, seed=1)


def test_resamples_that_leave_a_figure_undefined_do_not_count() -> None:
    found = bootstrap_figures(FIRST, FIRST, seed=1)["f1"]
    assert np.isnan(found.resampled).any()  # the only positive row was not drawn
    assert PERFECT == found.interval
