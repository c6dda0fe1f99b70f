"""What the dashboard's function is told by its stack."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """`report_seconds`: how long the presigned URL behind a report link lives, 900 at most.

    `operator_command`: how the operator's command line is called for this deployment, for the page
    to show. `query_seconds`: how long a query may take before it is stopped; the gateway waits 29.
    """

    reports_bucket: str
    models_bucket: str
    report_secret_arn: str
    event_bus: str
    database: str
    workgroup: str
    operator_command: str
    metrics_namespace: str
    report_seconds: int = 300
    query_seconds: float = 20.0
