"""Footers of Parquet objects, read without the rest of the object."""

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from adapters.s3 import Bucket

FOOTER_BYTES = 1024 * 1024
"""More than most footers take; a longer one is read by a second call."""
BAD_DATA = (pa.ArrowException, ValueError, TypeError, ArithmeticError)
"""Errors that an object's content may cause; errors of the bucket itself are not among them."""


def count_rows(bucket: Bucket, key: str) -> int | None:
    """The rows of a Parquet object by its footer; None if it can't be read."""
    footer = read_footer(bucket, key)
    return None if footer is None else int(footer.num_rows)


def read_footer(bucket: Bucket, key: str) -> pq.FileMetaData | None:
    """The footer of a Parquet object; None if it can't be read, or the object is gone."""
    try:
        end = bucket.get_end(key, FOOTER_BYTES)
        length = int.from_bytes(end[-8:-4], "little") + 8
        if len(end) == FOOTER_BYTES < length:
            end = bucket.get_end(key, length)
    except ClientError:
        if bucket.exists(key):
            raise
        return None  # expired or withdrawn after it was listed
    try:
        return pq.read_metadata(pa.BufferReader(end))
    except (*BAD_DATA, OSError):
        return None
