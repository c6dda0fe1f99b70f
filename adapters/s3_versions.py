"""Every version of a bucket's objects: listed, read, replaced and deleted one by one."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws import error_code
from adapters.s3 import Bucket, Conflict

UNVERSIONED = "null"
"""The version id of an object that was written while its bucket kept no versions."""
MAXIMUM_BYTES = 5 * 1024**3
"""The largest object that one conditional write can replace."""

_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NotFound"})
_LOST = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one object; `size` in bytes."""

    key: str
    version_id: str
    etag: str
    size: int
    modified: datetime
    is_latest: bool

    @property
    def _named(self) -> dict[str, str]:
        return {} if self.version_id == UNVERSIONED else {"VersionId": self.version_id}


def list_versions(bucket: Bucket, prefix: str = "") -> Iterator[Version]:
    """Every version of every object under a prefix, without delete markers."""
    pages = bucket.client.get_paginator("list_object_versions").paginate(
        Bucket=bucket.name, Prefix=prefix
    )
    for page in pages:
        for found in page.get("Versions", []):
            yield Version(
                found["Key"],
                found["VersionId"],
                found["ETag"],
                found["Size"],
                found["LastModified"],
                found["IsLatest"],
            )


def download(bucket: Bucket, version: Version, path: Path) -> bool:
    """Copy a version into a file; False when it is gone."""
    try:
        bucket.client.download_file(
            bucket.name, version.key, str(path), ExtraArgs=dict(version._named)
        )
    except ClientError as error:
        if error_code(error) in _MISSING:
            return False
        raise
    return True


def replace(bucket: Bucket, version: Version, path: Path) -> None:
    """Write the file over exactly this version, which must be the latest; raises Conflict.

    Content type and metadata stay. A write whose answer was lost is recognised as our own.
    """
    try:
        head = bucket.client.head_object(Bucket=bucket.name, Key=version.key, **version._named)  # type: ignore[arg-type]  # texts
    except ClientError as error:
        if error_code(error) in _MISSING:
            raise Conflict(version.key) from None
        raise
    kept: dict[str, Any] = {"ContentType": head["ContentType"], "Metadata": head["Metadata"]}
    if "ContentEncoding" in head:
        kept["ContentEncoding"] = head["ContentEncoding"]
    with path.open("rb") as body:
        try:
            bucket.client.put_object(
                Bucket=bucket.name, Key=version.key, Body=body, IfMatch=version.etag, **kept
            )
        except ClientError as error:
            if error_code(error) in _MISSING:
                raise Conflict(version.key) from None
            if error_code(error) not in _LOST:
                raise
            if _hash_latest(bucket, version.key) != _hash(path):
                raise Conflict(version.key) from None


def delete(bucket: Bucket, version: Version) -> None:
    """Remove a version for good; no error when it is gone."""
    named = {"VersionId": version.version_id}
    bucket.client.delete_object(Bucket=bucket.name, Key=version.key, **named)  # type: ignore[arg-type]  # texts


def erase_key(bucket: Bucket, key: str) -> None:
    """Remove every version of an object, and its delete markers."""
    pages = bucket.client.get_paginator("list_object_versions").paginate(
        Bucket=bucket.name, Prefix=key
    )
    for page in pages:
        for found in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            if found["Key"] == key:
                bucket.client.delete_object(
                    Bucket=bucket.name, Key=key, VersionId=found["VersionId"]
                )


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_latest(bucket: Bucket, key: str) -> str:
    try:
        body = bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"]
    except ClientError as error:
        if error_code(error) in _MISSING:
            return ""
        raise
    digest = hashlib.sha256()
    for block in body.iter_chunks(1 << 20):
        digest.update(block)
    return digest.hexdigest()
