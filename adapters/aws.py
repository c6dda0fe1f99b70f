"""boto3 clients as this application wants them; where they go is boto3's own business.

`AWS_ENDPOINT_URL`, region and credentials are read by boto3 itself.
"""

from typing import Any

import boto3
from botocore.config import Config


def client(
    service: str, *, timeout_seconds: float = 10.0, attempts: int = 3, connections: int = 10
) -> Any:
    """A client with bounded patience, and SigV4 for S3 URLs (S3 wants it for KMS objects)."""
    config = Config(
        connect_timeout=min(3.0, timeout_seconds),
        read_timeout=timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        signature_version="s3v4" if service == "s3" else None,
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]  # the service is a variable here
