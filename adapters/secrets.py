"""Generated secrets, read from Secrets Manager."""

from typing import TYPE_CHECKING

from domain.api.report_token import ReportSecret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def report_secret(client: "SecretsManagerClient", secret_id: str) -> ReportSecret:
    """The secret that signs report links."""
    return ReportSecret.from_json(client.get_secret_value(SecretId=secret_id)["SecretString"])
