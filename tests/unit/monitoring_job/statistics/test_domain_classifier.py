"""The domain classifier finds what no single column shows, and nothing where nothing changed."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from domain.contract.contract import Contract
from domain.drift.drift import CLASSIFIER_ROWS, SINGLE_TEST_P, Outcome
from domain.drift.summary import JointDrift, Summary, run_id
from monitoring_job.reports import findings
from monitoring_job.statistics import domain_classifier, profiles
from monitoring_job.statistics.domain_classifier import classify_domains

CONTRACT = Contract.from_dict(
    {
        "target": {"name": "sick"},
        "features": [
            {"name": "a", "kind": "number", "minimum": -9, "maximum": 9, "nullable": True},
            {"name": "b", "kind": "number", "minimum": -9, "maximum": 9},
            {"name": "c", "kind": "category", "categories": ["x", "y", "z"]},
        ],
    }
)


def rows(count: int, *, seed: int, related: bool = True) -> pd.DataFrame:
    """Two numbers, each standard normal, that go together unless not `related`."""
    random = np.random.default_rng(seed)
    a = random.normal(size=count)
    b = 0.8 * a + 0.6 * random.normal(size=count) if related else random.normal(size=count)
    return pd.DataFrame(
        {"a": a, "b": b, "c": random.choice(["x", "y", "z"], count), "probability": 0.5}
    )


def classified(reference: pd.DataFrame, current: pd.DataFrame) -> JointDrift | None:
    old, new = (
        profiles.profile_columns(CONTRACT, pa.Table.from_pandas(side))
        for side in (reference, current)
    )
    return classify_domains(old, new)


def test_columns_that_no_longer_go_together_are_found_and_named() -> None:
    found = classified(rows(4_000, seed=1), rows(4_000, seed=2, related=False))
    assert found is not None
    assert (True, {"a", "b"}) == (found.drifted, set(found.columns))
    summary = Summary(
        run_id=str(run_id(start=0, end=1_000, version=None)),
        version=None,
        start=0,
        end=1_000,
        computed_at=0,
        scheduled=False,
        outcome=Outcome.DATA_DRIFT,
        joint=found,
    )
    [sentence] = findings.sentences(summary)
    assert sentence.startswith("all columns together: a classifier tells the window from")
    assert f"its ROC AUC is {found.auc:.3f} (limit 0.52, p < 0.0001)." in sentence
    assert summary == Summary.from_json(summary.to_json())


def test_without_a_change_its_p_values_are_spread_evenly() -> None:
    reference = rows(3_000, seed=1)
    found = [classified(reference, rows(3_000, seed=seed)) for seed in range(10, 22)]
    p_values = np.array([f.p_value for f in found if f])
    assert (12, []) == (len(p_values), [f for f in found if f and f.drifted])
    assert 0.2 <= np.mean(p_values) <= 0.8
    assert p_values.min() > SINGLE_TEST_P


def test_rows_that_a_window_repeats_are_not_mistaken_for_drift() -> None:
    thrice = pd.concat([rows(1_500, seed=3)] * 3, ignore_index=True)
    found = classified(rows(4_000, seed=1), thrice)
    assert found is not None
    assert not found.drifted


def test_too_few_rows_are_not_classified() -> None:
    assert classified(rows(4_000, seed=1), rows(CLASSIFIER_ROWS - 1, seed=2)) is None


def test_equal_rows_everywhere_are_not_classified() -> None:
    same = rows(1, seed=1).loc[[0] * 3_000].reset_index(drop=True)
    assert classified(same, same) is None


def test_a_large_window_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain_classifier, "LARGEST_SAMPLE", 3_000)
    found = classified(rows(5_000, seed=1), rows(9_000, seed=2))
    assert found is not None
    assert 1_300 <= found.rows <= 1_700


def test_missing_and_invalid_values_are_no_obstacle() -> None:
    current = rows(3_000, seed=2)
    current.loc[:900, "a"] = np.nan
    current.loc[1_000:1_500, "c"] = "new"
    found = classified(rows(3_000, seed=1), current)
    assert found is not None
    assert (True, {"a", "c"}) == (found.drifted, set(found.columns))
