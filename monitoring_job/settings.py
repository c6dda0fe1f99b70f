"""Environment variables of the drift function."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """Where logs and models are, and whom to notify.

    `api_url` is the base of the links in mails, whose subjects say `stage`, such as ``churn-dev``.
    Commands in mails begin with `operator_command`, such as ``ops --stage dev``.
    `mail_from` and `mail_to` are addresses, and `configuration_set` is SES's. A version with fewer
    than `minimum_rows` predictions in a window gets no verdict. Statistics and reports use at most
    `sample_rows` predictions. A window with more than `athena_rows` is read by queries of the
    `database` in the `workgroup`; without these two, every window is streamed.
    `context`: the deployed contract's context columns and segments, as `DeployedContext.to_text`
    writes them.
    `retention`: what expires, as `Retention.to_text` writes it.
    `probation` is the `domain.mode.Mode` in which a new champion is compared with the one before
    for `probation_days`, on labels that are `label_maturity_days` old; `state_machine_arn` is what
    takes it back.
    `webhook_format` is a `domain.webhook.Format`, None without a webhook; URL and key are in the
    secret `webhook_secret_arn`. `webhook_allow_private`: see `domain.webhook.check_url`.
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
    stage: str
    operator_command: str
    context: str | None = None
    retention: str | None = None
    minimum_rows: int = 300
    sample_rows: int = 100_000
    database: str | None = None
    workgroup: str | None = None
    athena_rows: int = 50_000_000
    state_machine_arn: str = ""
    probation: str = "off"
    probation_days: int = 28
    label_maturity_days: int = 7
    webhook_format: str | None = None
    webhook_secret_arn: str | None = None
    webhook_allow_private: bool = False
