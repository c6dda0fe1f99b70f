"""Appending to a stream loses nothing, whatever the stream does."""

import random
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from adapters.streams import MAXIMUM_BYTES, RecordStream, StreamUnavailable
from tests.unit.fakes import FakeFirehose, FakeS3, client_error, json_lines


def _lines(count: int) -> list[bytes]:
    return [b'{"n":%d}\n' % n for n in range(count)]


def _stream(firehose: FakeFirehose, s3: FakeS3, pauses: list[float] | None = None) -> RecordStream:
    client: Any = firehose
    sleep = (pauses if pauses is not None else []).append
    return RecordStream(client, "stream", s3.bucket(), "log", sleep=sleep)


def test_records_go_to_the_stream_in_order() -> None:
    firehose, s3 = FakeFirehose(), FakeS3()
    assert _stream(firehose, s3).append(_lines(3)) == 0
    assert _lines(3) == firehose.lines
    assert s3.objects == {}


def test_nothing_to_append_calls_nobody() -> None:
    firehose = FakeFirehose()
    assert _stream(firehose, FakeS3()).append([]) == 0
    assert firehose.batches == []


def test_batches_keep_to_the_limits() -> None:
    firehose = FakeFirehose()
    _stream(firehose, FakeS3()).append(_lines(1001))
    assert firehose.batches == [500, 500, 1]
    big = [b"x" * (MAXIMUM_BYTES // 3) for _ in range(4)]
    firehose.batches.clear()
    _stream(firehose, FakeS3()).append(big)
    assert firehose.batches == [3, 1]


def test_only_the_refused_records_are_sent_again() -> None:
    tries: dict[bytes, int] = {}

    def refuses(line: bytes) -> bool:
        tries[line] = tries.get(line, 0) + 1
        return line == b'{"n":1}\n' and tries[line] == 1

    firehose, s3 = FakeFirehose(refuses=refuses), FakeS3()
    assert _stream(firehose, s3).append(_lines(3)) == 0
    assert firehose.batches == [3, 1]
    assert sorted(_lines(3)) == sorted(firehose.lines)


@pytest.mark.parametrize(
    "error",
    [
        client_error("ServiceUnavailableException"),
        client_error("ThrottlingException"),
        client_error("ResourceNotFoundException"),
        EndpointConnectionError(endpoint_url="https://firehose"),
    ],
)
def test_a_throttled_missing_or_unreachable_stream_ends_in_the_fallback(error: Exception) -> None:
    firehose, s3, pauses = FakeFirehose(errors=[error] * 9), FakeS3(), list[float]()
    assert _stream(firehose, s3, pauses).append(_lines(2)) == 2
    assert (firehose.batches, firehose.lines) == ([2, 2, 2], [])
    assert len(pauses) == 2
    assert pauses[0] <= 0.05
    assert pauses[1] <= 0.1
    (key,) = s3.objects
    assert key.startswith("fallback/log/dt=")
    assert _lines(2) == s3.objects[key].splitlines(keepends=True)


def test_a_stream_that_hangs_is_asked_once_for_all_batches() -> None:
    hanging = ReadTimeoutError(endpoint_url="https://firehose")
    firehose, s3, pauses = FakeFirehose(errors=[hanging]), FakeS3(), list[float]()
    assert 1200 == _stream(firehose, s3, pauses).append(_lines(1200))
    assert ([500], []) == (firehose.batches, pauses)
    (stored,) = s3.objects.values()
    assert _lines(1200) == stored.splitlines(keepends=True)


def test_what_the_first_batches_stored_is_not_stored_again() -> None:
    firehose, s3 = FakeFirehose(), FakeS3()
    firehose.refuses = lambda line: _hang() if line == b'{"n":500}\n' else False
    assert 500 == _stream(firehose, s3).append(_lines(1000))
    (stored,) = s3.objects.values()
    assert _lines(1000)[500:] == stored.splitlines(keepends=True)


def _hang() -> bool:
    raise ReadTimeoutError(endpoint_url="https://firehose")


def test_a_short_hiccup_is_survived_without_the_fallback() -> None:
    firehose, s3 = FakeFirehose(errors=[client_error("ThrottlingException")]), FakeS3()
    assert _stream(firehose, s3).append(_lines(2)) == 0
    assert s3.objects == {}


def test_without_stream_and_fallback_it_says_so() -> None:
    firehose, s3 = FakeFirehose(refuses=lambda _: True), FakeS3(failing={"fallback/": "offline"})
    with pytest.raises(StreamUnavailable):
        _stream(firehose, s3).append(_lines(1))


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_at_any_failure_rate_every_record_is_stored_once(share: float) -> None:
    rng = random.Random(1)
    firehose, s3 = FakeFirehose(refuses=lambda _: rng.random() < share), FakeS3()
    fallen = _stream(firehose, s3).append(_lines(2000))
    rows = firehose.rows + json_lines(
        line for data in s3.objects.values() for line in data.splitlines()
    )
    assert list(range(2000)) == sorted(row["n"] for row in rows)
    assert fallen == 2000 - len(firehose.lines)
