"""Open the webhook of a deployment as a component's settings describe it."""

from functools import partial
from typing import cast

from adapters import aws
from adapters.secrets import webhook_secret
from adapters.webhook.webhook import Webhook
from domain.webhook import Format


def open_webhook(
    *, format_: str | None, secret_arn: str | None, allow_private: bool
) -> Webhook | None:
    """The webhook, or None where the stage has none."""
    if format_ is None or secret_arn is None:
        return None
    client = aws.client("secretsmanager")
    return Webhook(
        format=cast(Format, format_),
        read_secret=partial(webhook_secret, client, secret_arn),
        allow_private=allow_private,
    )
