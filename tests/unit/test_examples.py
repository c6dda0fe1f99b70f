"""The examples work."""

import json
from datetime import UTC, datetime

import pytest

from domain.contract.contract import Contract
from lambdas.labels.accept import read_labels
from lambdas.predictor.predict import read_instances
from tests.repository import ROOT

EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(("name", "count"), [("predict.json", 1), ("predict-batch.json", 2)])
def test_the_instances_are_valid(contract: Contract, name: str, count: int) -> None:
    instances, batch = read_instances(json.loads((EXAMPLES / name).read_text()), contract)
    assert (count, count > 1) == (len(instances), batch)


def test_the_labels_are_valid() -> None:
    document = json.loads((EXAMPLES / "labels.json").read_text())
    now = datetime(2026, 2, 1, tzinfo=UTC)
    assert 1 == len(read_labels(document, target="diabetes", now=now))
