"""Prediction and label records: their rows, their lines, their ids."""

import json
import uuid
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract import records
from domain.contract.contract import Contract
from domain.contract.records import LabelRecord, PredictionRecord
from tests.unit.contracts import contracts, instances


def _record(contract: Contract, instance: dict[str, Any], **fields: Any) -> PredictionRecord:
    columns = [feature.column for feature in contract.features]
    values: dict[str, Any] = {
        "prediction_id": "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10",
        "predicted_at": 1_769_817_600_000,
        "model_version": "7-0a1b2c3d",
        "contract_version": contract.version,
        "probability": 0.25,
        "threshold": 0.4,
        "predicted": False,
        "source": "api",
        "features": dict(zip(columns, contract.row(instance), strict=True)),
    }
    return PredictionRecord(**(values | fields))


@given(st.data())
def test_a_prediction_comes_back_from_its_line(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    record = _record(contract, data.draw(instances(contract)))
    line = record.to_json()
    assert record == PredictionRecord.from_row(json.loads(line))
    assert line.endswith(b"\n")
    assert 1 == line.count(b"\n")


@given(st.data())
def test_a_line_has_exactly_the_tables_columns_in_their_types(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    row = json.loads(_record(contract, data.draw(instances(contract))).to_json())
    types = {"string": str, "bigint": int, "double": float, "boolean": bool}
    columns = records.prediction_log_columns(contract)
    assert list(columns) == list(row)
    wrong = {
        name
        for name, value in row.items()
        if value is not None and type(value) is not types[columns[name]]
    }
    assert set() == wrong


@given(st.integers(0, 10**13 - 1))
def test_a_new_id_says_when_it_was_made_and_is_a_uuid_of_version_7(now: int) -> None:
    made = records.new_prediction_id(now)
    assert records.is_prediction_id(made)
    assert (7, uuid.RFC_4122) == (uuid.UUID(made).version, uuid.UUID(made).variant)
    assert now == records.read_time(made) == records.read_time(made.upper())


def test_ids_made_in_the_same_millisecond_differ_and_sort_by_time() -> None:
    assert 10_000 == len({records.new_prediction_id(5) for _ in range(10_000)})
    ids = [records.new_prediction_id(now) for now in (1, 2, 255, 256, 10**12)]
    assert ids == sorted(ids)


def test_the_id_of_the_rfc_is_read() -> None:
    assert 0x017F22E279B0 == records.read_time("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


@given(
    st.uuids(version=4)
    | st.uuids(version=5)
    | st.just(uuid.UUID("f" * 12 + "7fffbfffffffffffffff"))
)
def test_an_id_without_a_time_has_none(made: uuid.UUID) -> None:
    assert None is records.read_time(str(made))


@given(st.uuids().map(str), st.booleans(), st.integers(0, 2**42), st.integers(0, 2**42))
def test_a_label_comes_back_from_its_line(
    prediction_id: str, label: bool, observed_at: int, received_at: int
) -> None:
    record = LabelRecord(
        prediction_id=prediction_id, label=label, observed_at=observed_at, received_at=received_at
    )
    row = json.loads(record.to_json())
    assert record == LabelRecord.from_row(row)
    assert list(records.LABEL_COLUMNS) == list(row)


def test_the_sample_key_is_fixed_for_ever() -> None:
    """It is in stored logs: another formula would draw another sample from them."""
    assert 7825 == records.sample_key("0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10")


def test_sample_keys_are_spread_evenly() -> None:
    ids = (str(uuid.UUID(int=n * 2**64 + n)) for n in range(20_000))
    tenths = Counter(records.sample_key(i) * 10 // records.SAMPLE_KEYS for i in ids)
    assert set(range(10)) == set(tenths)
    assert max(tenths.values()) < 1.1 * min(tenths.values())


def _id(**changed: Any) -> str:
    fields: dict[str, Any] = {"scope": "k", "idempotency_key": "i", "body_sha256": "b", "index": 0}
    return records.prediction_id(**(fields | changed))


def test_a_repeated_request_gets_the_same_id() -> None:
    assert _id() == _id()
    assert 5 == uuid.UUID(_id()).version


@pytest.mark.parametrize(
    "changed", [{"scope": "l"}, {"idempotency_key": "j"}, {"body_sha256": "c"}, {"index": 1}]
)
def test_another_caller_key_body_or_position_gets_another_id(changed: dict[str, Any]) -> None:
    assert _id() != _id(**changed)
