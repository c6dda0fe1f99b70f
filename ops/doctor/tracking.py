"""Checks whether the training reaches MLflow, asked from its own side of the network."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from domain.plural import agree, write_count
from mlflow_server.settings import PORT
from ops.doctor.finding import Check, Finding, note, ok, problem
from ops.target import Target
from ops.tracking import SERVICE, TrackingServer


def check_mlflow(target: Target) -> Iterator[Finding]:
    """On this machine, ask the URL that the training gets; in an account, follow its way there.

    Nothing outside the account's network reaches the server. So its health, its name and its
    security group are read instead.
    """
    if target.laptop is not None:
        yield _ask(target.deployment.mlflow_url)
        return
    if target.tracking_owner:
        target = target.named(target.tracking_owner)
    if not target.resources.names(SERVICE):
        return  # the check of the stacks says so
    server = TrackingServer.find(target, "doctor")
    status = server.database_status(target)
    ecs = target.client("ecs")
    (service,) = ecs.describe_services(cluster=server.cluster, services=[server.service])[
        "services"
    ]
    wanted = service["desiredCount"]
    if status != "available" or wanted == 0:
        yield note(
            f"The tracking server is paused or changing: its database is {status}, and "
            f"{write_count(wanted, 'task')} {agree(wanted, 'is', 'are')} wanted. A training would "
            "fail.",
            "python -m ops resume",
        )
        return
    healthy = _healthy_addresses(ecs, server)
    if not healthy:
        events = [event["message"] for event in service.get("events", [])[:1]]
        yield problem(
            " ".join(["No healthy MLflow task runs.", *events]),
            "Read the log group of the Tracking stack, then python -m ops status",
        )
        return
    registered = _registered_addresses(target, service)
    if not healthy & registered:
        yield problem(
            f"The name in {target.deployment.mlflow_url} leads to no healthy MLflow task.",
            "Restart it: python -m ops pause, then python -m ops resume",
        )
    elif not _lets_training_in(target, service):
        yield problem(
            f"MLflow's security group lets no training in on port {PORT}.", target.deploy_command
        )
    else:
        yield ok("MLflow is healthy, found by its name, and open to the training.")


def _ask(url: str) -> Finding:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5):
            return ok(f"MLflow answers at {url}, where the training looks for it.")
    except (urllib.error.URLError, OSError):
        return problem(
            f"MLflow doesn't answer at {url}, where the training looks for it.", "python -m ops up"
        )


def _healthy_addresses(ecs: Any, server: TrackingServer) -> set[str]:
    """Private addresses of the service's healthy tasks."""
    arns = ecs.list_tasks(cluster=server.cluster, serviceName=server.service)["taskArns"]
    if not arns:
        return set()
    tasks = ecs.describe_tasks(cluster=server.cluster, tasks=arns)["tasks"]
    return {
        detail["value"]
        for task in tasks
        if task["lastStatus"] == "RUNNING" and task.get("healthStatus") == "HEALTHY"
        for attachment in task["attachments"]
        for detail in attachment["details"]
        if detail["name"] == "privateIPv4Address"
    }


def _registered_addresses(target: Target, service: dict[str, Any]) -> set[str]:
    """Addresses that the service's Cloud Map name leads to."""
    client = target.client("servicediscovery")
    return {
        instance["Attributes"]["AWS_INSTANCE_IPV4"]
        for registry in service["serviceRegistries"]
        for instance in client.list_instances(ServiceId=registry["registryArn"].split("/")[-1])[
            "Instances"
        ]
        if "AWS_INSTANCE_IPV4" in instance["Attributes"]
    }


def _lets_training_in(target: Target, service: dict[str, Any]) -> bool:
    """Whether a security group of the server names the training's group on MLflow's port."""
    groups = service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
    (training,) = target.resources.names("AWS::EC2::SecurityGroup", "TrainingGroup")
    described = target.client("ec2").describe_security_groups(GroupIds=groups)
    return any(
        rule.get("FromPort", 0) <= PORT <= rule.get("ToPort", 65535)
        and training in [pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])]
        for group in described["SecurityGroups"]
        for rule in group["IpPermissions"]
    )


CHECKS = (Check("MLflow", check_mlflow),)
"""What is asked of the tracking server."""
