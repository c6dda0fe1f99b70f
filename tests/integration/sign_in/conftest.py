"""The stacks with a login, on an emulator of their own, and people in its user pool."""

import json
import os
from collections.abc import Iterator

import pytest

from domain import keys
from domain.model.champion import Champion
from ops.local.deploy import deploy
from ops.target import Target
from tests.cards import make_card
from tests.integration.conftest import running
from tests.integration.sign_in.people import NEW, OLD, Pool


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
