"""`webhook set`: the URL to which notifications go beside the mails."""

import sys
from typing import TYPE_CHECKING

import typer

from domain.webhook import BadUrl, check_url
from ops.console import Answer
from ops.errors import OpsError
from ops.target import Target

if TYPE_CHECKING:
    from domain.webhook import WebhookSecret


def run(target: Target) -> Answer:
    """Set the URL to which notifications go beside the mails.

    It is asked for, or read from standard input: as a secret it belongs in no command line.
    """
    secret_arn = find_secret(target)
    piped = None if sys.stdin.isatty() else sys.stdin.readline()
    url = (piped if piped is not None else typer.prompt("URL", hide_input=True, err=True)).strip()
    try:
        check_url(url, allow_private=target.laptop is not None)
    except BadUrl as error:
        raise OpsError(str(error), "Copy the URL again: python -m ops webhook set") from None
    secret = read_secret(target, secret_arn)
    target.client("secretsmanager").put_secret_value(
        SecretId=secret_arn, SecretString=secret.with_url(url).to_json()
    )
    return Answer(
        data={"set": True},
        shown=["Notifications go to the webhook from now on, beside the mails."],
        next_step="python -m ops webhook test",
    )


def find_secret(target: Target) -> str:
    """ARN of the webhook's secret; raises OpsError where the stage has no webhook."""
    arn = target.deployment.webhook_secret
    if not arn:
        raise OpsError(f"Stage {target.stage} has no webhook.", _propose_webhook(target))
    return arn


def _propose_webhook(target: Target) -> str:
    """How the stage gets a webhook: on this machine `up` takes settings from a file."""
    if target.laptop is None:
        return f"Set its webhook in cdk.json to slack, teams or json, then {target.deploy_command}"
    return (
        'Write {"webhook": "slack"} to a file, or teams or json instead of slack, then'
        f" {target.deploy_command} --settings FILE"
    )


def read_secret(target: Target, secret_arn: str) -> "WebhookSecret":
    """The URL and the key; raises BadRecord."""
    from adapters.secrets import webhook_secret

    return webhook_secret(target.client("secretsmanager"), secret_arn)
