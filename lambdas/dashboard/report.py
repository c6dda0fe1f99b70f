"""From a report's link to the report: the capability is checked, nothing else is told."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from adapters.s3 import Bucket
from domain import keys
from domain.api.report_token import ReportSecret
from domain.errors import BadKey, DomainError

MAXIMUM_SECONDS = 900
TRUSTED_SECONDS = 300.0
"""A secret read longer ago is read again: a rotated-out one must stop working."""
DOUBTED_SECONDS = 30.0
"""A token that doesn't fit a secret read longer ago than this may be signed by a newer one."""


class NoReport(DomainError):
    """No such report, or no right to see it: from outside both are the same."""


@dataclass
class SecretCache:
    """The report secret, read again when it is old, or doubted and not quite new."""

    read: Callable[[], ReportSecret]
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._secret: ReportSecret | None = None
        self._read_at = 0.0

    def verifies(self, token: str, run_id: str, report: str) -> bool:
        """Whether the token opens that report under the secret as it is now."""
        if self._newer_than(TRUSTED_SECONDS).verifies(token, run_id, report):
            return True
        return self._newer_than(DOUBTED_SECONDS).verifies(token, run_id, report)

    def sign(self, run_id: str, report: str) -> str:
        """The token of one report, under the secret as it is now."""
        return self._newer_than(TRUSTED_SECONDS).sign(run_id, report)

    def _newer_than(self, seconds: float) -> ReportSecret:
        if self._secret is None or self.clock() - self._read_at >= seconds:
            self._secret, self._read_at = self.read(), self.clock()
        return self._secret


def open_report(
    *, run_id: str, report: str, token: str, bucket: Bucket, secrets: SecretCache, seconds: int
) -> str:
    """A URL that shows the report for `seconds` (at most MAXIMUM_SECONDS); raises NoReport."""
    if not token.isascii() or not secrets.verifies(token, run_id, report):
        raise NoReport("There is no such report, or the link is not complete.")
    try:
        key = keys.report(keys.RunId.parse(run_id), report)
    except BadKey:
        raise NoReport("There is no such report, or the link is not complete.") from None
    if not bucket.exists(key):
        raise NoReport("There is no such report, or the link is not complete.")
    return bucket.presigned(key, seconds=min(seconds, MAXIMUM_SECONDS))
