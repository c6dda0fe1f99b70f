"""What unit tests share: the shipped contract, and a bucket in memory."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from adapters.s3 import Bucket
from domain.contract.contract import Contract
from tests.repository import ROOT
from tests.unit.predictor_world import World


@pytest.fixture(scope="session")
def contract() -> Contract:
    """The contract that ships."""
    return Contract.parse((ROOT / "contract.toml").read_text())


@pytest.fixture
def moto_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables with which clients come to moto and to nobody else."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def moto_aws(moto_environment: None) -> Iterator[None]:
    """Moto in place of AWS."""
    with mock_aws():
        yield


@pytest.fixture
def moto_bucket(moto_aws: None) -> Bucket:
    """An empty bucket of moto's, with its real conditional writes."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="unit")
    return Bucket(client, "unit")


@pytest.fixture
def world(contract: Contract) -> World:
    """Ready to serve version 1."""
    world = World(contract)
    world.promote(1)
    return world
