"""Environment variables of the decisions function."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """`operator_command`: how the operator's command line is called for this deployment.

    `people_principal`: how the ARN of the role that acts for people begins, from the account
    on; unset without a login.
    `webhook_...`: see `monitoring_job.settings`.
    """

    reports_bucket: str
    api_url: str
    operator_command: str
    mail_from: str
    mail_to: str
    configuration_set: str
    webhook_format: str | None = None
    webhook_secret_arn: str | None = None
    webhook_allow_private: bool = False
    people_principal: str | None = None
