"""A folder that answers as an S3 bucket, so that a benchmark measures the code and no server."""

import io
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from adapters.s3 import Bucket


class FolderS3:
    """The calls of boto3's S3 client that `Bucket` makes; a bucket is a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def bucket(self, name: str) -> Bucket:
        """Return one of its buckets; it is created if it is missing."""
        (self._root / name).mkdir(parents=True, exist_ok=True)
        client: Any = self
        return Bucket(client, name)

    def download_file(self, bucket: str, key: str, path: str) -> None:
        """Link instead of copying, because the cost of a download is not measured."""
        os.link(self._root / bucket / key, path)

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        """Copy a file into the folder."""
        shutil.copyfile(path, self._path(bucket, key))

    def put_object(self, *, Bucket: str, Key: str, Body: Any, **_: Any) -> dict[str, str]:  # noqa: N803 - boto3's names
        """Write an object, from bytes or an open file, which is not held in memory."""
        path = self._path(Bucket, Key)
        with path.open("wb") as file:
            shutil.copyfileobj(io.BytesIO(Body) if isinstance(Body, bytes) else Body, file)
        return {"ETag": str(path.stat().st_mtime_ns)}

    def delete_objects(self, *, Bucket: str, Delete: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """Remove objects."""
        for named in Delete["Objects"]:
            (self._root / Bucket / named["Key"]).unlink(missing_ok=True)
        return {}

    def get_object(self, *, Bucket: str, Key: str, **_: Any) -> Any:  # noqa: N803 - boto3's names
        """Read an object; raises the client's own error when it is missing."""
        path = self._root / Bucket / Key
        if not path.is_file():
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(path.read_bytes()), "ETag": str(path.stat().st_mtime_ns)}

    def head_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803 - boto3's names
        """Succeed if the object exists; raise the client's own error otherwise."""
        if not (self._root / Bucket / Key).is_file():
            raise ClientError({"Error": {"Code": "404"}}, "HeadObject")
        return {}

    def get_paginator(self, _: str) -> "FolderS3":
        """Return itself as the paginator; everything is on one page."""
        return self

    def paginate(
        self,
        *,
        Bucket: str,  # noqa: N803
        Prefix: str,  # noqa: N803
        Delimiter: str = "",  # noqa: N803
    ) -> Iterator[Any]:
        """The objects under a prefix, or with a delimiter the folders one level below it."""
        folder = self._root / Bucket
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if Delimiter:
            keys = (path.relative_to(folder).as_posix() for path in files)
            below = [key.removeprefix(Prefix) for key in keys if key.startswith(Prefix)]
            names = dict.fromkeys(key.partition(Delimiter)[0] for key in below if Delimiter in key)
            yield {"CommonPrefixes": [{"Prefix": f"{Prefix}{name}{Delimiter}"} for name in names]}
            return
        yield {
            "Contents": [
                {
                    "Key": path.relative_to(folder).as_posix(),
                    "Size": path.stat().st_size,
                    "ETag": str(path.stat().st_mtime_ns),
                    "LastModified": datetime.fromtimestamp(path.stat().st_mtime, UTC),
                }
                for path in files
                if path.relative_to(folder).as_posix().startswith(Prefix)
            ]
        }

    def _path(self, bucket: str, key: str) -> Path:
        path = self._root / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
