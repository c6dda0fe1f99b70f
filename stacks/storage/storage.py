"""Storage: buckets, the prediction and label logs, and what the other stacks share."""

from aws_cdk import Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_events as events
from aws_cdk import aws_glue as glue
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from domain import keys
from domain.contract.records import LABEL_COLUMNS, PREDICTION_TABLE, prediction_log_columns
from stacks.common.nag import acknowledge
from stacks.common.outputs import write_outputs
from stacks.settings import Settings
from stacks.stage import Stage
from stacks.storage.bucket import PrivateBucket
from stacks.storage.data_key import DataKey
from stacks.storage.dead_letters import DeadLetters
from stacks.storage.record_log import RecordLog
from stacks.storage.topic import OperationsTopic


class StorageStack(Stack):
    """Buckets, tables and streams, event bus, topic and the secret that signs report links."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        stage, contract, names = settings.stage, settings.contract, settings.names
        super().__init__(scope, construct_id, termination_protection=stage.retain)
        self.key = DataKey(self, "DataKey", names=names, retain=stage.retain)
        kept = stage.retention
        self.data = PrivateBucket(
            self,
            "Data",
            stage=stage,
            key=self.key,
            expire={keys.DATASETS: kept.datasets, keys.SCORING: kept.scoring},
        )
        self.models = PrivateBucket(self, "Models", stage=stage, key=self.key)
        self.predictions = PrivateBucket(
            self,
            "Predictions",
            stage=stage,
            key=self.key,
            expire={
                keys.ATHENA: stage.athena_days,
                keys.REJECTED: stage.rejected_days,
                keys.FALLBACK: kept.fallback,
                "log/": kept.log,
                "labels/": kept.labels,
                keys.LABEL_DRAWS: kept.labels,
            },
        )
        self.reports = PrivateBucket(
            self,
            "Reports",
            stage=stage,
            key=self.key,
            expire={
                keys.RUNS: kept.reports,
                keys.REQUESTS: kept.reports,
                keys.PREDICTION_VIEWS: kept.views,
            },
        )
        self.database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=self.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(name=names.database),
        )
        # With the retired features: a champion that uses them may serve until the next promotion.
        columns = prediction_log_columns(contract) | contract.retired_columns()
        self.prediction_log = self._log("PredictionLog", "log", PREDICTION_TABLE, columns, stage)
        self.labels = self._log("Labels", "labels", "labels", LABEL_COLUMNS, stage)
        self.workgroup = self._workgroup(names.base, stage)
        self.bus = events.EventBus(self, "Bus", event_bus_name=names.base)
        self.topic = OperationsTopic(self, "Operations", key=self.key).topic
        self.dead_letters = DeadLetters(self, "DeadLetters", names=names, topic=self.topic).queue
        self.report_secret = secretsmanager.Secret(
            self,
            "ReportSecret",
            description="Signs the links to reports; the previous secret is accepted too",
            encryption_key=self.key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template='{"previous": ""}',  # noqa: S106 - the secret is generated
                generate_string_key="current",
                password_length=64,
                exclude_punctuation=True,
            ),
        )
        acknowledge(
            self.report_secret,
            {"AwsSolutions-SMG4": "An operator rotates it: `current` moves to `previous`."},
        )
        write_outputs(
            self,
            data_bucket=self.data.bucket_name,
            models_bucket=self.models.bucket_name,
            predictions_bucket=self.predictions.bucket_name,
            reports_bucket=self.reports.bucket_name,
            database=self.database.ref,
            workgroup=self.workgroup.name,
            event_bus=self.bus.event_bus_name,
            dead_letters=self.dead_letters.queue_url,
            **{"retention": kept.to_text()} if kept.to_text() else {},
        )

    def _log(
        self, construct_id: str, name: str, table: str, columns: dict[str, str], stage: Stage
    ) -> RecordLog:
        return RecordLog(
            self,
            construct_id,
            name=name,
            table=table,
            columns=columns,
            database=self.database,
            bucket=self.predictions,
            key=self.key,
            stage=stage,
        )

    def _workgroup(self, name: str, stage: Stage) -> athena.CfnWorkGroup:
        """Queries run here; their results are encrypted, and expire by the bucket's lifecycle."""
        return athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=name,
            recursive_delete_option=not stage.retain,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=self.predictions.s3_url_for_object(keys.ATHENA),
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_KMS", kms_key=self.key.key_arn
                    ),
                ),
            ),
        )
