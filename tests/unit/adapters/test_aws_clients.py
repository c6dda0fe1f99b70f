"""Where the clients of S3 go."""

import json
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
import pytest
from botocore.exceptions import FlexibleChecksumError, HTTPClientError, IncompleteReadError
from botocore.loaders import Loader

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


DESCRIPTIONS = (
    "endpoints",
    "partitions",
    "s3/2006-03-01/service-2",
    "s3/2006-03-01/endpoint-rule-set-1",
    "firehose/2015-08-04/service-2",
)


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_lean_clients_read_a_description_as_botocore_does_and_in_the_same_order(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    session = botocore.session.get_session()
    monkeypatch.setattr(botocore.session, "get_session", lambda: session)
    aws.LeanClients()
    found = session.get_component("data_loader").load_data(name)
    assert type(found) is dict
    assert json.dumps(Loader().load_data(name)) == json.dumps(found)
