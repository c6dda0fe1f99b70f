"""What the dashboard's function is told by its stack."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """`report_seconds`: how long the presigned URL behind a report link lives, 900 at most."""

    reports_bucket: str
    report_secret_arn: str
    report_seconds: int = 300
