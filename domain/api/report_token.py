"""The token in a report's link: whoever has the link may open that one report.

The token is an HMAC-SHA256 (RFC 2104) of run and report under a generated secret. The secret's
previous value is accepted too, so that links in yesterday's mail survive a rotation.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from domain.errors import BadRecord


@dataclass(frozen=True, slots=True, repr=False)
class ReportSecret:
    """The signing secret: its current value and the one before the last rotation."""

    current: str
    previous: str | None = None

    @classmethod
    def from_json(cls, text: str) -> "ReportSecret":
        """Decode ``{"current": ..., "previous": ...}``; raises BadRecord."""
        try:
            fields = json.loads(text)
            current, previous = fields["current"], fields.get("previous") or None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadRecord("The report secret can't be decoded.") from None
        if not isinstance(previous, str | None):
            raise BadRecord("The report secret before this one is no text.")
        if not isinstance(current, str) or len(current) < 32:
            raise BadRecord("The report secret is shorter than 32 characters.")
        return cls(current=current, previous=previous)

    def sign(self, run_id: str, report: str) -> str:
        """Return the URL-safe token of one report."""
        return _sign(self.current, run_id, report)

    def verifies(self, token: str, run_id: str, report: str) -> bool:
        """Return whether the token opens that report; compares in constant time."""
        secrets = (self.current, self.previous) if self.previous else (self.current,)
        matches = [
            hmac.compare_digest(_sign(secret, run_id, report).encode(), token.encode())
            for secret in secrets
        ]
        return any(matches)


def _sign(secret: str, run_id: str, report: str) -> str:
    mac = hmac.new(secret.encode(), f"{run_id}\n{report}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()
