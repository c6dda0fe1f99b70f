"""A client of the deployed API, with a key."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3

from ops.errors import OpsError

RETRIED_STATUS = (429, 500, 502, 503, 504)
TIMEOUT_SECONDS = 35.0
"""API Gateway itself gives up after 29."""


@dataclass(frozen=True, slots=True, repr=False)
class Api:
    """One base URL and one key. Connections are shared between threads."""

    url: str
    key: str
    connections: int = 8
    attempts: int = 7
    _pool: urllib3.PoolManager = field(init=False)

    def __post_init__(self) -> None:
        retries = urllib3.Retry(
            total=self.attempts - 1,
            backoff_factor=0.3,
            backoff_jitter=0.3,
            status_forcelist=RETRIED_STATUS,
            # A repeated POST is harmless: each carries an Idempotency-Key.
            allowed_methods=None,
            raise_on_status=False,
            respect_retry_after_header=True,
        )
        timeout = urllib3.Timeout(connect=3.0, read=TIMEOUT_SECONDS)
        pool = urllib3.PoolManager(maxsize=self.connections, retries=retries, timeout=timeout)
        object.__setattr__(self, "_pool", pool)

    def get(self, path: str) -> tuple[int, Any]:
        """``(status, decoded body)``; raises OpsError when the API can't be reached."""
        return self._send("GET", path, None, {})

    def post(self, path: str, body: Any, *, idempotency_key: str) -> tuple[int, Any]:
        """The same for a POST; it is repeated while the API is busy."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        return self._send("POST", path, json.dumps(body).encode(), headers)

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Any]:
        try:
            answer = self._pool.request(
                method, self.url + path, body=body, headers={"x-api-key": self.key, **headers}
            )
        except urllib3.exceptions.HTTPError as error:
            raise OpsError(
                f"The API at {self.url} can't be reached ({type(error).__name__}).",
                "python -m ops status",
            ) from None
        try:
            return answer.status, json.loads(answer.data)
        except ValueError:
            return answer.status, None


def describe_problem(status: int, body: Any) -> str:
    """Describe an error answer in a few words."""
    detail = body.get("detail") or body.get("message") if isinstance(body, dict) else None
    return f"{status}: {detail}" if detail else f"status {status}"
