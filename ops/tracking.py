"""The tracking server of an account's stage, as its operator handles it."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from adapters import aws
from ops.errors import OpsError
from ops.local.processes import wait_until
from ops.target import Target

PATIENCE_SECONDS = 1800.0
PAUSE_SECONDS = 10.0
SERVICE = "AWS::ECS::Service"
DATABASE = "AWS::RDS::DBInstance"
SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 - a type of resource


@dataclass(frozen=True, slots=True)
class TrackingServer:
    """Physical names of the resources of the Tracking stack."""

    database: str
    secret: str
    service: str

    @classmethod
    def find(cls, target: Target, command: str) -> "TrackingServer":
        """Read the stack's resources; raises OpsError on a laptop, or when some are missing."""
        if target.laptop is not None:
            raise OpsError(
                f"`{command}` is for a stage of an account, not for this machine.",
                f"python -m ops --stage dev {command}",
            )
        if owner := target.tracking_owner:
            raise OpsError(
                f"{target.name} uses the tracking server of {owner}.",
                f"python -m ops --name {owner} --stage {target.stage} {command}",
            )
        stack = target.names.stack("Tracking")
        pages = target.client("cloudformation").get_paginator("list_stack_resources")
        found = {
            resource["ResourceType"]: resource["PhysicalResourceId"]
            for page in pages.paginate(StackName=stack)
            for resource in page["StackResourceSummaries"]
        }
        missing = [kind for kind in (DATABASE, SECRET, SERVICE) if kind not in found]
        if missing:
            raise OpsError(
                f"Stack {stack} is incomplete; missing: {', '.join(missing)}.",
                target.deploy_command,
            )
        return cls(database=found[DATABASE], secret=found[SECRET], service=found[SERVICE])

    @property
    def cluster(self) -> str:
        """The cluster's name, from the service's ARN ``...:service/CLUSTER/SERVICE``."""
        return self.service.split("/")[-2]

    def update_service(self, target: Target, **changes: Any) -> None:
        """Change the service and wait until it is stable."""
        ecs = target.client("ecs")
        ecs.update_service(cluster=self.cluster, service=self.service, **changes)
        waiter = ecs.get_waiter("services_stable")
        waiter.wait(cluster=self.cluster, services=[self.service])

    def database_status(self, target: Target) -> str:
        """``available``, ``stopped``, ``stopping``, ..."""
        rds = target.client("rds")
        (found,) = rds.describe_db_instances(DBInstanceIdentifier=self.database)["DBInstances"]
        return str(found["DBInstanceStatus"])

    def await_database(self, target: Target, status: str) -> None:
        """Wait until the database has that status and no change of its password is under way."""
        rds = target.client("rds")

        def settled() -> bool:
            (found,) = rds.describe_db_instances(DBInstanceIdentifier=self.database)["DBInstances"]
            pending = found.get("PendingModifiedValues", {})
            return found["DBInstanceStatus"] == status and "MasterUserPassword" not in pending

        if not wait_until(settled, seconds=PATIENCE_SECONDS, pause=PAUSE_SECONDS):
            raise OpsError(
                f"The database is not {status} after {PATIENCE_SECONDS / 60:g} minutes.",
                f"Look at {self.database} in the RDS console, then run the command again.",
            )


def refuse_while_paused(target: Target) -> None:
    """Raise OpsError if a deployment would find the database stopped.

    The tracking server would not start, and CloudFormation would roll its stack back. A stage that
    isn't deployed yet, or only in part, passes.
    """
    try:
        server = TrackingServer.find(target, "deploy")
        status = server.database_status(target)
    except OpsError:
        return
    except ClientError as error:
        if aws.error_code(error) in ("ValidationError", "DBInstanceNotFound"):
            return
        raise
    if status in ("stopping", "stopped", "starting"):
        raise OpsError(
            f"{target.names.base} is paused: its database is {status}, so the tracking server could"
            " not start and the deployment would be rolled back.",
            "python -m ops resume",
        )
