"""The tracking server's database: Postgres on RDS, in subnets without internet access."""

from aws_cdk import CfnResource, Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.common.logs import create_log_group
from stacks.common.nag import acknowledge
from stacks.stage import Stage

NAME = "mlflow"
VERSION = rds.PostgresEngineVersion.VER_17
"""The major version alone. RDS upgrades the minor one by itself, so a template that named one could
later ask for less than what runs, which RDS refuses."""
PORT = 5432
LOGS = ("postgresql", "upgrade")
"""Logs of the server that go to CloudWatch."""
LOW_BYTES = 2 * 1024**3
"""An alarm goes off below this much free space."""


class TrackingDatabase(Construct):
    """Instance `name` with a generated password; `group` is its security group.

    In a stage that retains its data it is protected from deletion and leaves a last snapshot.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        stage: Stage,
        vpc: ec2.IVpc,
        key: kms.IKey,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        self.group = ec2.SecurityGroup(
            self,
            "Group",
            vpc=vpc,
            description="The tracking database: nothing out, MLflow in",
            allow_all_outbound=False,
        )
        self._instance = rds.DatabaseInstance(
            self,
            "Instance",
            instance_identifier=name,
            engine=rds.DatabaseInstanceEngine.postgres(version=VERSION),
            instance_type=ec2.InstanceType(stage.database_instance),
            credentials=rds.Credentials.from_generated_secret(NAME, encryption_key=key),
            database_name=NAME,
            port=PORT,
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[self.group],
            publicly_accessible=False,
            multi_az=stage.database_multi_az,
            allocated_storage=stage.database_gb,
            storage_type=rds.StorageType.GP3,
            storage_encrypted=True,
            storage_encryption_key=key,
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
            parameters={"rds.force_ssl": "1"},
            cloudwatch_logs_exports=list(LOGS),
            backup_retention=Duration.days(stage.database_backup_days),
            copy_tags_to_snapshot=True,
            delete_automated_backups=not stage.retain,
            deletion_protection=stage.retain,
            removal_policy=RemovalPolicy.SNAPSHOT if stage.retain else RemovalPolicy.DESTROY,
            auto_minor_version_upgrade=True,
        )
        # cfn-lint takes a version without a minor one for a retired version; RDS completes it.
        resource = self._instance.node.default_child
        assert isinstance(resource, CfnResource)  # noqa: S101 - an instance is one
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3691"]}})
        # RDS would create the groups by itself, without a key and for ever.
        for log in LOGS:
            group = create_log_group(
                self, stage, key, f"{log.capitalize()}Log", name=f"/aws/rds/instance/{name}/{log}"
            )
            self._instance.node.add_dependency(group)
        self._alarm(topic)
        self._acknowledge(stage)

    @property
    def secret(self) -> secretsmanager.ISecret:
        """User, password and, as the instance is attached to it, host, port and database."""
        assert self._instance.secret is not None  # noqa: S101 - credentials are generated
        return self._instance.secret

    def _alarm(self, topic: sns.ITopic) -> None:
        alarm = cloudwatch.Alarm(
            self,
            "LowStorage",
            metric=self._instance.metric_free_storage_space(period=Duration.minutes(15)),
            threshold=LOW_BYTES,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description="The tracking database is nearly full: raise database_gb.",
        )
        alarm.add_alarm_action(actions.SnsAction(topic))

    def _acknowledge(self, stage: Stage) -> None:
        reasons = {
            "AwsSolutions-RDS11": "Its security group, not an unusual port, keeps others away.",
            "AwsSolutions-SMG4": "`ops --stage STAGE rotate-db-password` rotates it.",
        }
        if not stage.database_multi_az:
            reasons["AwsSolutions-RDS3"] = "A standby doubles the cost; training can wait."
        if not stage.retain:
            reasons["AwsSolutions-RDS10"] = "This stage is meant to be removable."
        acknowledge(self, reasons)
