"""What the drift function is told by its stack."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """Where the logs and models are, and whom to tell.

    `api_url` is the base of the links in mails. `mail_from` and `mail_to` are addresses,
    `configuration_set` is SES's. `minimum_rows`: fewer rows of a version in a window are
    `insufficient_data`. `sample_rows`: at most so many rows go into the statistics and reports.
    """

    models_bucket: str
    predictions_bucket: str
    reports_bucket: str
    event_bus: str
    topic_arn: str
    report_secret_arn: str
    api_url: str
    mail_from: str
    mail_to: str
    configuration_set: str
    metrics_namespace: str
    minimum_rows: int = 300
    sample_rows: int = 100_000
