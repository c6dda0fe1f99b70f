"""Record and mail each event that asks the operator for a decision, or that made one."""

import os
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from adapters import aws
from adapters.identity import identify
from adapters.mail import Mailer
from adapters.s3 import Bucket
from lambdas.decisions.notices import Notices
from lambdas.decisions.notify import notify
from lambdas.decisions.settings import Settings


def handler(event: Mapping[str, Any], _: object) -> dict[str, str | None]:
    """Return the subject of the mail that was sent; raises MailRefused, BadRecord."""
    settings = Settings.from_env(os.environ)
    subject = notify(
        detail_type=event["detail-type"],
        detail=event["detail"],
        reports=Bucket(aws.client("s3"), settings.reports_bucket),
        # One attempt: SES doesn't recognise a repetition. A failed invocation is repeated whole.
        mailer=Mailer(
            client=aws.client("sesv2", attempts=1),
            sender=settings.mail_from,
            recipients=settings.mail_to,
            configuration_set=settings.configuration_set,
        ),
        notices=Notices(settings.operator_command, settings.api_url),
        identify=partial(identify, aws.client("sts")),
        now=time.time_ns() // 1_000_000,
    )
    return {"mailed": subject}
