"""The stacks with a login, on an emulator of their own, and people in its user pool."""

import json
import os
from collections.abc import Iterator

import pytest

from ops.local.deploy import deploy
from ops.target import Target
from tests.integration.conftest import running
from tests.integration.sign_in.people import Pool


@pytest.fixture(scope="package")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A deployment where people sign in."""
    with running(tmp_path_factory.mktemp("sign-in")) as laptop:
        settings = json.dumps({"login": "cognito"})
        deploy(laptop, os.environ, contract=None, mail_to=None, settings=settings)
        yield Pool(Target.on_laptop(laptop), laptop.public_endpoint)
