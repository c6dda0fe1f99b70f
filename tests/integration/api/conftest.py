"""The deployed API, once for all tests of it."""

import os

import pytest

from domain import keys
from domain.contract.contract import Contract
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from ops.api import Api
from ops.laptop import ROOT, Laptop
from ops.local import deploy
from ops.target import Target
from tests.unit.fakes import random_forest


@pytest.fixture(scope="package")
def target(emulator: Laptop) -> Target:
    """The deployed stacks with a champion that was never trained."""
    deploy.deploy(emulator, os.environ, contract=None, mail_to=None)
    target = Target.on_laptop(emulator)
    contract = Contract.parse((ROOT / "contract.toml").read_text())
    content = Bundle(contract, random_forest(contract, 1), 0.3).to_bytes()
    ref = ModelRef.of(1, digest(content))
    models = target.bucket("models")
    models.put(ref.bundle_key, content)
    champion = Champion.successor(None, ref, action="promote", execution="e", now=1)
    models.put_if(keys.CHAMPION, champion.to_json(), etag=None)
    return target


@pytest.fixture(scope="package")
def api(target: Target) -> Api:
    """The API with its key."""
    return Api(target.deployment.api_url, target.api_key())
