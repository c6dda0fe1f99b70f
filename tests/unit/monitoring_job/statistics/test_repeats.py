"""How many rows are independent where people are scored repeatedly."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from domain.contract.contract import Contract
from monitoring_job.statistics.profiles import profile_columns
from monitoring_job.statistics.repeats import Independent, select_independent
from tests.unit.monitoring import scored

REFERENCE = scored(5_000, seed=1)


def select(frame: pd.DataFrame, contract: Contract) -> Independent:
    reference = profile_columns(contract, pa.Table.from_pandas(REFERENCE))
    table = pa.Table.from_pandas(frame.reset_index(drop=True), preserve_index=False)
    return select_independent(contract, reference, table)


def make_coarse(contract: Contract, *names: str) -> Contract:
    document: dict[str, Any] = contract.to_dict()
    document["features"] = [f for f in document["features"] if f["name"] in names]
    document["segments"] = []
    return Contract.from_dict(document)


@pytest.mark.parametrize("times", [2, 3, 10])
def test_repeated_rows_count_once(contract: Contract, times: int) -> None:
    once = scored(600, seed=2)
    found = select(pd.concat([once] * times), contract)
    assert found.design_effect == pytest.approx(times, abs=0.05)
    kept = found.table.to_pandas()
    assert abs(len(kept) - 600) <= 6
    assert len(kept.drop_duplicates()) == len(kept)


def test_a_person_counts_once_whatever_the_rows_say(contract: Contract) -> None:
    frame = scored(900, seed=2).assign(subject=[f"p{n % 300}" for n in range(900)])
    found = select(frame, contract)
    assert (3.0, 300) == (found.design_effect, found.table.num_rows)
    assert 300 == len(set(found.table["subject"].to_pylist()))
    assert np.array_equal(frame["age"].to_numpy()[found.positions], found.table["age"].to_numpy())


def test_without_a_person_in_every_row_equal_rows_are_counted(contract: Contract) -> None:
    frame = scored(900, seed=2).assign(subject=pd.Series(["p"] * 900).where(np.arange(900) > 0))
    assert 1.0 == select(frame, contract).design_effect


@pytest.mark.parametrize("names", [("gender", "age"), ("gender", "hypertension", "heart_disease")])
def test_a_coarse_table_repeats_by_nature(contract: Contract, names: tuple[str, ...]) -> None:
    coarse = make_coarse(contract, *names)
    found = select(scored(2_000, seed=2), coarse)
    assert (1.0, 2_000) == (found.design_effect, found.table.num_rows)


@pytest.mark.parametrize(
    "columns", [["age", "bmi"], ["hba1c_level", "blood_glucose_level"], ["age"], ["gender"]]
)
def test_a_column_that_drifts_to_one_value_is_no_repetition(
    contract: Contract, columns: list[str]
) -> None:
    frame = scored(2_000, seed=2)
    frame[columns] = None
    assert 1.0 == select(frame, contract).design_effect


def test_shares_stay_as_they_were(contract: Contract) -> None:
    once = scored(3_000, seed=2)
    found = select(pd.concat([once] * 3), contract)
    kept = found.table.to_pandas()
    assert kept["age"].mean() == pytest.approx(once["age"].mean(), rel=0.005)
    assert kept["hypertension"].mean() == pytest.approx(once["hypertension"].mean(), abs=0.002)
