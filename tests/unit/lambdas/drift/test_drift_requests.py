"""Runs that somebody asked for: their record, their books, and the backfill of days."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ConnectionClosedError, HTTPClientError, ReadTimeoutError

from adapters.s3 import Bucket
from domain import keys, times
from domain.drift.drift import Outcome
from domain.drift.drift_request import LONGEST_RUN_MS, DriftRequest, RequestRecord
from domain.drift.run_result import RunResult
from domain.drift.window import LastRows, Window
from domain.errors import BadRecord, BadWindow
from domain.schedule import LOOK_BACK_DAYS
from lambdas.drift.handler import handler
from lambdas.drift.observation import observe
from lambdas.drift.requested import OnDemandRuns
from lambdas.drift.run_drift import RunFailed
from monitoring_job import publishing
from ops.commands.monitoring import drift
from ops.errors import OpsError
from ops.target import Target
from tests.unit.fakes import answer_lost, make_run_result
from tests.unit.monitoring import drift_summary

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
NOW = datetime(2026, 2, 1, 14, tzinfo=UTC)
ASKED = RequestRecord(id=ID, requested_at=times.to_millis(NOW) - 60_000, request={"last_rows": 5})


def event(record: RequestRecord) -> dict[str, Any]:
    return {"detail-type": "DriftRequested", "detail": record.detail}


def stored(bucket: Bucket) -> RequestRecord:
    found = bucket.get(keys.request(ID))
    assert found is not None
    return RequestRecord.from_json(found.data)


def test_a_record_survives_its_encoding() -> None:
    done = RequestRecord(
        id=ID,
        requested_at=1,
        request={"day": "2026-01-31"},
        status="done",
        run_ids=("a", "b"),
        actor="ada@example.org",
    )
    assert RequestRecord.from_json(done.to_json()) == done


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../x"},
        {"status": "lost"},
        {"request": []},
        {"run_ids": None},
        {"requested_at": "1"},
        {"started_at": 10**20},
        {"owner": 7},
        {"actor": ["ada"]},
    ],
)
def test_what_is_no_record_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadRecord):
        RequestRecord.from_json(json.dumps(json.loads(ASKED.to_json()) | change).encode())


def test_a_request_is_done_once_and_means_the_moment_it_was_asked(moto_bucket: Bucket) -> None:
    moto_bucket.put(keys.request(ID), ASKED.to_json())
    summary, seen = drift_summary(Outcome.STABLE), []

    def run(request: DriftRequest) -> list[Any]:
        seen.append((request.window, stored(moto_bucket).status))
        return [summary]

    for _ in range(2):  # events come twice
        OnDemandRuns(moto_bucket).handle(event(ASKED), now=NOW, run=run)
    asked = times.from_millis(ASKED.requested_at)
    assert [(LastRows(5, before=asked), "running")] == seen
    assert (stored(moto_bucket).status, stored(moto_bucket).run_ids) == ("done", (summary.run_id,))


def test_a_bad_window_is_noted_and_not_tried_again(moto_bucket: Bucket) -> None:
    bad = RequestRecord(id=ID, requested_at=1, request={"day": "soon"})
    assert [] == OnDemandRuns(moto_bucket).handle(
        event(bad), now=NOW, run=lambda _: [drift_summary(Outcome.STABLE)]
    )
    assert (
        "That is no day of the calendar: write one like 2026-01-31." == stored(moto_bucket).problem
    )


def test_a_window_that_the_run_itself_refuses_is_noted_in_its_sentence(moto_bucket: Bucket) -> None:
    def run(_: DriftRequest) -> list[Any]:
        raise BadWindow("It has expired.")

    assert [] == OnDemandRuns(moto_bucket).handle(event(ASKED), now=NOW, run=run)
    assert ("failed", "It has expired.") == (
        stored(moto_bucket).status,
        stored(moto_bucket).problem,
    )


def test_a_failure_is_noted_without_its_text_and_raised(moto_bucket: Bucket) -> None:
    def run(_: DriftRequest) -> list[Any]:
        raise ZeroDivisionError("a value")

    with pytest.raises(ZeroDivisionError):
        OnDemandRuns(moto_bucket).handle(event(ASKED), now=NOW, run=run)
    problem = stored(moto_bucket).problem or ""
    assert ("failed", True) == (stored(moto_bucket).status, "ZeroDivisionError" in problem)
    assert "a value" not in problem


def test_a_forged_id_touches_nothing(moto_bucket: Bucket) -> None:
    forged = {"detail-type": "DriftRequested", "detail": {"request_id": "../alerts/state"}}
    with pytest.raises(BadWindow):
        OnDemandRuns(moto_bucket).handle(forged, now=NOW, run=lambda _: [])
    assert [] == list(moto_bucket.list(""))


class Killed(BaseException):
    """The process ends here: nothing catches it."""


@pytest.mark.parametrize(("repeated_by", "runs"), [("one", 2), ("another", 1)])
def test_a_killed_run_goes_on_when_its_own_invocation_is_repeated(
    moto_bucket: Bucket, repeated_by: str, runs: int
) -> None:
    moto_bucket.put(keys.request(ID), ASKED.to_json())
    tried: list[DriftRequest] = []

    def run(request: DriftRequest) -> list[Any]:
        tried.append(request)
        if len(tried) == 1:
            raise Killed
        return [drift_summary(Outcome.STABLE)]

    with pytest.raises(Killed):
        OnDemandRuns(moto_bucket, "one").handle(event(ASKED), now=NOW, run=run)
    OnDemandRuns(moto_bucket, repeated_by).handle(event(ASKED), now=NOW, run=run)
    assert runs == len(tried)
    assert ("done" if runs == 2 else "running") == stored(moto_bucket).status


def test_a_claim_whose_answer_was_lost_is_this_invocations_own(moto_bucket: Bucket) -> None:
    moto_bucket.put(keys.request(ID), ASKED.to_json())
    ran: list[DriftRequest] = []

    def run(request: DriftRequest) -> list[Any]:
        ran.append(request)
        return [drift_summary(Outcome.STABLE)]

    answer_lost(moto_bucket, writes=[1])
    OnDemandRuns(moto_bucket).handle(event(ASKED), now=NOW, run=run)
    assert (1, "done") == (len(ran), stored(moto_bucket).status)


def test_a_claim_from_a_wrong_clock_is_none(moto_bucket: Bucket) -> None:
    started_at = times.to_millis(NOW) + 30 * times.DAY_MS
    record = replace(ASKED, status="running", started_at=started_at, owner="dead")
    moto_bucket.put(keys.request(ID), record.to_json())
    OnDemandRuns(moto_bucket).handle(event(ASKED), now=NOW, run=lambda _: [])
    assert "done" == stored(moto_bucket).status


@pytest.mark.parametrize(("age", "runs", "seen"), [(-1, 0, "running"), (0, 1, "failed")])
def test_a_run_that_was_cut_off_counts_as_failed_and_may_be_run_again(
    moto_bucket: Bucket, age: int, runs: int, seen: str
) -> None:
    started = times.to_millis(NOW) - LONGEST_RUN_MS - age
    record = replace(ASKED, status="running", started_at=started)
    moto_bucket.put(keys.request(ID), record.to_json())
    ran: list[DriftRequest] = []

    def run(request: DriftRequest) -> list[Any]:
        ran.append(request)
        return []

    OnDemandRuns(moto_bucket).handle(event(record), now=NOW, run=run)
    assert (len(ran), record.as_of(times.to_millis(NOW)).status) == (runs, seen)


def test_a_failed_run_tells_its_log_and_its_caller_the_kind_of_error_and_no_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], moto_bucket: Bucket
) -> None:
    def monitor(**_: Any) -> None:
        raise ValueError("could not convert string to float: 'a value'")

    room = "lambdas.drift.handler"
    settings = Mock(metrics_namespace="circle-dev", context=None, retention=None)
    monkeypatch.setattr(f"{room}.Settings.from_env", lambda _: settings)
    monkeypatch.setattr(f"{room}.open_stores", lambda _: SimpleNamespace(reports=moto_bucket))
    monkeypatch.setattr(f"{room}.open_notifier", lambda _: Mock())
    monkeypatch.setattr("lambdas.drift.run_drift.monitor", monitor)
    with pytest.raises(RunFailed, match="ValueError") as raised:
        handler({"day": "2026-01-31"}, None)
    told = capsys.readouterr().out
    assert "ValueError" in told
    assert '"FailedRuns"' in told
    assert "a value" not in told + str(raised.value)


def test_a_bad_window_may_say_what_is_wrong_and_asks_aws_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def asked(_: Any) -> None:
        raise AssertionError("the secret was read")

    room = "lambdas.drift.handler"
    monkeypatch.setattr(
        f"{room}.Settings.from_env", lambda _: Mock(metrics_namespace="circle-dev", retention=None)
    )
    monkeypatch.setattr(f"{room}.open_stores", lambda _: SimpleNamespace(reports=None))
    monkeypatch.setattr(f"{room}.open_notifier", asked)
    with pytest.raises(BadWindow, match="no day of the calendar"):
        handler({"day": "soon"}, None)


def test_the_age_is_that_of_the_latest_window_on_schedule(moto_bucket: Bucket) -> None:
    runs = [replace(drift_summary(Outcome.STABLE, day=day), scheduled=day < 2) for day in range(4)]
    publishing.index_runs(moto_bucket, runs)
    assert publishing.find_last_scheduled(moto_bucket) == runs[1].end


@pytest.mark.parametrize(("scheduled", "runs"), [(True, 3), (False, 0)])
def test_the_monitor_counts_its_runs_rows_and_age(scheduled: bool, runs: int) -> None:
    summaries = [
        drift_summary(Outcome.STABLE),
        drift_summary(Outcome.DATA_DRIFT, "age"),
        drift_summary(Outcome.NO_DATA),
    ]
    counts = observe(summaries, scheduled=scheduled, last=1_000, now=61_000).counts
    assert {
        "Runs": 3,
        "ScheduledRuns": runs,
        "DriftedRuns": 1,
        "UndecidedRuns": 1,
        "Rows": 0,
        "RefusedMails": 0,
        "SkippedRows": 0,
        "LastRunAge": 60,
    } == counts


def test_a_backfill_runs_each_day_once_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fake(_: Target, request: dict[str, Any]) -> tuple[RunResult, ...]:
        asked.append(request["day"])
        return (make_run_result(request["day"]),)

    monkeypatch.setattr(drift, "run_drift", fake)
    answer = drift.run(Target("x", None, Path()), first="2026-01-30", last="2026-02-01")
    days = ["2026-01-30", "2026-01-31", "2026-02-01"]
    assert days == asked
    assert days == [found["run_id"] for found in answer.data]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[DriftRequest]:
    """Requests to the drift function."""
    requests: list[DriftRequest] = []

    def invoke(*, Payload: bytes, **_: Any) -> dict[str, Any]:
        requests.append(DriftRequest.parse(json.loads(Payload), now=NOW))
        return {"Payload": BytesIO(b'{"runs": []}')}

    monkeypatch.setattr(Target, "client", lambda *_, **__: SimpleNamespace(invoke=invoke))
    monkeypatch.setattr(Target, "deployment", SimpleNamespace(drift_function="drift", retention=""))
    return requests


def test_a_missed_look_back_is_made_up_for_by_the_request_of_the_schedule(
    asked: list[DriftRequest],
) -> None:
    drift.run(Target("x", None, Path()), day="2026-01-25", days=28, as_scheduled=True)
    monday = {"time": "2026-01-26T16:00:00Z", "days": LOOK_BACK_DAYS, "scheduled": True}
    assert [DriftRequest.parse(monday, now=NOW)] == asked


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"day": "yesterday", "days": 28}, "--day must be a day such as 2026-01-31"),
        ({"days": 0}, "days must be a whole number from 1 to 366"),
        ({"days": 28, "last_rows": 5}, "Give one of: day; start and end; last_rows"),
    ],
)
def test_days_that_cannot_be_counted_are_refused(
    asked: list[DriftRequest], given: dict[str, Any], expected: str
) -> None:
    with pytest.raises(OpsError, match=expected):
        drift.run(Target("x", None, Path()), **given)
    assert [] == asked


@pytest.mark.parametrize(
    ("flags", "sent"),
    [
        ({}, {}),
        ({"mail": True}, {"mail": True}),
        ({"as_scheduled": True}, {"scheduled": True}),
    ],
)
def test_a_run_may_be_asked_for_as_the_schedule_asks(
    asked: list[DriftRequest], flags: Any, sent: dict[str, bool]
) -> None:
    drift.run(Target("x", None, Path()), day="2026-01-31", **flags)
    (request,) = asked
    assert Window.of_day(date(2026, 1, 31)) == request.window
    assert {"scheduled": request.scheduled, "mail": request.mail} == {
        "scheduled": False,
        "mail": False,
    } | sent


@pytest.mark.parametrize(("asked_rows", "proposed"), [(None, "drift --last-rows"), (9, "simulate")])
def test_without_predictions_the_next_step_is_one_that_finds_some(
    monkeypatch: pytest.MonkeyPatch, asked_rows: int | None, proposed: str
) -> None:
    empty = replace(make_run_result("x"), outcome=Outcome.NO_DATA, rows=0)
    monkeypatch.setattr(drift, "watch_drift", lambda *_: (empty,))
    answer = drift.run(Target("x", None, Path()), last_rows=asked_rows)
    assert f"python -m ops {proposed}" in answer.next_step


def test_a_backfill_moves_no_incident() -> None:
    with pytest.raises(OpsError, match="A backfill takes --from and --to only"):
        drift.run(Target("x", None, Path()), first="2026-01-30", as_scheduled=True)


def test_a_backfill_that_breaks_off_shows_what_is_done_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(_: Target, request: dict[str, Any]) -> tuple[RunResult, ...]:
        if request["day"] == "2026-01-31":
            raise OpsError("The drift run failed: KeyError", "Read the log.")
        return (make_run_result(request["day"]),)

    monkeypatch.setattr(drift, "run_drift", fake)
    with pytest.raises(OpsError, match=r"^2026-01-31: The drift run failed") as raised:
        drift.run(Target("x", None, Path()), first="2026-01-30", last="2026-02-01")
    assert raised.value.next_step.endswith("drift --from 2026-01-31 --to 2026-02-01")
    assert "2026-01-30  stable" in capsys.readouterr().out


@pytest.mark.parametrize("error", [ReadTimeoutError, ConnectionClosedError])
def test_a_lost_connection_says_that_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, error: type[HTTPClientError]
) -> None:
    class Lambda:
        def invoke(self, **_: Any) -> None:
            raise error(endpoint_url="https://lambda.example")

    target = SimpleNamespace(
        client=lambda *_, **__: Lambda(),
        deployment=SimpleNamespace(drift_function="drift", retention=""),
    )
    with pytest.raises(OpsError, match="the run itself continues"):
        drift.run_drift(target, {"day": "2026-01-31"})  # type: ignore[arg-type]  # what it uses


def test_an_answer_of_another_version_says_to_deploy_again() -> None:
    answer = {"Payload": BytesIO(b'{"runs": [{"run_id": "x"}]}')}
    target = SimpleNamespace(
        client=lambda *_, **__: SimpleNamespace(invoke=lambda **_: answer),
        deployment=SimpleNamespace(drift_function="drift", retention=""),
    )
    with pytest.raises(OpsError, match=r"RunResults\.runs\[0\] lacks outcome") as raised:
        drift.run_drift(target, {"day": "2026-01-31"})  # type: ignore[arg-type]  # what it uses
    assert raised.value.next_step.startswith("Deploy again")


@pytest.mark.parametrize(
    "given",
    [
        {"first": "soon"},
        {"last": "2026-01-31"},
        {"first": "2026-02-01", "last": "2026-01-01"},
        {"first": "2020-01-01", "last": "2026-01-01"},
        {"first": "2026-01-01", "day": "2026-01-01"},
        {"first": "1969-12-31", "last": "1970-01-02"},
        {"first": "9999-12-31"},
        {"first": "9999-12-31", "last": "9999-12-31"},
    ],
)
def test_a_bad_backfill_runs_nothing(given: dict[str, Any]) -> None:
    with pytest.raises(OpsError):
        drift.run(Target("x", None, Path()), **given)
