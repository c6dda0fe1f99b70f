"""A report's link, followed to the page behind it."""

import json
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from adapters.api.rest import Answer
from adapters.s3 import Bucket
from domain.api.report_token import ReportSecret
from lambdas.dashboard import handler as room
from lambdas.dashboard.settings import Settings
from tests.unit.fakes import api_event

RUN = "20260130T000000Z--20260131T000000Z--7-0a1b2c3d"
SECRET = ReportSecret("s" * 40)


@pytest.fixture
def report(aws: Callable[[str], Any], bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """One published report, and a fresh environment of the function."""
    secret = aws("secretsmanager").create_secret(
        Name=f"report-{uuid.uuid4()}", SecretString=json.dumps({"current": SECRET.current})
    )
    bucket.put(f"runs/{RUN}/data_drift.html", b"<html>drift</html>", content_type="text/html")
    settings = Settings(
        reports_bucket=bucket.name,
        models_bucket=bucket.name,
        predictions_bucket=bucket.name,
        report_secret_arn=secret["ARN"],
        event_bus="default",
        database="none",
        workgroup="primary",
        operator_command="ops",
        state_machine_arn="arn:aws:states:us-east-1:000000000000:stateMachine:none",
        metrics_namespace="circle-dev",
        drift_schedule="cron(0 14 * * ? *)",
    )
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    room._open_api.cache_clear()


def _open(token: str, report: str = "data_drift") -> Answer:
    event = api_event(
        "GET",
        "/reports/{run_id}/{report}",
        pathParameters={"run_id": RUN, "report": report},
        queryStringParameters={"t": token},
    )
    return room.handler(event, None)


def test_the_link_leads_to_the_page(report: None) -> None:
    answer = _open(SECRET.sign(RUN, "data_drift"))
    assert 302 == answer["statusCode"]
    with urllib.request.urlopen(answer["headers"]["Location"]) as page:  # noqa: S310 - our own URL
        assert (b"<html>drift</html>", "text/html") == (page.read(), page.headers["Content-Type"])


@pytest.mark.parametrize(
    ("token", "name"),
    [("x", "data_drift"), (SECRET.sign(RUN, "performance"), "performance")],
)
def test_a_wrong_token_and_a_missing_report_are_404(report: None, token: str, name: str) -> None:
    assert 404 == _open(token, name)["statusCode"]
