"""Objects of one bucket, with conditional reads and writes.

What `Bucket` returns has the length and the checksum that S3 announced. A client repeats a write
whose answer was lost, and the repetition meets the first one: `put_if` recognises it as this
writer's own, and to `create` and `upload_if` it is an object that is there already.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

from botocore.exceptions import (
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)

from adapters.aws import CUT_OFF, error_code
from domain.errors import DomainError
from domain.plural import write_count

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

READS = 3
"""How often an object is read when an answer arrives incomplete or altered."""
WRITES = 8
"""How often a conditional write is sent while S3 answers 409, which asks for a repetition."""
UPDATES = 20
"""Lost compare-and-swaps before `update` gives up."""
MOST_DELETED = 1_000
"""Objects that one call removes at most."""
PAUSE_SECONDS = 0.05
"""First pause before a repetition; doubled each time, with full jitter."""

_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_OTHER_STATE = frozenset({"PreconditionFailed", "412"})
_REPEAT = frozenset({"ConditionalRequestConflict", "OperationAborted", "409"})
_WRITES_WHOLE = ("PutObject", "CompleteMultipartUpload")
_ALTERED = (FlexibleChecksumError, IncompleteReadError, ResponseStreamingError, *CUT_OFF)


class Conflict(Exception):
    """A conditional write lost: the object is no longer what the writer saw."""


class NotDeleted(Exception):
    """S3 refused to remove some objects; the message says how many, and why the first one."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object's bytes and the ETag that names exactly this state of it."""

    data: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of a listing; `size` in bytes."""

    key: str
    size: int
    modified: datetime
    etag: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket seen through one client."""

    client: "S3Client"
    name: str

    def get(self, key: str, *, limit: int | None = None) -> Stored | None:
        """The object, or None when there is none; of more than `limit` bytes only the first ones.

        Raises botocore's error when the content arrives incomplete or altered several times.
        """
        return self._get(key, limit)

    def get_end(self, key: str, limit: int) -> bytes:
        """The last `limit` bytes of an object that isn't empty, or all of a smaller one."""
        answer = self.client.get_object(Bucket=self.name, Key=key, Range=f"bytes=-{limit}")
        return _drain(answer["Body"], None)

    def read(self, key: str, decode: Callable[[bytes], T], *, limit: int | None = None) -> T | None:
        """The decoded object, or None when there is none; raises what `read_with_etag` does."""
        found = self.read_with_etag(key, decode, limit=limit)
        return found[0] if found else None

    def read_with_etag(
        self, key: str, decode: Callable[[bytes], T], *, limit: int | None = None
    ) -> tuple[T, str] | None:
        """The decoded object and its ETag, or None when there is none.

        Raises the DomainError of `decode` only when two readings in a row delivered the same
        bytes: anything else is a damaged transfer, not a damaged object.
        """
        damaged: bytes | None = None
        for _ in range(READS):
            stored = self.get(key, limit=limit)
            if stored is None:
                return None
            try:
                return decode(stored.data), stored.etag
            except DomainError:
                if stored.data == damaged:
                    raise
                damaged = stored.data
        raise HTTPClientError(error=f"each reading of {key} delivered other bytes")

    def get_if_changed(self, key: str, etag: str) -> Stored | Literal["unchanged"] | None:
        """The object when its ETag differs from `etag`; None when there is none."""
        try:
            return self._get(key, None, IfNoneMatch=etag)
        except ClientError as error:
            if error_code(error) in ("304", "NotModified"):
                return "unchanged"
            raise

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            self.client.head_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error_code(error) in _MISSING:
                return False
            raise
        return True

    def _get(self, key: str, limit: int | None, **conditions: str) -> Stored | None:
        for attempt in range(READS):
            try:
                answer = self.client.get_object(Bucket=self.name, Key=key, **conditions)  # type: ignore[arg-type]  # conditions are header texts
                return Stored(_drain(answer["Body"], limit), answer["ETag"])
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
            except _ALTERED:
                if attempt == READS - 1:
                    raise
                _pause(attempt)
        raise AssertionError("the loop returns or raises")

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> str:
        """Write unconditionally; returns the new ETag."""
        return self._put(key, data, content_type)

    def put_if(
        self, key: str, data: bytes, *, etag: str | None, content_type: str = "application/json"
    ) -> str:
        """Compare-and-swap: write only over exactly `etag`, or only when absent (None).

        Returns the new ETag; raises Conflict when the object is in another state. An object that
        already has exactly this content counts as written: the client repeats a write whose answer
        was lost, and the repetition meets the first one. So content that claims something for its
        writer must name the writer.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        for attempt in range(WRITES):
            try:
                return self._put(key, data, content_type, **condition)
            except ClientError as error:
                code = error_code(error)
                if code in _REPEAT and attempt < WRITES - 1:
                    _pause(attempt)
                elif code in _OTHER_STATE:
                    return self._find_own(key, data)
                elif code in _MISSING:  # what IfMatch answers when the object is gone
                    raise Conflict(key) from None
                else:
                    raise
        raise AssertionError("the loop returns or raises")

    def _find_own(self, key: str, data: bytes) -> str:
        """The ETag of the object when `data` is its content; raises Conflict."""
        stored = self.get(key, limit=len(data) + 1)
        if stored is None or stored.data != data:
            raise Conflict(key)
        return stored.etag

    def update(
        self,
        key: str,
        edit: Callable[[bytes | None], bytes | None],
        *,
        content_type: str = "application/json",
    ) -> bytes | None:
        """Replace the object by what `edit` makes of it, by compare-and-swap.

        `edit` gets the content, or None when there is no object, and returns the new content, or
        None to leave the object as it is. It is called again whenever another writer was faster.
        Returns what was written; raises Conflict after `UPDATES` lost attempts.
        """
        for attempt in range(UPDATES):
            stored = self.get(key)
            data = edit(stored.data if stored else None)
            if data is None:
                return None
            etag = stored.etag if stored else None
            try:
                self.put_if(key, data, etag=etag, content_type=content_type)
            except Conflict:
                _pause(min(attempt, 3))
                continue
            return data
        raise Conflict(key)

    def _put(self, key: str, data: bytes | BinaryIO, content_type: str, **conditions: Any) -> str:
        answer = self.client.put_object(
            Bucket=self.name, Key=key, Body=data, ContentType=content_type, **conditions
        )
        return answer["ETag"]

    def create(self, key: str, path: Path) -> bool:
        """Write a file as a new object in one call; False when there is one of that key already.

        This may be the writer's own, whose answer was lost.
        """
        for attempt in range(WRITES):
            with path.open("rb") as body:
                try:
                    self._put(key, body, "application/octet-stream", IfNoneMatch="*")
                except ClientError as error:
                    if error_code(error) in _OTHER_STATE:
                        return False
                    if error_code(error) not in _REPEAT or attempt == WRITES - 1:
                        raise
                else:
                    return True
            _pause(attempt)
        raise AssertionError("the loop returns or raises")

    def delete(self, key: str) -> None:
        """Remove the object; no error when there is none."""
        self.client.delete_object(Bucket=self.name, Key=key)

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove objects; no error for one that is gone. Raises NotDeleted for what S3 kept."""
        for first in range(0, len(keys), MOST_DELETED):
            named: Any = [{"Key": key} for key in keys[first : first + MOST_DELETED]]
            answer = self.client.delete_objects(
                Bucket=self.name, Delete={"Objects": named, "Quiet": True}
            )
            if errors := answer.get("Errors"):
                raise NotDeleted(
                    f"{write_count(len(errors), 'object')}: {errors[0].get('Code', 'unknown')}."
                )

    def list(self, prefix: str) -> Iterator[Listed]:
        """Every object under a prefix, in the order of keys."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix
        )
        for page in pages:
            for entry in page.get("Contents", []):
                yield Listed(entry["Key"], entry["Size"], entry["LastModified"], entry["ETag"])

    def folders(self, prefix: str) -> Iterator[str]:
        """The prefixes one level below a prefix that ends with a slash, in order."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix, Delimiter="/"
        )
        for page in pages:
            for entry in page.get("CommonPrefixes", []):
                yield entry["Prefix"]

    def download(self, key: str, path: Path) -> None:
        """Copy the object into a file, in parts."""
        self.client.download_file(self.name, key, str(path))

    def upload(self, path: Path, key: str) -> None:
        """Copy a file into the object, in parts."""
        self.client.upload_file(str(path), self.name, key)

    def upload_if(self, path: Path, key: str, *, etag: str | None) -> bool:
        """Copy a file, in parts, only over exactly `etag`, or only where there is none (None).

        False when the object is in another state. This may be the writer's own copy, whose answer
        was lost.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        for attempt in range(WRITES):
            try:
                # boto3's transfer takes no conditions, and S3 checks them when the copy is whole.
                with path.open("rb") as body, _added(self.client, _WRITES_WHOLE, condition):
                    self.client.upload_fileobj(body, self.name, key)
            except ClientError as error:
                code = error_code(error)
                if code in _OTHER_STATE | _MISSING:
                    return False
                if code not in _REPEAT or attempt == WRITES - 1:
                    raise
            else:
                return True
            _pause(attempt)
        raise AssertionError("the loop returns or raises")

    def uri(self, key: str) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.name}/{key}"

    def presigned(self, key: str, *, seconds: int) -> str:
        """A URL that anybody may read the object with for that long."""
        return self.client.generate_presigned_url(
            "get_object", Params={"Bucket": self.name, "Key": key}, ExpiresIn=seconds
        )


OpenBucket = Callable[[], Bucket]
"""Opens a bucket where it is called: a client can't be sent to a worker."""


@contextmanager
def _added(
    client: "S3Client", operations: Sequence[str], parameters: Mapping[str, str]
) -> Iterator[None]:
    """Add parameters to each call of these operations meanwhile."""

    def add(params: dict[str, Any], **_: Any) -> None:
        params.update(parameters)

    events = [f"before-parameter-build.s3.{operation}" for operation in operations]
    for event in events:
        client.meta.events.register(event, add)
    try:
        yield
    finally:
        for event in events:
            client.meta.events.unregister(event, add)


def _drain(body: Any, limit: int | None) -> bytes:
    """Read a body to its end, where botocore compares length and checksum.

    Beyond `limit` nothing is read, so nothing is compared either.
    """
    if limit is None:
        data: bytes = body.read()
        return data
    data = body.read(limit)
    if body.read(1):
        body.close()
    return data


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, PAUSE_SECONDS * 2**attempt))  # noqa: S311 - jitter, not a secret
