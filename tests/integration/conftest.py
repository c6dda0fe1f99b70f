"""One emulator for all integration tests, on a free port, started by the project's own code."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from localstack_client.session import Session

from adapters.s3 import Bucket
from ops.laptop import REGION, Laptop
from ops.local import emulator as emulator_process
from ops.local.processes import free_port


@contextmanager
def running(folder: Path) -> Iterator[Laptop]:
    """An emulator on a free port, and AWS_* variables that lead plain boto3 there."""
    laptop = Laptop(folder=folder, aws_port=free_port(), mlflow_port=free_port())
    emulator_process.start(laptop, os.environ)
    foreign = {name for name in os.environ if name.startswith("AWS_")}
    with pytest.MonkeyPatch.context() as patch:
        for name in foreign:
            patch.delenv(name)
        for name, value in laptop.aws_env().items():
            patch.setenv(name, value)
        yield laptop
    emulator_process.stop(laptop)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """A running emulator; its AWS_* variables are set, so that plain boto3 goes there too."""
    with running(tmp_path_factory.mktemp("laptop")) as laptop:
        yield laptop


@pytest.fixture(scope="session")
def aws(emulator: Laptop) -> Callable[[str], Any]:
    """``aws("s3")``: a localstack-client's boto3 client of a service of the emulator."""
    session = Session(localstack_host=f"127.0.0.1:{emulator.aws_port}", region_name=REGION)
    client: Callable[[str], Any] = session.client
    return client


@pytest.fixture
def bucket(aws: Callable[[str], Any]) -> Bucket:
    """An empty bucket of the test's own."""
    name = f"test-{uuid.uuid4().hex[:16]}"
    aws("s3").create_bucket(Bucket=name)
    return Bucket(aws("s3"), name)
