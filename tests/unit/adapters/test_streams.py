"""Appending to a stream loses nothing, whatever the stream does."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from adapters.aws import LeanClients
from adapters.streams import MAXIMUM_BYTES, PATIENCE_SECONDS, RecordStream, StreamUnavailable
from tests.unit.fakes import FakeFirehose, FakeS3, client_error, json_lines


def _lines(count: int) -> list[bytes]:
    return [b'{"n":%d}\n' % n for n in range(count)]


def _stream(firehose: FakeFirehose, s3: FakeS3, pauses: list[float] | None = None) -> RecordStream:
    client: Any = firehose
    sleep = (pauses if pauses is not None else []).append
    return RecordStream(client, "stream", s3.bucket(), "log", sleep=sleep)


def test_records_go_to_the_stream_in_order() -> None:
    firehose, s3 = FakeFirehose(), FakeS3()
    assert 0 == _stream(firehose, s3).append(_lines(3))
    assert _lines(3) == firehose.lines
    assert {} == s3.objects


def test_nothing_to_append_calls_nobody() -> None:
    firehose = FakeFirehose()
    assert 0 == _stream(firehose, FakeS3()).append([])
    assert [] == firehose.batches


def test_batches_keep_to_the_limits() -> None:
    firehose = FakeFirehose()
    _stream(firehose, FakeS3()).append(_lines(1001))
    assert [500, 500, 1] == firehose.batches
    big = [b"x" * (MAXIMUM_BYTES // 3) for _ in range(4)]
    firehose.batches.clear()
    _stream(firehose, FakeS3()).append(big)
    assert [3, 1] == firehose.batches


def test_only_the_refused_records_are_sent_again() -> None:
    tries: dict[bytes, int] = {}

    def refuses(line: bytes) -> bool:
        tries[line] = tries.get(line, 0) + 1
        return line == b'{"n":1}\n' and tries[line] == 1

    firehose, s3 = FakeFirehose(refuses=refuses), FakeS3()
    assert 0 == _stream(firehose, s3).append(_lines(3))
    assert [3, 1] == firehose.batches
    assert sorted(_lines(3)) == sorted(firehose.lines)


@pytest.mark.parametrize(
    "error",
    [
        client_error("ServiceUnavailableException"),
        client_error("ThrottlingException"),
        client_error("ResourceNotFoundException"),
        EndpointConnectionError(endpoint_url="https://firehose"),
        ResponseParserError("no JSON"),
    ],
)
def test_a_throttled_missing_or_unreachable_stream_ends_in_the_fallback(error: Exception) -> None:
    firehose, s3, pauses = FakeFirehose(errors=[error] * 9), FakeS3(), list[float]()
    assert 2 == _stream(firehose, s3, pauses).append(_lines(2))
    assert ([2, 2, 2], []) == (firehose.batches, firehose.lines)
    assert 2 == len(pauses)
    assert pauses[0] <= 0.05
    assert pauses[1] <= 0.1
    (key,) = s3.objects
    assert key.startswith("fallback/log/dt=")
    assert _lines(2) == s3.objects[key].splitlines(keepends=True)


@dataclass
class Slow:
    """A Firehose whose every call takes `seconds` on a clock of its own, and then does `then`."""

    seconds: float
    then: Callable[..., Any]
    now: float = 1_000.0
    calls: int = 0

    def put_record_batch(self, **call: Any) -> Any:
        self.calls += 1
        self.now += self.seconds
        return self.then(**call)

    def stream(self, s3: FakeS3) -> RecordStream:
        client: Any = self
        return RecordStream(
            client, "stream", s3.bucket(), "log", sleep=lambda _: None, clock=lambda: self.now
        )


def _raise(error: Exception) -> Any:
    raise error


TIMED_OUT = {"endpoint_url": "https://firehose"}
FAILURES: dict[str, tuple[float, Callable[..., Any]]] = {
    "answers late": (8.0, FakeFirehose().put_record_batch),
    "answers late and refuses": (8.0, FakeFirehose(refuses=lambda _: True).put_record_batch),
    "hangs": (9.0, lambda **_: _raise(ReadTimeoutError(**TIMED_OUT))),
    "is a black hole": (1.0, lambda **_: _raise(ConnectTimeoutError(**TIMED_OUT))),
    "takes a second each": (1.0, FakeFirehose().put_record_batch),
}


@pytest.mark.parametrize(("seconds", "then"), FAILURES.values(), ids=FAILURES)
def test_a_slow_stream_costs_its_patience_and_one_call_at_most_and_no_record(
    seconds: float, then: Callable[..., Any]
) -> None:
    delivered: list[bytes] = []

    def put(**call: Any) -> Any:
        answer = then(**call)
        outcomes = zip(call["Records"], answer["RequestResponses"], strict=True)
        delivered.extend(r["Data"] for r, outcome in outcomes if "ErrorCode" not in outcome)
        return answer

    slow, s3 = Slow(seconds, put), FakeS3()
    began = slow.now
    fallen = slow.stream(s3).append(_lines(2_000))
    stored = [line for data in s3.objects.values() for line in data.splitlines(keepends=True)]
    assert [*delivered, *stored] == _lines(2_000)
    assert fallen == len(stored) > 0
    assert slow.now - began < PATIENCE_SECONDS + seconds + 0.001


def test_what_a_hanging_retry_leaves_is_stored_without_what_was_delivered_before() -> None:
    calls: list[int] = []

    def half_then_hang(*, Records: Any, **_: Any) -> Any:
        calls.append(len(Records))
        if len(calls) > 1:
            raise ReadTimeoutError(**TIMED_OUT)
        outcomes = [{"ErrorCode": "x"} if n % 2 else {"RecordId": "1"} for n in range(len(Records))]
        return {"FailedPutCount": len(Records) // 2, "RequestResponses": outcomes}

    slow, s3 = Slow(1.5, half_then_hang), FakeS3()
    assert 50 == slow.stream(s3).append(_lines(100))
    (stored,) = s3.objects.values()
    assert ([100, 50], _lines(100)[1::2]) == (calls, stored.splitlines(keepends=True))


def test_clients_behind_the_gateway_give_up_before_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum that is written at `LeanClients`, from the clients as botocore has them."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    configs = {name: LeanClients().client(name).meta.config for name in ("s3", "firehose")}
    longest = {}
    for name, config in configs.items():
        tries = config.retries["total_max_attempts"]
        pauses = sum(2.0**n for n in range(tries - 1))  # standard mode: random, up to that
        longest[name] = tries * (config.connect_timeout + config.read_timeout) + pauses
    assert {"s3": 8.0, "firehose": 9.0} == longest
    assert 27 == longest["s3"] + PATIENCE_SECONDS + longest["firehose"] + longest["s3"]


def test_a_short_hiccup_is_survived_without_the_fallback() -> None:
    firehose, s3 = FakeFirehose(errors=[client_error("ThrottlingException")]), FakeS3()
    assert 0 == _stream(firehose, s3).append(_lines(2))
    assert {} == s3.objects


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
