"""What EventBridge Scheduler starts, and the role in which it does."""

import json
from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs

from domain.typed_json import Json
from stacks.common import grants


def create_clock(stack: Stack, dead_letters: sqs.IQueue) -> iam.Role:
    """The role of a stack's schedules, which only those of its own account may take."""
    here = {"StringEquals": {"aws:SourceAccount": stack.account}}
    service = iam.ServicePrincipal("scheduler.amazonaws.com").with_conditions(here)
    clock = iam.Role(stack, "Clock", assumed_by=service)
    grants.send(clock, dead_letters)
    return clock


def schedule(
    clock: iam.Role,
    construct_id: str,
    *,
    expression: str,
    description: str,
    arn: str,
    request: Mapping[str, Json],
    dead_letters: sqs.IQueue,
    retry_policy: scheduler.CfnSchedule.RetryPolicyProperty | None = None,
) -> None:
    """Start the function or machine `arn` with this request, on a schedule in UTC."""
    scheduler.CfnSchedule(
        clock.stack,
        construct_id,
        description=description,
        schedule_expression=expression,
        schedule_expression_timezone="UTC",
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        target=scheduler.CfnSchedule.TargetProperty(
            arn=arn,
            role_arn=clock.role_arn,
            input=json.dumps(request),
            retry_policy=retry_policy,
            dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                arn=dead_letters.queue_arn
            ),
        ),
    )
