"""A full disk on the laptop: records are refused by name, and none that was taken is lost."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters import aws
from adapters.s3 import Bucket
from adapters.streams import RecordStream, StreamUnavailable
from ops.local import emulator
from ops.local.emulator_process import FULL, RESERVE_VARIABLE
from ops.local.processes import wait_until
from tests.faults.story import read_lines
from tests.integration.conftest import running

MARGIN = 1024**3
"""Far more than what other programs write meanwhile."""
ROLE = "arn:aws:iam::000000000000:role/any"


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Callable[[], RecordStream]]:
    """A stream of an emulator for which the disk is full when MARGIN more bytes are taken."""
    free = shutil.disk_usage(tmp_path).free
    if free < 3 * MARGIN:
        pytest.skip("It needs 3 GB of free disk.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RESERVE_VARIABLE, str(free - MARGIN))
        with running(tmp_path) as laptop:

            def connect() -> RecordStream:
                return RecordStream(
                    client=aws.client("firehose", attempts=1),
                    stream="log",
                    fallback=Bucket(aws.client("s3", attempts=1), "predictions"),
                    name="log",
                )

            made = connect()
            made.fallback.client.create_bucket(Bucket="predictions")
            made.client.create_delivery_stream(
                DeliveryStreamName="log",
                ExtendedS3DestinationConfiguration={
                    "RoleARN": ROLE,
                    "BucketARN": "arn:aws:s3:::predictions",
                    "Prefix": "log/",
                    "FileExtension": ".jsonl",
                },
            )

            def restart() -> RecordStream:
                emulator.stop(laptop)
                emulator.start(laptop, os.environ)
                return connect()

            yield restart


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """A file that takes twice the margin."""
    path = folder / "ballast"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2 * MARGIN)
    try:
        yield
    finally:
        path.unlink()


def _read(log: RecordStream) -> set[bytes]:
    return {line + b"\n" for line in read_lines(log.fallback, ("log/", "fallback/"))}


def test_no_record_that_was_taken_is_lost_when_the_disk_fills(
    stream: Callable[[], RecordStream], tmp_path: Path
) -> None:
    log = stream()
    taken = [b'{"n": 1}\n', b'{"n": 3}\n']
    log.append(taken[:1])
    with filled(tmp_path):
        with pytest.raises(StreamUnavailable):
            log.append([b'{"n": 2}\n'])
        with pytest.raises(aws.UNREACHABLE, match=FULL):
            log.fallback.put("a", b"a")
    log.append(taken[1:])
    assert wait_until(lambda: set(taken) == _read(log), seconds=20)
    assert set(taken) == _read(stream())
