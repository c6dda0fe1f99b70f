"""`resume`: the inverse of `pause`."""

import argparse

from ops.console import Progress
from ops.target import Target
from ops.tracking import TrackingServer


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace, target: Target) -> str:
    """The command."""
    server = TrackingServer.find(target, "resume")
    with Progress("resume") as progress:
        progress.note("the database starts")
        status = server.database_status(target)
        if status == "stopping":  # a pause was interrupted
            server.await_database(target, "stopped")
        if status in ("stopping", "stopped"):
            target.client("rds").start_db_instance(DBInstanceIdentifier=server.database)
        server.await_database(target, "available")
        progress.note("the tracking server starts")
        server.update_service(target, desiredCount=1)
    print("The tracking server runs again.")
    return target.command("train")
