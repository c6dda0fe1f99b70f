"""`pause`: stop what an idle stage of an account pays for by the hour."""

from ops.commands.machine.list import list_deployments
from ops.console import Answer, Progress
from ops.errors import OpsError
from ops.target import Target
from ops.tracking import TrackingServer


def run(target: Target) -> Answer:
    """Stop an account's tracking server and its database."""
    server = TrackingServer.find(target, "pause")
    for user in _list_users(target):
        if _is_training(user):
            raise OpsError(
                f"A training of {user.name} is running and needs the tracking server.",
                f"Wait until it ends: python -m ops --name {user.name} --stage {user.stage} status",
            )
    with Progress("pause") as progress:
        progress.note("stopping the tracking server")
        server.update_service(target, desiredCount=0)
        progress.note("stopping its database")
        if server.database_status(target) not in ("stopping", "stopped"):
            server.await_database(target, "available")
            target.client("rds").stop_db_instance(DBInstanceIdentifier=server.database)
        server.await_database(target, "stopped")
    return Answer(
        data={"paused": True},
        shown=[
            "Paused. Predictions and drift runs continue; training needs `resume` first.",
            "AWS starts a stopped database again after seven days: run `pause` again then.",
        ],
        next_step="python -m ops resume",
    )


def _list_users(target: Target) -> list[Target]:
    """The deployments that use this one's tracking server, itself first."""
    others = [each for each in list_deployments(target) if each.tracking_owner == target.name]
    return [target, *others]


def _is_training(target: Target) -> bool:
    """Whether an execution of the training state machine is running."""
    listed = target.client("stepfunctions").list_executions(
        stateMachineArn=target.deployment.state_machine_arn, statusFilter="RUNNING", maxResults=1
    )
    return bool(listed["executions"])
