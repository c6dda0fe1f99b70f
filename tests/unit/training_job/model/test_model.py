"""Threshold and figures of a model."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score as reference_f1

from training_job.model.model import best_threshold, quality


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from([0.05, 0.2, 0.2001, 0.5, 0.7, 0.99])),
        min_size=2,
        max_size=40,
    ).filter(lambda pairs: any(label for label, _ in pairs))
)
def test_no_other_threshold_has_a_better_f1(pairs: list[tuple[int, float]]) -> None:
    labels = np.array([label for label, _ in pairs], dtype=np.int8)
    scores = np.array([score for _, score in pairs], dtype=np.float32)
    threshold, f1 = best_threshold(labels, scores)
    cuts = np.concatenate([np.unique(scores), [1.1]])
    best = max(reference_f1(labels, scores >= cut, zero_division=0.0) for cut in cuts)
    np.testing.assert_allclose(f1, best)
    np.testing.assert_allclose(f1, reference_f1(labels, scores >= threshold))


def test_the_figures_are_those_of_a_known_case() -> None:
    labels = np.array([0, 0, 1, 1], dtype=np.int8)
    figures = quality(labels, [0.1, 0.6, 0.4, 0.9], 0.5)
    expected = {"f1": 0.5, "precision": 0.5, "recall": 0.5, "roc_auc": 0.75, "brier": 0.185}
    for name, value in expected.items():
        np.testing.assert_allclose(figures[name], value)
