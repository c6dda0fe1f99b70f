"""A report's link: who has it may open that one report, for a while."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.api.rest import Answer
from domain import keys
from domain.api.report_token import ReportSecret
from lambdas.dashboard.report import SecretCache
from tests.unit.dashboard import World as Answering
from tests.unit.fakes import FakeS3, api_event, problem_of

RUN = "20260130T000000Z--20260131T000000Z--7-0a1b2c3d"
OLD, NEW = ReportSecret("o" * 40), ReportSecret("n" * 40, previous="o" * 40)
RESOURCE = "/reports/{run_id}/{report}"


@dataclass
class World:
    """The dashboard's function; `secret` is what Secrets Manager holds, `now` is in seconds."""

    secret: ReportSecret = OLD
    now: float = 1000.0
    seconds: int = 300
    kept_days: int | None = None
    reads: int = 0
    s3: FakeS3 = field(default_factory=FakeS3)

    def __post_init__(self) -> None:
        self.s3.objects[f"runs/{RUN}/data_drift.html"] = b"<html>"
        self.secrets = SecretCache(read=self._read, clock=lambda: self.now)

    def _read(self) -> ReportSecret:
        self.reads += 1
        return self.secret

    def open(self, token: str | None, *, run_id: str = RUN, report: str = "data_drift") -> Answer:
        world = Answering(
            s3=self.s3, secrets=self.secrets, seconds=self.seconds, kept_days=self.kept_days
        )
        event = api_event(
            "GET",
            RESOURCE,
            pathParameters={"run_id": run_id, "report": report},
            queryStringParameters=None if token is None else {"t": token},
        )
        return world.respond(event)


def _is_hidden(answer: Mapping[str, Any]) -> bool:
    assert ("no-store", "no-referrer") == (
        answer["headers"]["Cache-Control"],
        answer["headers"]["Referrer-Policy"],
    )
    return problem_of(answer)["status"] == 404 and "Location" not in answer["headers"]


def test_the_right_token_leads_to_the_report() -> None:
    world = World()
    answer = world.open(OLD.sign(RUN, "data_drift"))
    url = urlsplit(answer["headers"]["Location"])
    assert 302 == answer["statusCode"]
    assert f"/runs/{RUN}/data_drift.html" == url.path
    assert "expires=300" == url.query
    assert ("no-store", "no-referrer") == (
        answer["headers"]["Cache-Control"],
        answer["headers"]["Referrer-Policy"],
    )


def test_no_link_lives_longer_than_fifteen_minutes() -> None:
    answer = World(seconds=86_400).open(OLD.sign(RUN, "data_drift"))
    assert answer["headers"]["Location"].endswith("expires=900")


@pytest.mark.parametrize("token", [None, "", "x", "ä", "\ud800", OLD.sign(RUN, "performance")])
def test_a_wrong_token_is_404(token: str | None) -> None:
    assert _is_hidden(World().open(token))


@pytest.mark.parametrize(
    ("run_id", "report"),
    [
        (RUN, "secret"),
        (RUN, "summary"),
        (RUN, "performance"),
        ("..", "data_drift"),
        (RUN.lower(), "data_drift"),
        ("20260130T000000Z--20260131T000000Z--8-0a1b2c3d", "data_drift"),
    ],
)
def test_what_is_not_there_is_404_even_with_its_token(run_id: str, report: str) -> None:
    world = World()
    assert _is_hidden(world.open(OLD.sign(run_id, report), run_id=run_id, report=report))


def test_wrong_token_and_missing_report_look_the_same() -> None:
    world = World()
    wrong = world.open("x")
    missing = world.open(OLD.sign(RUN, "performance"), report="performance")
    assert wrong == missing


def test_whoever_has_the_link_is_told_that_its_report_has_expired() -> None:
    world = World(kept_days=1_095)
    right = world.open(OLD.sign(RUN, "performance"), report="performance")
    assert "expired: drift runs are kept for 1,095 days." in problem_of(right)["detail"]
    assert "expired" not in problem_of(world.open("x", report="performance"))["detail"]


def test_a_new_secret_is_noticed_when_a_token_does_not_fit() -> None:
    world, token = World(), NEW.sign(RUN, "data_drift")
    assert _is_hidden(world.open(token))
    world.secret = NEW
    world.now += 31
    assert 302 == world.open(token)["statusCode"]
    assert 302 == world.open(OLD.sign(RUN, "data_drift"))["statusCode"]


def test_a_withdrawn_secret_stops_working() -> None:
    world = World()
    token = OLD.sign(RUN, "data_drift")
    assert 302 == world.open(token)["statusCode"]
    world.secret = ReportSecret("z" * 40)
    world.now += 301
    assert _is_hidden(world.open(token))


def test_guessing_does_not_hammer_the_secret_store() -> None:
    world = World()
    for _ in range(50):
        world.open("guess")
        world.now += 1
    assert world.reads <= 2


@pytest.mark.parametrize("code", ["InternalError", "AccessDenied", "offline"])
def test_a_failing_store_is_a_503_without_details(code: str) -> None:
    world = World()
    world.s3.failing["runs/"] = code
    answer = world.open(OLD.sign(RUN, "data_drift"))
    assert 503 == problem_of(answer)["status"]
    assert keys.RUNS not in json.dumps(answer)
