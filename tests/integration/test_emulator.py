"""The emulator as `ops` starts and stops it."""

import os
from pathlib import Path

import boto3
import pytest

from adapters.s3 import Bucket
from ops import emulator as emulator_process
from ops.errors import OpsError
from ops.laptop import Laptop
from ops.processes import free_port


def test_plain_boto3_reaches_the_emulator(bucket: Bucket) -> None:
    bucket.put("a/b.txt", b"hello")

    assert (
        boto3.client("s3").get_object(Bucket=bucket.name, Key="a/b.txt")["Body"].read() == b"hello"
    )


def test_a_taken_port_is_refused_with_a_sentence(emulator: Laptop, tmp_path: Path) -> None:
    other = Laptop(folder=tmp_path, aws_port=emulator.aws_port)

    with pytest.raises(OpsError, match=f"Port {emulator.aws_port} is taken"):
        emulator_process.start(other, os.environ)


def test_starting_twice_starts_once(emulator: Laptop) -> None:
    before = emulator_process.daemon(emulator).pid()

    assert emulator_process.start(emulator, os.environ) is False
    assert emulator_process.daemon(emulator).pid() == before


def test_stop_ends_the_process_and_frees_the_port(tmp_path: Path) -> None:
    laptop = Laptop(folder=tmp_path, aws_port=free_port())
    assert emulator_process.start(laptop, os.environ) is True

    assert emulator_process.stop(laptop) is True
    assert emulator_process.healthy(laptop) is False
    assert emulator_process.daemon(laptop).pid() is None
    assert emulator_process.stop(laptop) is False
