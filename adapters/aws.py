"""boto3 and botocore clients with this application's timeouts, retries and signatures.

`AWS_ENDPOINT_URL`, region and credentials are read by botocore itself.
"""

import gzip
import json
from typing import Any, ClassVar, Literal

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.loaders import JSONFileLoader, Loader
from botocore.parsers import ResponseParserError
from urllib3.exceptions import ProtocolError

CUT_OFF = (ProtocolError, ResponseParserError)
"""What botocore lets through when the connection breaks within the body of an error's answer."""

UNREACHABLE = (ClientError, BotoCoreError, *CUT_OFF)
"""Errors of a call whose service refuses, can't be reached, or answers unreadably."""

THROTTLED = ("SlowDown", "RequestLimitExceeded", "RequestTimeout", "TooManyRequestsException")


def transient(error: BaseException) -> bool:
    """Whether the error may pass: the network, throttling, or a failure of the service."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error_code(error)
        return status >= 500 or status == 429 or "Throttl" in code or code in THROTTLED
    way = (
        ConnectionError,
        HTTPClientError,
        IncompleteReadError,
        FlexibleChecksumError,
        CredentialRetrievalError,
    )
    return isinstance(error, (*way, *CUT_OFF))


def error_code(error: BaseException) -> str:
    """Return AWS's code of an error; empty if it has none."""
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def client(
    service: str,
    *,
    timeout_seconds: float = 10.0,
    attempts: int = 3,
    connections: int = 10,
    region: str | None = None,
) -> Any:
    """Create a client with timeouts, and SigV4 for S3 URLs (S3 requires it for KMS objects).

    `region`: of a service that has one endpoint for all of them.
    """
    import boto3  # here, because LeanClients does not need it

    config = _config(service, 3.0, timeout_seconds, attempts, connections)
    return boto3.client(service, region_name=region, config=config)  # type: ignore[call-overload]  # the service is a variable here


class LeanClients:
    """Clients for functions behind API Gateway, which waits 29 seconds and no longer.

    They lack what boto3 adds (`upload_file`, `download_file`, resources). Importing boto3 takes as
    long again as botocore, and adds to each cold start. Nor does botocore look through the folders
    of its 400 services for these two.
    """

    READ_SECONDS: ClassVar = {"s3": 2.5, "firehose": 8.0}
    ATTEMPTS: ClassVar = {"s3": 2, "firehose": 1}
    CONNECT_SECONDS: ClassVar = 1.0
    # If every call hangs until its timeout, the predictor reads the pointer (2 tries of
    # 1 + 2.5 s, up to 1 s between them: 8 s), tries the stream, which tries again by itself (2 s of
    # patience, then the last call's 1 + 8 s), and writes the fallback (8 s): 27 s.

    def __init__(self) -> None:
        self._session = botocore.session.get_session()
        self._session.register_component("data_loader", _KnownServices(file_loader=_PlainFiles()))

    def client(self, service: Literal["s3", "firehose"]) -> Any:
        """Create a client that gives up in time."""
        seconds, attempts = self.READ_SECONDS[service], self.ATTEMPTS[service]
        config = _config(service, self.CONNECT_SECONDS, seconds, attempts, connections=10)
        return self._session.create_client(service, config=config)


class _KnownServices(Loader):
    """Loads botocore's descriptions of the services that `LeanClients` makes clients for."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's name
        """Return their names, without a search."""
        return list(LeanClients.READ_SECONDS)


class _PlainFiles(JSONFileLoader):
    """Reads descriptions as dicts, in half the time of botocore's OrderedDicts."""

    def load_file(self, file_path: str) -> Any:
        """Return the content of the file, whose name lacks its ending; None if there is none."""
        for ending, open_file in ((".json", open), (".json.gz", gzip.open)):
            try:
                with open_file(file_path + ending, "rb") as file:
                    return json.load(file)
            except FileNotFoundError:
                continue
        return None


def _config(
    service: str, connect_seconds: float, read_seconds: float, attempts: int, connections: int
) -> Config:
    return Config(
        connect_timeout=min(connect_seconds, read_seconds),
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        signature_version="s3v4" if service == "s3" else None,
        # A presigned URL else names S3's global host, whose redirect no signature survives. An
        # emulator is reached by its address, where botocore puts the bucket into the path.
        s3={"addressing_style": "virtual"},
    )
