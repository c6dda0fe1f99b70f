"""`webhook test`: send a message to the webhook from here, as the functions would."""

import time
from functools import partial
from typing import cast

from domain.webhook import Format
from ops.commands.monitoring.webhook_set import find_secret, read_secret
from ops.console import Answer
from ops.errors import OpsError
from ops.target import Target


def run(target: Target) -> Answer:
    """Send a test message to the webhook, in the stage's format and from this machine."""
    from adapters.webhook.notification import Notification, make_id
    from adapters.webhook.webhook import Webhook, WebhookRefused

    secret_arn = find_secret(target)
    webhook = Webhook(
        format=_read_format(target),
        read_secret=partial(read_secret, target, secret_arn),
        allow_private=target.laptop is not None,
    )
    notification = Notification(
        id=make_id("test", str(time.time_ns())),
        type="Test",
        title=f"[{target.names.base}] This is a test of the webhook",
        facts=("Notifications about drift and decisions will arrive here.",),
        links=(("Dashboard", f"{target.deployment.api_url}/"),),
    )
    try:
        webhook.send(notification)
    except WebhookRefused as error:
        raise OpsError(
            f"The webhook did not take the message: {error}.", "python -m ops webhook set"
        ) from None
    return Answer(data={"sent": notification.id}, shown=["The webhook took a test message."])


def _read_format(target: Target) -> Format:
    """The format that is deployed."""
    function = target.client("lambda").get_function_configuration(
        FunctionName=target.deployment.drift_function
    )
    return cast(Format, function["Environment"]["Variables"]["WEBHOOK_FORMAT"])
