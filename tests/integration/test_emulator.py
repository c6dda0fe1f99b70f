"""The emulator as `ops` starts and stops it."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from adapters.s3 import Bucket
from ops.errors import OpsError
from ops.laptop import REGION, Laptop
from ops.local import emulator as emulator_process
from ops.local.processes import free_port, wait_until


def test_plain_boto3_reaches_the_emulator(bucket: Bucket) -> None:
    bucket.put("a/b.txt", b"hello")

    assert (
        b"hello" == boto3.client("s3").get_object(Bucket=bucket.name, Key="a/b.txt")["Body"].read()
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


def test_what_was_made_survives_down_and_up(tmp_path: Path) -> None:
    laptop = Laptop(folder=tmp_path, aws_port=free_port())
    emulator_process.start(laptop, os.environ)
    _client(laptop).create_bucket(Bucket="kept")
    etag = Bucket(_client(laptop), "kept").put_if("serving/champion.json", b"{}", etag=None)
    emulator_process.stop(laptop)

    emulator_process.start(laptop, os.environ)
    found = Bucket(_client(laptop), "kept").get("serving/champion.json")
    emulator_process.stop(laptop)

    assert found is not None
    assert (found.data, found.etag) == (b"{}", etag)


def test_objects_without_saved_state_are_removed_at_the_next_start(tmp_path: Path) -> None:
    laptop = Laptop(folder=tmp_path, aws_port=free_port())
    emulator_process.start(laptop, os.environ)
    _client(laptop).create_bucket(Bucket="lost")
    pid = emulator_process.daemon(laptop).pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: emulator_process.daemon(laptop).pid() is None, seconds=5)

    emulator_process.start(laptop, os.environ)
    names = [bucket["Name"] for bucket in _client(laptop).list_buckets()["Buckets"]]
    emulator_process.stop(laptop)

    assert [] == names


def _client(laptop: Laptop) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=laptop.endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_what_it_saved_when_it_was_asked_survives_a_hard_end(tmp_path: Path) -> None:
    laptop = Laptop(folder=tmp_path, aws_port=free_port())
    emulator_process.start(laptop, os.environ)
    _client(laptop).create_bucket(Bucket="kept")
    Bucket(_client(laptop), "kept").put("a", b"1")
    began = time.time()
    assert emulator_process.save(laptop) is True
    assert emulator_process.saved_since(laptop, began)
    pid = emulator_process.daemon(laptop).pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: emulator_process.daemon(laptop).pid() is None, seconds=5)

    emulator_process.start(laptop, os.environ)
    found = Bucket(_client(laptop), "kept").get("a")
    emulator_process.stop(laptop)
    assert found is not None
    assert b"1" == found.data
