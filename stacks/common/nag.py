"""Acknowledged findings of cdk-nag's AwsSolutions rules, each with its reason, where they arise."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Finding → why it is accepted for this construct and what is below it.

    A finding is a rule's id, with the detail in brackets where a rule has several:
    ``AwsSolutions-IAM5[Resource::*]``.
    """
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=finding, reason=reason) for finding, reason in reasons.items())
    )


def wildcard(resource: str) -> str:
    """The finding of a resource with a ``*`` in a policy."""
    return f"AwsSolutions-IAM5[Resource::{resource}]"
