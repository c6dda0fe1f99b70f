"""Secrets of the deployment, read from Secrets Manager."""

from typing import TYPE_CHECKING

from domain.api.report_token import ReportSecret
from domain.webhook import WebhookSecret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def report_secret(client: "SecretsManagerClient", secret_id: str) -> ReportSecret:
    """The secret that signs report links."""
    return ReportSecret.from_json(client.get_secret_value(SecretId=secret_id)["SecretString"])


def webhook_secret(client: "SecretsManagerClient", secret_id: str) -> WebhookSecret:
    """The webhook's URL and the key that signs its messages; raises BadRecord."""
    return WebhookSecret.from_json(client.get_secret_value(SecretId=secret_id)["SecretString"])
