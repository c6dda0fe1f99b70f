"""Record each event that asks the operator for a decision or that made one, and notify people."""

import os
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from adapters import aws
from adapters.identity import identify
from adapters.mail import Mailer
from adapters.s3 import Bucket
from adapters.webhook.opening import open_webhook
from lambdas.decisions.notices import Notices
from lambdas.decisions.notify import Channels, notify
from lambdas.decisions.settings import Settings


def handler(event: Mapping[str, Any], _: object) -> dict[str, str | None]:
    """Return the subject of what was sent; raises MailRefused, WebhookRefused, BadRecord."""
    settings = Settings.from_env(os.environ)
    subject = notify(
        detail_type=event["detail-type"],
        detail=event["detail"],
        reports=Bucket(aws.client("s3"), settings.reports_bucket),
        channels=Channels(
            # One attempt: SES doesn't recognise a repetition. A failed invocation is repeated.
            mailer=Mailer(
                client=aws.client("sesv2", attempts=1),
                sender=settings.mail_from,
                recipients=settings.mail_to,
                configuration_set=settings.configuration_set,
            ),
            webhook=open_webhook(
                format_=settings.webhook_format,
                secret_arn=settings.webhook_secret_arn,
                allow_private=settings.webhook_allow_private,
            ),
        ),
        notices=Notices(settings.operator_command, settings.api_url),
        identify=partial(identify, aws.client("sts")),
        principals={"people": settings.people_principal or ""},
        now=time.time_ns() // 1_000_000,
    )
    return {"notified": subject}
