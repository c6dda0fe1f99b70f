"""A Glue table over objects in one folder per UTC day; partition projection finds the days."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_glue as glue
from constructs import Construct

FIRST_DAY = "2024-01-01"
"""The first day that a query looks at; no log is older than this software."""


@dataclass(frozen=True, slots=True)
class Format:
    """Hive's three class names of a file format."""

    input_format: str
    output_format: str
    library: str


PARQUET = Format(
    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
)
JSON = Format(
    "org.apache.hadoop.mapred.TextInputFormat",
    "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "org.openx.data.jsonserde.JsonSerDe",
)


class DayTable(glue.CfnTable):
    """Table `name` of `columns` (name → Glue type) over ``<location>dt=YYYY-MM-DD/``."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        database: str,
        columns: Mapping[str, str],
        location: str,
        data_format: Format,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            catalog_id=Aws.ACCOUNT_ID,
            database_name=database,
            table_input=glue.CfnTable.TableInputProperty(
                name=name,
                table_type="EXTERNAL_TABLE",
                parameters={
                    "EXTERNAL": "TRUE",
                    "projection.enabled": "true",
                    "projection.dt.type": "date",
                    "projection.dt.format": "yyyy-MM-dd",
                    "projection.dt.range": f"{FIRST_DAY},NOW+1DAYS",
                    "storage.location.template": f"{location}dt=${{dt}}/",
                },
                partition_keys=[glue.CfnTable.ColumnProperty(name="dt", type="string")],
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    columns=[
                        glue.CfnTable.ColumnProperty(name=column, type=kind)
                        for column, kind in columns.items()
                    ],
                    location=location,
                    input_format=data_format.input_format,
                    output_format=data_format.output_format,
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library=data_format.library
                    ),
                ),
            ),
        )
