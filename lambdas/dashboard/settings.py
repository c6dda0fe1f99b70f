"""Environment variables of the dashboard function."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """Where the data is, and a few limits.

    `report_seconds`: how long the presigned URL behind a report link is valid, at most 900.
    `operator_command`: how the operator's command line is called for this deployment, for the page
    to show. `drift_schedule`, `training_schedule` and `compaction_schedule`: when the daily drift
    runs, the trainings and the compactions are due, as cron expressions; the last two are unset for
    a stage without regular ones. `query_seconds`: after how long a query is stopped; the gateway
    waits 29 seconds.
    `retention`: what expires, as `Retention.to_text` writes it. `sign_in_url` and `sign_in_client`:
    where people sign in, and as which client of it the page does; unset without a login.
    """

    reports_bucket: str
    models_bucket: str
    predictions_bucket: str
    report_secret_arn: str
    event_bus: str
    state_machine_arn: str
    database: str
    workgroup: str
    operator_command: str
    metrics_namespace: str
    drift_schedule: str
    training_schedule: str | None = None
    compaction_schedule: str | None = None
    report_seconds: int = 300
    query_seconds: float = 20.0
    retention: str | None = None
    sign_in_url: str | None = None
    sign_in_client: str | None = None
