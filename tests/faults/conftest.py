"""The emulator with the proxy before it, and no waiting between repetitions."""

import time
from collections.abc import Iterator

import botocore.endpoint
import pytest

from adapters import s3, streams
from domain.contract.contract import Contract
from tests.faults.proxy import PATIENCE_SECONDS, proxying
from tests.faults.stage import Stage
from tests.faults.story import CONFIGURATION_SET, SENDER, Clients
from tests.integration.conftest import running
from tests.repository import ROOT


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An emulator of its own, a proxy before it, and clients on both sides."""
    contract = Contract.parse((ROOT / "contract.toml").read_text())
    folder = tmp_path_factory.mktemp("faults")
    with running(folder) as laptop, proxying(laptop.endpoint) as proxy:
        direct = Clients.make(timeout_seconds=60.0)
        direct.mail.create_email_identity(EmailIdentity=SENDER)
        direct.mail.create_configuration_set(ConfigurationSetName=CONFIGURATION_SET)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", proxy.url)
            clients = Clients.make(timeout_seconds=PATIENCE_SECONDS)
        yield Stage(laptop, proxy, direct, clients, contract)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between repetitions are a hundredth as long; nothing else about them changes."""

    class Hurried:
        @staticmethod
        def sleep(seconds: float) -> None:
            time.sleep(seconds / 100)

        def __getattr__(self, name: str) -> object:
            return getattr(time, name)

    for module in (botocore.endpoint, s3, streams):
        monkeypatch.setattr(module, "time", Hurried())
