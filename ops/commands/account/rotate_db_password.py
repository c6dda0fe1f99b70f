"""`rotate-db-password`: a new password for the tracking server's database.

Interrupted at any point, it continues where it was when it runs again: the new password stays in
the secret, staged as pending, until the database has it.
"""

import json
from typing import Any

from ops.console import Answer, Progress
from ops.target import Target
from ops.tracking import TrackingServer

LENGTH = 40
PENDING = "AWSPENDING"
CURRENT = "AWSCURRENT"


def run(target: Target) -> Answer:
    """Change the password of an account's tracking database.

    An interrupted rotation continues when the command runs again.
    """
    server = TrackingServer.find(target, "rotate-db-password")
    secrets = target.client("secretsmanager")
    with Progress("rotate") as progress:
        progress.note("storing the new password in the secret")
        password = _stage_password(secrets, server.secret)
        progress.note("changing the password of the database")
        target.client("rds").modify_db_instance(
            DBInstanceIdentifier=server.database, MasterUserPassword=password, ApplyImmediately=True
        )
        server.await_database(target, "available")
        _make_current(secrets, server.secret)
        progress.note("restarting the tracking server")
        server.update_service(target, forceNewDeployment=True)
    return Answer(
        data={"rotated": True},
        shown=["The database has a new password, and the tracking server uses it."],
        next_step="python -m ops status",
    )


def _stage_password(secrets: Any, secret: str) -> str:
    """The pending password; a new one unless an interrupted rotation left one."""
    if PENDING not in _list_stages(secrets, secret):
        value = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
        # Letters and digits: no URL, shell or console can take one for something else.
        value["password"] = secrets.get_random_password(
            PasswordLength=LENGTH, ExcludePunctuation=True
        )["RandomPassword"]
        secrets.put_secret_value(
            SecretId=secret, SecretString=json.dumps(value), VersionStages=[PENDING]
        )
    staged = secrets.get_secret_value(SecretId=secret, VersionStage=PENDING)
    return str(json.loads(staged["SecretString"])["password"])


def _make_current(secrets: Any, secret: str) -> None:
    stages = _list_stages(secrets, secret)
    if stages[PENDING] != stages[CURRENT]:  # an interrupted rotation may have come that far
        secrets.update_secret_version_stage(
            SecretId=secret,
            VersionStage=CURRENT,
            MoveToVersionId=stages[PENDING],
            RemoveFromVersionId=stages[CURRENT],
        )
    secrets.update_secret_version_stage(
        SecretId=secret, VersionStage=PENDING, RemoveFromVersionId=stages[PENDING]
    )


def _list_stages(secrets: Any, secret: str) -> dict[str, str]:
    """Stage → the version that has it."""
    versions = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
    return {stage: version for version, stages in versions.items() for stage in stages}
