"""Outputs of the stacks, which `ops` reads under the names of `domain.deployment`."""

from dataclasses import fields

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from domain.deployment import Deployment, output_key

_FIELDS = frozenset(field.name for field in fields(Deployment))


def write_outputs(stack: Stack, **values: str) -> None:
    """Write one output for each value, which is named like its field of `Deployment`."""
    unknown = sorted(set(values) - _FIELDS)
    if unknown:
        raise KeyError(f"Deployment has no field {', '.join(unknown)}.")
    scope = Construct(stack, "Outputs")
    for field, value in values.items():
        output = CfnOutput(scope, output_key(field), value=value)
        output.override_logical_id(output_key(field))  # without the scope in its name
