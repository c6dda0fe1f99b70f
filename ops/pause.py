"""`pause`: stop what an idle stage of an account pays for by the hour."""

import argparse

from ops.console import Progress
from ops.target import Target
from ops.tracking import TrackingServer


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace, target: Target) -> str:
    """The command."""
    server = TrackingServer.find(target, "pause")
    with Progress("pause") as progress:
        progress.note("the tracking server stops")
        server.update_service(target, desiredCount=0)
        progress.note("its database stops")
        target.client("rds").stop_db_instance(DBInstanceIdentifier=server.database)
        server.await_database(target, "stopped")
    print("Paused: predictions and drift runs go on, training needs `resume`.")
    print("AWS starts a stopped database again after seven days: pause again then.")
    return target.command("resume")
