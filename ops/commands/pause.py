"""`pause`: stop what an idle stage of an account pays for by the hour."""

import argparse

from ops.console import Progress
from ops.errors import OpsError
from ops.target import Target
from ops.tracking import TrackingServer


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace, target: Target) -> str:
    """The command."""
    server = TrackingServer.find(target, "pause")
    if _trains(target):
        raise OpsError(
            "A training runs, and needs the tracking server.",
            f"Wait for its end: {target.command('status')}",
        )
    with Progress("pause") as progress:
        progress.note("the tracking server stops")
        server.update_service(target, desiredCount=0)
        progress.note("its database stops")
        if server.database_status(target) not in ("stopping", "stopped"):
            server.await_database(target, "available")
            target.client("rds").stop_db_instance(DBInstanceIdentifier=server.database)
        server.await_database(target, "stopped")
    print("Paused: predictions and drift runs go on, training needs `resume`.")
    print("AWS starts a stopped database again after seven days: pause again then.")
    return target.command("resume")


def _trains(target: Target) -> bool:
    """Whether an execution of the training's state machine runs."""
    listed = target.client("stepfunctions").list_executions(
        stateMachineArn=target.deployment.state_machine_arn, statusFilter="RUNNING", maxResults=1
    )
    return bool(listed["executions"])
