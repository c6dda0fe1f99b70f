"""`resume`: the inverse of `pause`."""

from ops.console import Answer, Progress
from ops.target import Target
from ops.tracking import TrackingServer


def run(target: Target) -> Answer:
    """Start them again after `pause`: an account's tracking server and its database."""
    server = TrackingServer.find(target, "resume")
    with Progress("resume") as progress:
        progress.note("starting the database")
        status = server.database_status(target)
        if status == "stopping":  # a pause was interrupted
            server.await_database(target, "stopped")
        if status in ("stopping", "stopped"):
            target.client("rds").start_db_instance(DBInstanceIdentifier=server.database)
        server.await_database(target, "available")
        progress.note("starting the tracking server")
        server.update_service(target, desiredCount=1)
    return Answer(
        data={"paused": False},
        shown=["The tracking server is running again."],
        next_step="python -m ops train",
    )
