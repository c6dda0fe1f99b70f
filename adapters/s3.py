"""Objects of one bucket, with conditional reads and writes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from adapters.aws import error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class Conflict(Exception):
    """A conditional write lost: the object is no longer what the writer saw."""


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


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket seen through one client."""

    client: "S3Client"
    name: str

    def get(self, key: str, *, limit: int | None = None) -> Stored | None:
        """The object (its first `limit` bytes, if given), or None when there is none."""
        return self._get(key, limit)

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
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key, **conditions)  # type: ignore[arg-type]  # conditions are header texts
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise
        return Stored(answer["Body"].read(limit), answer["ETag"])

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> str:
        """Write unconditionally; returns the new ETag."""
        return self._put(key, data, content_type)

    def put_if(
        self, key: str, data: bytes, *, etag: str | None, content_type: str = "application/json"
    ) -> str:
        """Compare-and-set: write only over exactly `etag`, or only when absent (None).

        Returns the new ETag; raises Conflict when the object is in another state.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            return self._put(key, data, content_type, **condition)
        except ClientError as error:
            # A missing object under IfMatch answers 404: it isn't what the writer saw either.
            if error_code(error) in _LOST | _MISSING:
                raise Conflict(key) from None
            raise

    def _put(self, key: str, data: bytes, content_type: str, **conditions: Any) -> str:
        answer = self.client.put_object(
            Bucket=self.name, Key=key, Body=data, ContentType=content_type, **conditions
        )
        return answer["ETag"]

    def delete(self, key: str) -> None:
        """Remove the object; no error when there is none."""
        self.client.delete_object(Bucket=self.name, Key=key)

    def list(self, prefix: str) -> Iterator[Listed]:
        """Every object under a prefix, in the order of keys."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix
        )
        for page in pages:
            for entry in page.get("Contents", []):
                yield Listed(entry["Key"], entry["Size"], entry["LastModified"])

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

    def uri(self, key: str) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.name}/{key}"

    def presigned(self, key: str, *, seconds: int) -> str:
        """A URL that anybody may read the object with for that long."""
        return self.client.generate_presigned_url(
            "get_object", Params={"Bucket": self.name, "Key": key}, ExpiresIn=seconds
        )
