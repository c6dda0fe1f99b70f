"""How a deployment uses the tracking server of another one: by the exports of that one's stack."""

from aws_cdk import CfnOutput, Fn
from constructs import Construct

from domain.deployment import Names
from stacks.target import TaskNetwork

ZONES = 2
"""Availability zones of the network, so subnets of its tasks."""


def export_network(scope: Construct, names: Names, network: TaskNetwork) -> None:
    """Export where training tasks run. CloudFormation keeps a stack whose exports are in use."""
    (group,) = network.security_group_ids
    values = zip(_list_exports(names), (group, *network.subnet_ids), strict=True)
    for number, (export, value) in enumerate(values):
        CfnOutput(scope, f"Shared{number}", value=value, export_name=export)


def import_network(names: Names) -> TaskNetwork:
    """Where the training tasks of the deployment `names` run, for tasks of another one.

    They use its security group, which lets nothing in, and which its MLflow lets in.
    """
    group, *subnets = (Fn.import_value(export) for export in _list_exports(names))
    return TaskNetwork(subnet_ids=tuple(subnets), security_group_ids=(group,))


def _list_exports(names: Names) -> list[str]:
    subnets = (f"TaskSubnet{number + 1}" for number in range(ZONES))
    return [f"{names.stack('Tracking')}-{what}" for what in ("TrainingGroup", *subnets)]
