"""Append records to a Firehose stream, and lose none when it refuses."""

import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from adapters.aws import UNREACHABLE
from adapters.s3 import Bucket
from domain import keys

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

MAXIMUM_RECORDS = 500
"""The most records that PutRecordBatch takes."""
MAXIMUM_BYTES = 4 * 1024 * 1024
"""The most bytes that PutRecordBatch takes."""
PATIENCE_SECONDS = 2.0
"""After so long, nothing more is sent to the stream: part of the sum in `LeanClients`."""


class StreamUnavailable(Exception):
    """Neither the stream nor the fallback took the records."""


@dataclass(frozen=True, slots=True)
class RecordStream:
    """A stream with its fallback: objects of JSON lines beside the stream's own Parquet.

    `name` is ``log`` or ``labels``; `attempts` bounds the tries at the stream, `pause_seconds` is
    the first pause between two of them (doubled each time, with full jitter). After
    `patience_seconds` nothing more is sent to the stream, however many batches there are.
    """

    client: "FirehoseClient"
    stream: str
    fallback: Bucket
    name: str
    attempts: int = 3
    pause_seconds: float = 0.05
    patience_seconds: float = PATIENCE_SECONDS
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def append(self, lines: Sequence[bytes]) -> int:
        """Store every line; returns how many went to the fallback.

        `lines`: one JSON object each, newline included. Raises StreamUnavailable when some could
        be stored nowhere; a line may be stored twice then, under the same id.
        """
        deadline = self.clock() + self.patience_seconds
        refused: list[bytes] = []
        for number, batch in enumerate(_batches(lines)):
            in_time = number == 0 or self.clock() < deadline
            refused += self._put(batch, deadline) if in_time else batch
        if refused:
            self._fall_back(refused)
        return len(refused)

    def _put(self, lines: list[bytes], deadline: float) -> list[bytes]:
        """Try a batch, then only what failed of it; returns what was still refused.

        A stream that hangs ends it by itself: one unanswered call lasts longer than the patience.
        """
        for attempt in range(self.attempts):
            if attempt:
                if self.clock() >= deadline:
                    break
                pause = self.pause_seconds * 2 ** (attempt - 1)
                self.sleep(random.uniform(0, pause))  # noqa: S311 - jitter, not a secret
            try:
                answer = self.client.put_record_batch(
                    DeliveryStreamName=self.stream, Records=[{"Data": line} for line in lines]
                )
            except UNREACHABLE:
                continue
            if not answer["FailedPutCount"]:
                return []
            outcomes = zip(lines, answer["RequestResponses"], strict=True)
            lines = [line for line, outcome in outcomes if outcome.get("ErrorCode")]
        return lines

    def _fall_back(self, lines: list[bytes]) -> None:
        key = keys.fallback(self.name, datetime.now(UTC).date(), str(uuid.uuid4()))
        try:
            self.fallback.put(key, b"".join(lines), content_type="application/x-ndjson")
        except UNREACHABLE as error:
            raise StreamUnavailable(self.name) from error


def _batches(lines: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Cut into batches that PutRecordBatch takes."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == MAXIMUM_RECORDS or size + len(line) > MAXIMUM_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch
