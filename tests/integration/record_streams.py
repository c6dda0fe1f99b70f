"""Firehose streams as the stacks make them: JSON in, Parquet out, by a Glue table."""

import io
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from adapters.s3 import Bucket

ROLE = "arn:aws:iam::000000000000:role/firehose"


def create_stream(
    aws: Callable[[str], Any], bucket: Bucket, name: str, columns: Mapping[str, str]
) -> str:
    """A stream of its own that writes these columns under ``<name>/``; returns its name."""
    unique = f"{name}_{uuid.uuid4().hex[:8]}"
    types = [{"Name": column, "Type": kind} for column, kind in columns.items()]
    aws("glue").create_database(DatabaseInput={"Name": unique})
    table = {"Name": "records", "StorageDescriptor": {"Columns": types}}
    aws("glue").create_table(DatabaseName=unique, TableInput=table)
    aws("firehose").create_delivery_stream(
        DeliveryStreamName=unique,
        ExtendedS3DestinationConfiguration={
            "RoleARN": ROLE,
            "BucketARN": f"arn:aws:s3:::{bucket.name}",
            "Prefix": f"{name}/dt=!{{timestamp:yyyy-MM-dd}}/",
            "ErrorOutputPrefix": f"rejected/{name}/",
            "DataFormatConversionConfiguration": {
                "Enabled": True,
                "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
                "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
                "SchemaConfiguration": {
                    "RoleARN": ROLE,
                    "DatabaseName": unique,
                    "TableName": "records",
                    "Region": "us-east-1",
                },
            },
        },
    )
    return unique


def read_stream(bucket: Bucket, name: str) -> pd.DataFrame:
    """Every record that arrived."""
    objects = [bucket.get(entry.key) for entry in bucket.list(f"{name}/")]
    frames = [pd.read_parquet(io.BytesIO(stored.data)) for stored in objects if stored]
    return pd.concat(frames, ignore_index=True)
