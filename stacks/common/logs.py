"""Log groups with a stage's retention."""

from aws_cdk import RemovalPolicy
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


def create_log_group(scope: Construct, stage: Stage, construct_id: str = "Log") -> logs.LogGroup:
    """A group that is deleted with its stack: logs hold nothing that anybody must keep."""
    return logs.LogGroup(
        scope,
        construct_id,
        retention=_RETENTION[stage.log_days],
        removal_policy=RemovalPolicy.DESTROY,
    )
