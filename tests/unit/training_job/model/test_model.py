"""The figures of a model."""

import numpy as np

from training_job.model.model import quality


def test_the_figures_are_those_of_a_known_case() -> None:
    labels = np.array([0, 0, 1, 1], dtype=np.int8)
    figures = quality(labels, [0.1, 0.6, 0.4, 0.9], 0.5)
    expected = {"f1": 0.5, "precision": 0.5, "recall": 0.5, "roc_auc": 0.75, "brier": 0.185}
    for name, value in expected.items():
        np.testing.assert_allclose(figures[name], value)
