"""The emulator and MLflow with proxies before them, and no waiting between repetitions."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

import botocore.endpoint
import pytest

from adapters import s3, streams
from domain.contract.contract import Contract
from domain.deployment import Deployment
from monitoring_job.reports import reports
from ops.laptop import Laptop
from ops.local import mlflow_server
from tests.faults.proxy import PATIENCE_SECONDS, Faults, proxying
from tests.faults.site import CONFIGURATION_SET, SENDER, Clients
from tests.faults.stage import Stage
from tests.integration.conftest import running
from tests.repository import CONTRACT_TOML


@contextmanager
def tracking_server(laptop: Laptop) -> Iterator[None]:
    """MLflow with a database of its own, and a client that gives up early."""
    environ = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": f"{PATIENCE_SECONDS:.0f}",
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
        "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0.01",
    }
    names: Any = {name.name: "stories" for name in fields(Deployment)}  # only a bucket is read
    mlflow_server.start(laptop, Deployment(**names), os.environ)
    try:
        mlflow_server.wait(laptop)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            yield
    finally:
        mlflow_server.stop(laptop)


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An emulator of its own, a proxy before it, and clients on both sides."""
    # Without segments a drift run takes half the time, and makes the same calls.
    contract = replace(Contract.parse(CONTRACT_TOML.read_text()), segments=())
    folder, faults = tmp_path_factory.mktemp("faults"), Faults()
    with (
        running(folder) as laptop,
        tracking_server(laptop),
        proxying(laptop.endpoint, faults) as endpoint,
        proxying(laptop.mlflow_url, faults) as mlflow_url,
    ):
        direct = Clients.make(timeout_seconds=60.0, mlflow_url=laptop.mlflow_url)
        direct.mail.create_email_identity(EmailIdentity=SENDER)
        direct.mail.create_configuration_set(ConfigurationSetName=CONFIGURATION_SET)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", endpoint)
            clients = Clients.make(timeout_seconds=PATIENCE_SECONDS, mlflow_url=mlflow_url)
        yield Stage(laptop, faults, direct, clients, contract)


@pytest.fixture(scope="package", autouse=True)
def _short_pauses() -> Iterator[None]:
    """Pauses between repetitions are a hundredth as long; nothing else about them changes."""

    class Hurried:
        @staticmethod
        def sleep(seconds: float) -> None:
            time.sleep(seconds / 100)

        def __getattr__(self, name: str) -> object:
            return getattr(time, name)

    with pytest.MonkeyPatch.context() as patch:
        for module in (botocore.endpoint, s3, streams):
            patch.setattr(module, "time", Hurried())
        yield


@pytest.fixture(scope="package", autouse=True)
def _blank_pages() -> Iterator[None]:
    """Reports are not drawn: a page takes seconds, and no call to any service."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("data_drift", "prediction_drift", "target_drift", "performance"):
            patch.setattr(reports, name, lambda **_: "<p>page</p>")
        yield
