"""`remove`: delete one deployment of this machine, and leave the others alone."""

from typing import Annotated, Any

from typer import Option

from domain.deployment import PARTS, Part
from domain.plural import write_count
from ops.commands.machine import up
from ops.console import Answer, Checklist, require_yes
from ops.errors import OpsError
from ops.laptop import Laptop
from ops.local import mlflow_server
from ops.local.processes import wait_until
from ops.target import Target

DELETE_SECONDS = 120.0
BUCKET = "AWS::S3::Bucket"


def run(
    target: Target,
    *,
    yes: Annotated[bool, Option("--yes", help="Don't ask.")] = False,
) -> Answer:
    """Delete one deployment of this machine, and all that it holds.

    Its stacks, data, models, predictions, reports, and its runs and versions in MLflow. The other
    deployments stay as they are. The names of the stacks decide what is deleted.
    """
    laptop = target.require_laptop("remove")
    if target.name not in laptop.contracts:
        there = ", ".join(laptop.contracts) or "none"
        raise OpsError(
            f"There is no deployment {target.name} on this machine; there are: {there}.",
            "Give --name one that is there." if laptop.contracts else "There is nothing to remove.",
        )
    if not yes:
        question = f"Delete {target.name} with its data, models, predictions and reports?"
        require_yes(question, "python -m ops remove --yes")
    stations = Checklist()
    buckets = target.resources.names(BUCKET)
    with stations.station("stacks"):
        # What may still write goes first.
        for part in reversed(PARTS):
            if part != "Storage":
                _delete_stack(target, part)
    with stations.station("MLflow") as station:
        removed = mlflow_server.remove_deployment(laptop, target.names.base)
        station.result = write_count(removed, "experiment")
    with stations.station("data"):
        for bucket in buckets:
            _empty(target, bucket)
        _delete_stack(target, "Storage")
    left = _forget(laptop)
    return Answer(
        data={"removed": target.name, "left": list(left.contracts)},
        shown=[f"{target.name} is deleted. Left: {', '.join(left.contracts) or 'nothing'}."],
    )


def _delete_stack(target: Target, part: Part) -> None:
    client, stack = target.client("cloudformation"), target.names.stack(part)
    client.delete_stack(StackName=stack)
    if not wait_until(lambda: _is_gone(client, stack), seconds=DELETE_SECONDS):
        raise OpsError(f"The stack {stack} can't be deleted.", "python -m ops remove --yes")


def _empty(target: Target, name: str) -> None:
    """Delete every version of every object, and every delete marker."""
    client = target.client("s3")
    for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
        if objects:
            client.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})


def _is_gone(client: Any, stack: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        found = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError:
        return True
    return all(each["StackStatus"] == "DELETE_COMPLETE" for each in found)


def _forget(laptop: Laptop) -> Laptop:
    left = laptop.without_deployment()
    left.save()
    up.save_state(left)
    return left
