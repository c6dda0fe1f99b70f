"""One append-only log of records: a Firehose stream, its Parquet table and its fallback table."""

from collections.abc import Mapping

from aws_cdk import aws_glue as glue
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from domain import keys
from stacks.stage import Stage
from stacks.storage.day_table import JSON, PARQUET, DayTable
from stacks.storage.delivery import Delivery


class RecordLog(Construct):
    """`name` is the log's folder, `table` its table; `columns`: Glue column name → type.

    The stream writes to ``<name>/dt=.../``, and records that it can't convert to
    ``rejected/<name>/``. When the stream refuses a record, the writer puts it under
    ``fallback/<name>/dt=.../``, which is the table ``<table>_fallback`` with the same columns.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        table: str,
        columns: Mapping[str, str],
        database: glue.CfnDatabase,
        bucket: s3.IBucket,
        key: kms.IKey,
        stage: Stage,
    ) -> None:
        super().__init__(scope, construct_id)
        parquet = DayTable(
            self,
            "Table",
            name=table,
            database=database.ref,
            columns=columns,
            location=bucket.s3_url_for_object(f"{name}/"),
            data_format=PARQUET,
        )
        DayTable(
            self,
            "Fallback",
            name=f"{table}_fallback",
            database=database.ref,
            columns=columns,
            location=bucket.s3_url_for_object(f"{keys.FALLBACK}{name}/"),
            data_format=JSON,
        )
        self.stream = Delivery(
            self,
            "Delivery",
            name=name,
            table=parquet,
            bucket=bucket,
            key=key,
            stage=stage,
        )
