"""How the model treats each segment in production: figures, tests, suppression, findings."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from fairlearn.metrics import (
    MetricFrame,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from scipy import stats
from sklearn.metrics import f1_score, precision_score

from domain.contract.contract import Contract
from domain.drift.fairness import GROUP_MEASURES, SegmentPerformance
from domain.drift.summary import SegmentDrift
from monitoring_job.statistics.fairness import LabelledRows, compare_group
from monitoring_job.statistics.profiles import profile_columns
from monitoring_job.statistics.segments import compare_segments
from tabular.calibration import calibration_error
from tabular.labels import UNKNOWN
from tests.unit.monitoring import scored

Bools = npt.NDArray[np.bool_]
THRESHOLD = 0.4


def draw(rows: int, seed: int, *, missed: float = 0.0, alarms: float = 0.0) -> LabelledRows:
    """Rows of a calibrated model.

    `missed`: the share of positives that get a low probability; `alarms`: of negatives that get a
    high one.
    """
    random = np.random.default_rng(seed)
    chances = random.beta(0.5, 1.5, rows)
    truth = random.random(rows) < chances
    chances = np.where(truth & (random.random(rows) < missed), 0.05, chances)
    chances = np.where(~truth & (random.random(rows) < alarms), 0.9, chances)
    return LabelledRows(truth.astype(np.int8), chances, chances >= THRESHOLD)


def forget(rows: LabelledRows, share: float, seed: int) -> LabelledRows:
    """The rows with so many of the labels unknown."""
    unknown = np.random.default_rng(seed).random(len(rows.labels)) < share
    return LabelledRows(
        np.where(unknown, UNKNOWN, rows.labels).astype(np.int8), rows.probabilities, rows.predicted
    )


def values(performance: SegmentPerformance | None) -> dict[str, float | None]:
    assert performance is not None
    return {name: f.now.value if f.now else None for name, f in performance.figures.items()}


def p_values(performance: SegmentPerformance | None) -> dict[str, float]:
    assert performance is not None
    return {n: f.p_value for n, f in performance.figures.items() if f.p_value is not None}


def test_the_figures_are_those_of_fairlearn_for_the_rows_that_have_a_label() -> None:
    current = forget(draw(3_000, 2), 0.3, seed=3)
    found = compare_group(draw(3_000, 1), current)
    known = current.labels != UNKNOWN
    truth, called = current.labels[known] == 1, current.predicted[known]
    metrics = {
        "selection_rate": selection_rate,
        "recall": true_positive_rate,
        "false_positive_rate": false_positive_rate,
        "precision": precision_score,
        "f1": f1_score,
    }
    frame = MetricFrame(
        metrics=metrics, y_true=truth, y_pred=called, sensitive_features=np.zeros(len(truth))
    )
    expected = dict(frame.by_group.loc[0.0])
    expected["calibration_error"] = calibration_error(truth, current.probabilities[known])
    assert {name: float(f"{value:.3g}") for name, value in expected.items()} == values(found)
    assert found is not None
    assert (len(truth), int(truth.sum())) == (found.labelled, found.positives)
    for name, figure in found.figures.items():
        assert figure.now is not None, name
        assert figure.now.low < figure.now.value < figure.now.high, name


@pytest.mark.parametrize("seeds", [60, pytest.param(200, marks=pytest.mark.slow)])
def test_between_equal_rows_every_p_value_is_an_honest_one(seeds: int) -> None:
    found = [
        p_values(compare_group(draw(2_000, 2 * s), draw(400, 2 * s + 1))) for s in range(seeds)
    ]
    for name in GROUP_MEASURES:
        rejected = [p[name] < 0.05 for p in found]
        assert stats.binomtest(sum(rejected), len(rejected), 0.05, "greater").pvalue > 0.001, name
        assert min(p[name] for p in found) > 1e-4, name


@pytest.mark.parametrize(
    ("change", "worse"),
    [
        ({"missed": 0.4}, {"recall", "f1", "calibration_error"}),
        ({"alarms": 0.3}, {"false_positive_rate", "precision", "f1", "calibration_error"}),
    ],
)
def test_what_has_become_worse_in_a_group_has_a_small_p_value(
    change: dict[str, Any], worse: set[str]
) -> None:
    found = p_values(compare_group(draw(5_000, 1), draw(1_500, 2, **change)))
    assert worse <= {name for name, p in found.items() if p < 1e-5}


def test_labels_of_a_part_leave_the_selection_rate_and_the_share_of_positives_alone() -> None:
    reference, current = draw(5_000, 1), draw(4_000, 2)
    # The labels of the positive outcomes have arrived first.
    late = (current.labels == 0) & (np.random.default_rng(3).random(4_000) < 0.8)
    some = LabelledRows(
        np.where(late, UNKNOWN, current.labels).astype(np.int8),
        current.probabilities,
        current.predicted,
    )
    found = p_values(compare_group(reference, some))
    assert "selection_rate" not in found
    assert min(found["recall"], found["false_positive_rate"], found["calibration_error"]) > 0.001
    assert "selection_rate" in p_values(compare_group(reference, current))


@pytest.mark.parametrize(
    ("rows", "positives", "compared"),
    [(99, 40, False), (200, 29, False), (200, 171, False), (200, 60, True)],
)
def test_too_few_labels_of_either_outcome_are_shown_but_not_compared(
    rows: int, positives: int, *, compared: bool
) -> None:
    labels = (np.arange(rows) < positives).astype(np.int8)
    chances = np.random.default_rng(1).random(rows)
    found = compare_group(draw(2_000, 1), LabelledRows(labels, chances, chances >= THRESHOLD))
    assert found is not None
    assert (compared, compared) == (found.has_enough_labels, bool(p_values(found)))
    assert None not in values(found).values()


def test_fewer_than_eleven_people_of_an_outcome_or_an_answer_have_no_figure() -> None:
    for labels, called in (((10, 200), (30, 180)), ((30, 180), (10, 200))):
        truth = np.arange(210) < labels[0]
        chances = np.where(np.arange(210)[::-1] < called[0], 0.9, 0.1)
        rows = LabelledRows(truth.astype(np.int8), chances, chances >= THRESHOLD)
        found = compare_group(draw(2_000, 1), rows)
        assert {None} == set(values(found).values())
        assert {} == p_values(found)


def test_without_eleven_labels_there_is_nothing_to_say() -> None:
    few = forget(draw(300, 2), 1.0, seed=3)
    few.labels[:10] = 1
    assert compare_group(draw(2_000, 1), few) is None
    assert compare_group(forget(draw(300, 2), 1.0, seed=3), draw(300, 1)) is None


def segments(contract: Contract, current: Any, labels: Any) -> dict[str, SegmentDrift]:
    """Compare the segments of scored patients with those of a reference."""
    reference = scored(6_000, seed=1)
    old, new = (
        profile_columns(contract, pa.Table.from_pandas(frame)) for frame in (reference, current)
    )
    pair = tuple(
        LabelledRows(
            np.asarray(each, dtype=np.int8),
            frame["probability"].to_numpy(),
            frame["predicted"].to_numpy(),
        )
        for each, frame in ((reference["label"], reference), (labels, current))
    )
    found = compare_segments(
        contract=contract, reference=old, current=new, labelled=(pair[0], pair[1])
    )
    return {segment.name: segment for segment in found}


def test_columns_and_figures_of_all_segments_are_one_family_of_tests(contract: Contract) -> None:
    current = scored(4_000, seed=2)
    found = segments(contract, current, current["label"]).values()
    pairs = [
        *((t.p_value, t.q_value) for s in found for c in s.columns for t in c.tests),
        *(
            (f.p_value, f.q_value)
            for s in found
            if s.performance
            for f in s.performance.figures.values()
            if f.p_value is not None
        ),
    ]
    expected = stats.false_discovery_control([p for p, _ in pairs])
    assert pytest.approx(expected, rel=0.01) == [q for _, q in pairs]
    assert [] == [s.name for s in found if s.changed_figures]


def test_a_group_that_the_model_fails_is_found_and_the_others_are_not(contract: Contract) -> None:
    current = scored(6_000, seed=2)
    failed = (current["gender"] == "Female") & current["label"]
    current.loc[failed & (np.arange(6_000) % 2 == 0), "probability"] = 0.1
    current["predicted"] = current["probability"] >= 0.5
    found = segments(contract, current, current["label"])
    women = found["gender=Female"].performance
    assert women is not None
    assert {"recall", "f1"} <= set(women.declined)
    assert () == found["gender=Male"].changed_figures


def test_no_count_of_labels_reveals_a_small_group(contract: Contract) -> None:
    current = scored(3_000, seed=2)
    current.loc[:, "gender"] = np.where(np.arange(3_000) % 2 == 0, "Female", "Male")
    current.loc[:7, "gender"] = "Other"
    found = segments(contract, current, current["label"])
    other = found["gender=Other"]
    assert other.performance is None
    shown = [
        s.name
        for name, s in found.items()
        if name.startswith("gender") and s.performance and s.performance.labelled is not None
    ]
    assert 1 == len(shown)  # the other large group is suppressed, too: no subtraction
    hidden = next(
        s for n, s in found.items() if n in {"gender=Female", "gender=Male"} and n not in shown
    )
    assert hidden.performance is not None
    assert (None, None) == (hidden.performance.labelled, hidden.performance.positives)
    assert hidden.performance.figures["recall"].now is not None
