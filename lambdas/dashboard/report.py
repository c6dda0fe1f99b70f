"""Lead from a report's link to the report, if the link's token is valid; reveal nothing else."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from adapters.s3 import Bucket
from domain import keys
from domain.api.report_token import ReportSecret
from domain.errors import BadKey, DomainError
from domain.plural import write_count

MAXIMUM_SECONDS = 900
MAXIMUM_AGE_SECONDS = 300.0
"""A secret that was read longer ago is read again, because a rotated one must stop working."""
RECHECK_AGE_SECONDS = 30.0
"""A token that does not match a secret read longer ago than this may be signed by a newer one, so
the secret is read again."""


class NoReport(DomainError):
    """There is no such report, or no right to see it; the answer does not say which."""


@dataclass
class SecretCache:
    """The report secret, read again when it is old, or when a token does not match it."""

    read: Callable[[], ReportSecret]
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._secret: ReportSecret | None = None
        self._read_at = 0.0

    def verifies(self, token: str, run_id: str, report: str) -> bool:
        """Whether the token opens that report under the current secret."""
        if self._read_unless_newer(MAXIMUM_AGE_SECONDS).verifies(token, run_id, report):
            return True
        return self._read_unless_newer(RECHECK_AGE_SECONDS).verifies(token, run_id, report)

    def sign(self, run_id: str, report: str) -> str:
        """Sign the token of one report with the current secret."""
        return self._read_unless_newer(MAXIMUM_AGE_SECONDS).sign(run_id, report)

    def _read_unless_newer(self, seconds: float) -> ReportSecret:
        if self._secret is None or self.clock() - self._read_at >= seconds:
            self._secret, self._read_at = self.read(), self.clock()
        return self._secret


def open_report(
    *,
    run_id: str,
    report: str,
    token: str,
    bucket: Bucket,
    secrets: SecretCache,
    seconds: int,
    kept_days: int | None = None,
) -> str:
    """Make a URL that is valid for `seconds`, at most MAXIMUM_SECONDS; raises NoReport.

    `kept_days`: after how many days a report expires. Only somebody who has its link learns it.
    """
    if not token.isascii() or not secrets.verifies(token, run_id, report):
        raise NoReport("There is no such report, or the link is incomplete.")
    try:
        key = keys.report(keys.RunId.parse(run_id), report)
    except BadKey:
        raise NoReport("There is no such report, or the link is incomplete.") from None
    if not bucket.exists(key):
        if kept_days is not None:
            raise NoReport(say_expired("report", kept_days))
        raise NoReport("There is no such report, or the link is incomplete.")
    return bucket.presigned(key, seconds=min(seconds, MAXIMUM_SECONDS))


def say_expired(what: str, kept_days: int | None) -> str:
    """A sentence about a run or a report that has existed and is gone."""
    if kept_days is None:
        return f"This {what} was deleted."
    return f"This {what} has expired: drift runs are kept for {write_count(kept_days, 'day')}."
