"""The contracts of the example tables fit the rows that their command writes."""

import runpy
from pathlib import Path

import pytest

from domain.contract.contract import Contract
from tests.repository import ROOT
from training_job.dataset.files.reading import open_raw
from training_job.dataset.validation import check

TABLES = ROOT / "examples" / "tables"
ROWS = {"breast_cancer": 569, "life_expectancy": 1_704, "rare_failures": 30_000}


@pytest.mark.parametrize("name", ROWS)
def test_a_training_keeps_every_row_of_an_example(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.csv"
    runpy.run_path(str(TABLES / "data.py"))["write"](name, path)
    contract = Contract.parse((TABLES / f"{name}.toml").read_text())
    with open_raw(path, path.name, contract, labelled=True) as raw:
        checked = [check(batch.table, contract) for batch in raw.batches]
    assert [] == [reason for one in checked for reason in one.reasons]
    assert ROWS[name] == sum(int(one.valid.sum()) for one in checked)


def test_every_example_has_rows_and_every_table_a_contract() -> None:
    examples = runpy.run_path(str(TABLES / "data.py"))["EXAMPLES"]
    assert {*ROWS} == {*examples} == {path.stem for path in TABLES.glob("*.toml")}
