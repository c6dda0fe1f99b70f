"""A category that collects the rest: a new value is the same value at every door."""

import numpy as np
import pyarrow as pa
import pytest

from domain.api.schemas import describe_feature
from domain.contract.contract import Contract
from domain.contract.encoder import Encoder
from domain.contract.feature import OTHER
from monitoring_job.statistics.profiles import profile_columns
from monitoring_job.statistics.statistics import compare_column
from training_job.dataset import dataset
from training_job.dataset.production_rows import _check as check_logged
from training_job.dataset.validation import check
from training_job.evaluation.replay import _keep_valid as keep_valid
from training_job.model.encoding import encode

TEXT = """
[target]
name = "ill"

[[features]]
name = "town"
kind = "category"
categories = ["Berlin", "1"]
other = true
nullable = true
missing = ["?"]

[[features]]
name = "sex"
kind = "category"
categories = ["f", "m"]
"""
CONTRACT = Contract.parse(TEXT)
TOWN = CONTRACT.feature("town")
CASES = [
    ("Berlin", "Berlin"),
    ("1", "1"),
    ("1.0", "1"),
    ("Hamburg", OTHER),
    ("berlin", OTHER),
    (OTHER, OTHER),
    ("x" * 128, OTHER),
    (None, None),
]


@pytest.mark.parametrize(("sent", "expected"), CASES)
def test_the_api_and_files_of_either_format_read_one_value(
    sent: str | None, expected: str | None
) -> None:
    instance = {"town": sent, "sex": "f"}
    assert [] == CONTRACT.validate(instance)
    row = CONTRACT.row(instance)
    assert expected == row[0]
    for text in (sent or "", f" {sent or ''} "):
        table = pa.table({"town": [text], "sex": ["f"], "ill": ["1"]})
        for read in (table, table.set_column(0, "town", table["town"].dictionary_encode())):
            checked = check(read, CONTRACT)
            assert checked.valid.all()
            stored = dataset.to_table(checked.columns, CONTRACT)
            assert [expected] == stored["town"].to_pylist()
            np.testing.assert_array_equal(
                encode(stored, CONTRACT)[0], Encoder(CONTRACT).encode(row)
            )


@pytest.mark.parametrize(
    "sent", ["", " Hamburg", "a\tb", "x" * 129, "NA", "null", "?", 1, True, []]
)
def test_what_is_no_text_or_means_missing_is_refused(sent: object) -> None:
    (problem,) = CONTRACT.validate({"town": sent, "sex": "f"})
    assert "#/town" == problem.pointer


@pytest.mark.parametrize("text", ["a\tb", "x" * 129])
def test_a_file_refuses_the_same_texts(text: str) -> None:
    assert not check(pa.table({"town": [text], "sex": ["f"], "ill": ["1"]}), CONTRACT).valid.any()


def test_the_contract_comes_back_and_another_version_is_another_contract() -> None:
    assert CONTRACT == Contract.from_dict(CONTRACT.to_dict())
    closed = Contract.parse(TEXT.replace("other = true\n", ""))
    assert closed.version != CONTRACT.version
    assert {"type": ["string", "null"], "examples": ["Berlin", "1"], "x-other": OTHER} == {
        key: value
        for key, value in describe_feature(TOWN).items()
        if key in ("type", "examples", "x-other")
    }
    assert ("town=Berlin", "town=1", f"town={OTHER}") == CONTRACT.encoded_names[:3]


def test_logged_rows_with_it_are_rows_of_a_training_and_of_the_replay() -> None:
    logged = pa.table({"town": ["Berlin", OTHER, None], "sex": ["f", "f", OTHER]})
    columns, failures = check_logged(logged, CONTRACT)
    assert [0, 2, -1] == columns["town"].tolist()
    assert [[False, False, True]] == [bad.tolist() for bad in failures.values()]
    assert ["Berlin", OTHER] == keep_valid(logged, CONTRACT).table["town"].to_pylist()


def test_more_new_values_are_drift() -> None:
    def column(others: int) -> pa.Table:
        towns = ["Berlin"] * (1_000 - others) + [OTHER] * others
        return pa.table(
            {"town": towns, "sex": ["f", "m"] * 500, "probability": np.linspace(0, 1, 1_000)}
        )

    old, new = (profile_columns(CONTRACT, column(n))["town"] for n in (20, 200))
    tests = compare_column(old, new).tests
    (grown,) = [t for t in tests if t.aspect == "validity" and t.method == "share_difference"]
    assert pytest.approx(0.18) == grown.effect
    assert grown.p_value < 1e-6
