"""The stacks with a login, on an emulator of their own, and people in its user pool."""

import json
import os
import time
import uuid
from collections.abc import Iterator

import pytest

from domain import keys
from domain.contract.contract import Contract
from domain.contract.records import LabelRecord, PredictionRecord
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from ops.local.deploy import deploy
from ops.target import Target
from tests.cards import make_card
from tests.integration.conftest import running
from tests.integration.sign_in.people import NEW, OLD, Pool
from tests.repository import CONTRACT_TOML
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import random_forest


@pytest.fixture(scope="package")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A deployment where people sign in."""
    with running(tmp_path_factory.mktemp("sign-in")) as laptop:
        settings = json.dumps({"login": "cognito"})
        deploy(laptop, os.environ, contract=None, mail_to=None, settings=settings)
        yield Pool(Target.on_laptop(laptop), laptop.public_endpoint)


@pytest.fixture
def serving(pool: Pool) -> Iterator[None]:
    """A second champion serves."""
    models, champion = pool.target.bucket("models"), None
    for ref in (OLD, NEW):
        models.put(ref.bundle_key, b"{}")
        models.put(keys.card(ref.version), make_card(ref.version).to_json())
        champion = Champion.successor(champion, ref, action="promote", execution="e", now=1)
    assert champion is not None
    models.put(keys.CHAMPION, champion.to_json())
    yield
    pool.target.client("s3").delete_object(Bucket=models.name, Key=keys.CHAMPION)


@pytest.fixture(scope="package")
def logged(pool: Pool) -> PredictionRecord:
    """A labelled prediction in the log, whose version has a bundle that explains it."""
    contract = Contract.parse(CONTRACT_TOML.read_text())
    bundle = Bundle(contract, random_forest(contract, 1), 0.2)
    data, values = bundle.to_bytes(), contract.row(VALID)
    model = ModelRef.of(7, digest(data))
    pool.target.bucket("models").put(model.bundle_key, data)
    record = PredictionRecord(
        prediction_id=str(uuid.uuid4()),
        predicted_at=time.time_ns() // 1_000_000,
        model_version=model.version,
        contract_version=contract.version,
        probability=bundle.probability(values),
        threshold=bundle.threshold,
        predicted=bundle.probability(values) >= bundle.threshold,
        source="api",
        features=dict(zip(contract.log_columns(), values, strict=True)),
        reference="ward 7's",
    )
    label = LabelRecord(
        reference=record.reference,
        label=True,
        observed_at=record.predicted_at,
        received_at=record.predicted_at,
    )
    firehose = pool.target.client("firehose")
    for log, sent in (("PredictionLog", record), ("Labels", label)):
        (stream,) = pool.target.resources.names("AWS::KinesisFirehose::DeliveryStream", log)
        firehose.put_record(DeliveryStreamName=stream, Record={"Data": sent.to_json()})
    return record
