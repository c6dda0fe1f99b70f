"""boto3 and botocore clients as this application wants them; where they go is their own business.

`AWS_ENDPOINT_URL`, region and credentials are read by botocore itself.
"""

from typing import Any

import botocore.session
from botocore.config import Config


def client(
    service: str, *, timeout_seconds: float = 10.0, attempts: int = 3, connections: int = 10
) -> Any:
    """A client with bounded patience, and SigV4 for S3 URLs (S3 wants it for KMS objects)."""
    import boto3  # not at the top: LeanClients does without it

    config = _config(service, timeout_seconds, attempts, connections)
    return boto3.client(service, config=config)  # type: ignore[call-overload]  # the service is a variable here


class LeanClients:
    """The same clients without what boto3 adds (`upload_file` and `download_file`, resources).

    For functions whose cold start counts: importing boto3 takes as long again as botocore.
    """

    def __init__(self) -> None:
        self._session = botocore.session.get_session()

    def client(
        self,
        service: str,
        *,
        timeout_seconds: float = 10.0,
        attempts: int = 3,
        connections: int = 10,
    ) -> Any:
        """As `client` of this module."""
        config = _config(service, timeout_seconds, attempts, connections)
        return self._session.create_client(service, config=config)


def _config(service: str, timeout_seconds: float, attempts: int, connections: int) -> Config:
    return Config(
        connect_timeout=min(3.0, timeout_seconds),
        read_timeout=timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        signature_version="s3v4" if service == "s3" else None,
    )
