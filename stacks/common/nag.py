"""Acknowledge a finding of cdk-nag, with the reason, where it arises."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Accept findings for this construct and everything in it; `reasons`: finding → why.

    A finding is a rule's id, with the detail in brackets where a rule has several:
    ``AwsSolutions-IAM5[Resource::*]``.
    """
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=finding, reason=reason) for finding, reason in reasons.items())
    )


def wildcard_finding(resource: str) -> str:
    """The finding of a resource with a ``*`` in a policy."""
    return f"AwsSolutions-IAM5[Resource::{resource}]"
