"""Where the clients of S3 go."""

from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import FlexibleChecksumError, HTTPClientError, IncompleteReadError

from adapters import aws
from adapters.s3 import Bucket
from tests.unit.fakes import client_error


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-central-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # else the first test's region stays


def link(client: Any) -> str:
    parts = urlsplit(Bucket(client, "reports").presigned("runs/1.html", seconds=60))
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


@pytest.mark.usefixtures("region")
@pytest.mark.parametrize("make", [aws.client, aws.LeanClients().client])
def test_a_link_leads_to_the_region_because_the_global_host_redirects_and_breaks_the_signature(
    make: Any,
) -> None:
    assert "https://reports.s3.eu-central-1.amazonaws.com/runs/1.html" == link(make("s3"))


@pytest.mark.usefixtures("region")
def test_an_emulator_at_an_address_has_its_buckets_in_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert "http://127.0.0.1:4566/reports/runs/1.html" == link(aws.client("s3"))


@pytest.mark.parametrize(
    "error",
    [
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        FlexibleChecksumError(error_msg="made up"),
        HTTPClientError(error="made up"),
        client_error("SlowDown"),
    ],
)
def test_a_damaged_transfer_may_succeed_later(error: Exception) -> None:
    assert aws.transient(error)
