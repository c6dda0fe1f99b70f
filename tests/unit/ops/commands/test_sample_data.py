"""Sample data: the data set's schema, its figures, its reproducibility."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from domain.contract.contract import Contract
from ops.commands.data.sample_data import write
from ops.errors import OpsError
from ops.samples import diabetes_rows
from tests.repository import CONTRACT_TOML

HEADER = (
    "gender,age,hypertension,heart_disease,smoking_history,bmi,"
    "HbA1c_level,blood_glucose_level,diabetes"
)
CONTRACT = Contract.parse(CONTRACT_TOML.read_text())


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """50,000 rows of seed 1."""
    path = tmp_path_factory.mktemp("sample") / "sample.csv"
    write(rows=50_000, seed=1, path=path)
    return pd.read_csv(path, keep_default_na=False)


def test_the_header_is_the_data_sets(tmp_path: Path) -> None:
    write(rows=1, seed=1, path=tmp_path / "a.csv")

    assert HEADER == (tmp_path / "a.csv").read_text().splitlines()[0]


def test_every_row_fits_the_default_contract(sample: pd.DataFrame) -> None:
    rows = sample.drop(columns="diabetes").to_dict("records")

    assert [] == [problem for row in rows for problem in CONTRACT.validate(row)]


def test_numbers_are_written_as_the_data_set_writes_them(tmp_path: Path) -> None:
    write(rows=2000, seed=1, path=tmp_path / "a.csv")
    first = (tmp_path / "a.csv").read_text().splitlines()[1:]
    columns = list(zip(*(line.split(",") for line in first), strict=True))

    assert all("." in age for age in columns[1])
    assert all("." in bmi for bmi in columns[5])
    assert not any("." in glucose for glucose in columns[7])


def test_prevalence_is_about_8_and_a_half_percent(sample: pd.DataFrame) -> None:
    assert pytest.approx(0.085, abs=0.008) == sample["diabetes"].mean()


def test_unknown_bmi_is_the_data_sets_spike(sample: pd.DataFrame) -> None:
    assert pytest.approx(0.255, abs=0.02) == (sample["bmi"] == 27.32).mean()


def test_infants_have_fractional_ages_and_nobody_else(sample: pd.DataFrame) -> None:
    fractional = sample["age"] % 1 != 0

    assert sample.loc[fractional, "age"].max() < 2
    assert pytest.approx(0.02, abs=0.005) == fractional.mean()


@pytest.mark.parametrize("column", ["HbA1c_level", "blood_glucose_level"])
def test_laboratory_values_have_18_levels(sample: pd.DataFrame, column: str) -> None:
    assert 18 == sample[column].nunique()


def test_high_laboratory_values_occur_with_diabetes_only(sample: pd.DataFrame) -> None:
    high = (sample["HbA1c_level"] > 6.6) | (sample["blood_glucose_level"] > 200)
    low = (sample["HbA1c_level"] < 5.7) | (sample["blood_glucose_level"] < 126)

    assert {1} == set(sample.loc[high, "diabetes"])
    assert {0} == set(sample.loc[low, "diabetes"])


@pytest.mark.parametrize("column", ["hypertension", "heart_disease"])
def test_other_diseases_raise_the_risk(sample: pd.DataFrame, column: str) -> None:
    risk = sample.groupby(column)["diabetes"].mean()

    assert risk[1] > 2 * risk[0]


@pytest.mark.parametrize("column", ["age", "bmi"])
def test_age_and_weight_raise_the_risk(sample: pd.DataFrame, column: str) -> None:
    halves = sample[column] > sample[column].median()
    risk = sample.groupby(halves)["diabetes"].mean()

    assert risk[True] > 1.5 * risk[False]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        write(rows=1000, seed=seed, path=tmp_path / name)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")

    assert a == b
    assert a != c


def test_chunks_are_cut_at_a_fixed_size_and_differ() -> None:
    rows = diabetes_rows.CHUNK_ROWS + 5
    tables = list(diabetes_rows.chunks(rows=rows, seed=1))
    again = next(diabetes_rows.chunks(rows=2 * diabetes_rows.CHUNK_ROWS, seed=1))

    assert [diabetes_rows.CHUNK_ROWS, 5] == [table.num_rows for table in tables]
    assert tables[0].equals(again)
    assert not tables[1].equals(tables[0].slice(0, 5))


def test_progress_counts_every_row(tmp_path: Path) -> None:
    counts: list[int] = []
    write(rows=diabetes_rows.CHUNK_ROWS + 1, seed=1, path=tmp_path / "a", advance=counts.append)

    assert [diabetes_rows.CHUNK_ROWS, 1] == counts


@pytest.mark.parametrize(
    ("rows", "seed", "problem"),
    [
        (0, 1, "--rows must be from 1 to 1,000,000,000."),
        (-5, 1, "--rows must be from 1 to 1,000,000,000."),
        (2_000_000_000, 1, "--rows must be from 1 to 1,000,000,000."),
        (10, -1, "--seed must not be negative."),
        (0, -1, "--rows must be from 1 to 1,000,000,000, and --seed must not be negative."),
    ],
)
def test_impossible_sizes_are_refused(tmp_path: Path, rows: int, seed: int, problem: str) -> None:
    with pytest.raises(OpsError, match=f"^{problem}$"):
        write(rows=rows, seed=seed, path=tmp_path / "a.csv")

    assert [] == list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OpsError, match="can't be written"):
        write(rows=10, seed=1, path=tmp_path / "file" / "a.csv")


def test_smoking_shares_add_up_at_every_age() -> None:
    assert pytest.approx(1.0) == np.array(diabetes_rows.SMOKING_SHARES).sum(axis=1)
