"""A Firehose stream that writes JSON records as Parquet, with a role that may do nothing else."""

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from domain import keys
from stacks.common import grants
from stacks.common.logs import create_log_group
from stacks.stage import Stage

BUFFER_MEBIBYTES = 64
"""The smallest buffer that Firehose allows with Parquet conversion."""

_Stream = firehose.CfnDeliveryStream


class Delivery(Construct):
    """The stream of one log: Parquet in ``<name>/dt=.../``, unreadable records in ``rejected/``.

    It is not CDK's `DeliveryStream`, whose role may read, write and delete in the whole bucket.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        table: glue.CfnTable,
        bucket: s3.IBucket,
        key: kms.IKey,
        stage: Stage,
    ) -> None:
        super().__init__(scope, construct_id)
        group = create_log_group(self, stage, key)
        log_stream = logs.LogStream(
            self, "LogStream", log_group=group, removal_policy=RemovalPolicy.DESTROY
        )
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("firehose.amazonaws.com"))
        _grant(role, bucket, name)
        _grant_schema(role, table)
        group.grant(role, "logs:PutLogEvents")
        self._stream = _Stream(
            self,
            "Stream",
            delivery_stream_type="DirectPut",
            delivery_stream_encryption_configuration_input=(
                _Stream.DeliveryStreamEncryptionConfigurationInputProperty(
                    key_type="CUSTOMER_MANAGED_CMK", key_arn=key.key_arn
                )
            ),
            extended_s3_destination_configuration=(
                _Stream.ExtendedS3DestinationConfigurationProperty(
                    bucket_arn=bucket.bucket_arn,
                    role_arn=role.role_arn,
                    prefix=f"{name}/dt=!{{timestamp:yyyy-MM-dd}}/",
                    error_output_prefix=keys.rejected(name)
                    + "!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/",
                    buffering_hints=_Stream.BufferingHintsProperty(
                        interval_in_seconds=stage.stream_seconds, size_in_m_bs=BUFFER_MEBIBYTES
                    ),
                    compression_format="UNCOMPRESSED",  # Parquet compresses by itself
                    encryption_configuration=_Stream.EncryptionConfigurationProperty(
                        kms_encryption_config=_Stream.KMSEncryptionConfigProperty(
                            awskms_key_arn=key.key_arn
                        )
                    ),
                    cloud_watch_logging_options=_Stream.CloudWatchLoggingOptionsProperty(
                        enabled=True,
                        log_group_name=group.log_group_name,
                        log_stream_name=log_stream.log_stream_name,
                    ),
                    data_format_conversion_configuration=_conversion(table, role.role_arn),
                )
            ),
        )
        # Firehose checks the role's rights on bucket, key and table when the stream is created.
        self._stream.node.add_dependency(role)

    @property
    def stream_name(self) -> str:
        """The stream's name."""
        return self._stream.ref

    def metric(self, name: str, period: Duration, statistic: str) -> cloudwatch.Metric:
        """A metric that Firehose itself keeps about the stream."""
        return cloudwatch.Metric(
            namespace="AWS/Firehose",
            metric_name=name,
            dimensions_map={"DeliveryStreamName": self.stream_name},
            period=period,
            statistic=statistic,
        )

    def grant_put(self, role: iam.IRole) -> None:
        """Let the role send records."""
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["firehose:PutRecordBatch"], resources=[self._stream.attr_arn]
            )
        )


def _grant(role: iam.Role, bucket: s3.IBucket, name: str) -> None:
    """Grant what Firehose's documentation lists for S3, on the stream's own folders only."""
    folders = (f"{name}/*", f"{keys.rejected(name)}*")
    grants.read(role, bucket, *folders)
    grants.write(role, bucket, *folders, in_parts=True)
    grants.list_keys(role, bucket)
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
            resources=[bucket.bucket_arn],
        )
    )


def _grant_schema(role: iam.Role, table: glue.CfnTable) -> None:
    catalog = (
        ("catalog", None),
        ("database", table.database_name),
        ("table", f"{table.database_name}/{table.ref}"),
    )
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"],
            resources=[
                Stack.of(role).format_arn(service="glue", resource=kind, resource_name=name)
                for kind, name in catalog
            ],
        )
    )


def _conversion(
    table: glue.CfnTable, role_arn: str
) -> firehose.CfnDeliveryStream.DataFormatConversionConfigurationProperty:
    return _Stream.DataFormatConversionConfigurationProperty(
        enabled=True,
        input_format_configuration=_Stream.InputFormatConfigurationProperty(
            deserializer=_Stream.DeserializerProperty(
                open_x_json_ser_de=_Stream.OpenXJsonSerDeProperty(case_insensitive=True)
            )
        ),
        output_format_configuration=_Stream.OutputFormatConfigurationProperty(
            serializer=_Stream.SerializerProperty(
                parquet_ser_de=_Stream.ParquetSerDeProperty(compression="SNAPPY")
            )
        ),
        schema_configuration=_Stream.SchemaConfigurationProperty(
            database_name=table.database_name,
            table_name=table.ref,
            role_arn=role_arn,
            region=Aws.REGION,
            version_id="LATEST",
        ),
    )
