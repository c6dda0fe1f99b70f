"""The deployed API, once for all tests of it."""

import os

import pytest

from domain import keys
from domain.contract.contract import Contract
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from ops.api import Api
from ops.laptop import Laptop
from ops.local import deploy
from ops.target import Target
from tests.repository import CONTRACT_TOML
from tests.unit.fakes import random_forest

CONTEXT = """
[[context]]
name = "Visit"
role = "reference"
nullable = true

[[context]]
name = "patient"
role = "subject"
nullable = true

[[context]]
name = "Site"
kind = "category"
categories = ["north", "south"]
nullable = true
"""


@pytest.fixture(scope="package")
def target(emulator: Laptop, tmp_path_factory: pytest.TempPathFactory) -> Target:
    """The deployed stacks with context columns, and a champion from before there were any."""
    path = tmp_path_factory.mktemp("contract") / "contract.toml"
    path.write_text(CONTRACT_TOML.read_text() + CONTEXT)
    deploy.deploy(emulator, os.environ, contract=path, mail_to=None)
    target = Target.on_laptop(emulator)
    contract = Contract.parse(CONTRACT_TOML.read_text())
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
