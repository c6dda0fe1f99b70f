"""Encrypted log groups with a stage's retention."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.stage import LOG_DAYS, Stage

_RETENTION = dict(
    zip(
        LOG_DAYS,
        (
            logs.RetentionDays.ONE_DAY,
            logs.RetentionDays.THREE_DAYS,
            logs.RetentionDays.FIVE_DAYS,
            logs.RetentionDays.ONE_WEEK,
            logs.RetentionDays.TWO_WEEKS,
            logs.RetentionDays.ONE_MONTH,
            logs.RetentionDays.TWO_MONTHS,
            logs.RetentionDays.THREE_MONTHS,
            logs.RetentionDays.SIX_MONTHS,
            logs.RetentionDays.ONE_YEAR,
            logs.RetentionDays.TWO_YEARS,
        ),
        strict=True,
    )
)


def create_log_group(
    scope: Construct,
    stage: Stage,
    key: kms.IKey,
    construct_id: str = "Log",
    *,
    name: str | None = None,
) -> logs.LogGroup:
    """A group that is deleted with its stack: logs hold nothing that anybody must keep.

    `name`: for a service that chooses the name itself; otherwise CloudFormation makes one.
    """
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        encryption_key=key,
        retention=_RETENTION[stage.log_days],
        removal_policy=RemovalPolicy.DESTROY,
    )
