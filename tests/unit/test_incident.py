"""The alert life cycle, as a state and as what a run does with it."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.s3 import Bucket
from domain import keys, times
from domain.drift import Outcome
from domain.errors import BadRecord
from domain.incident import CALM_MILLIS, CLAIM_MILLIS, AlertState, Claim, Incident, Transition
from domain.summary import ColumnDrift, Profile, Summary, Test, run_id
from monitoring_job.alerting import Alerting
from tests.unit.monitoring import DAY, Channels

VERSION = "1-0a1b2c3d"
OPEN = Incident(moved_to=10, outcome=Outcome.DATA_DRIFT, drifted=("age",), opened_at=10)
CALMER = replace(OPEN, moved_to=20, calm_since=20)


@pytest.mark.parametrize(
    ("incident", "outcome", "drifted", "end", "transition"),
    [
        (Incident(), Outcome.DATA_DRIFT, ["age"], 20, Transition.OPEN),
        (Incident(), Outcome.STABLE, [], 20, Transition.SILENT),
        (Incident(), Outcome.NO_DATA, [], 20, Transition.NONE),
        (OPEN, Outcome.DATA_DRIFT, ["age"], 20, Transition.SILENT),
        (OPEN, Outcome.DATA_DRIFT, ["bmi"], 20, Transition.ESCALATE),
        (OPEN, Outcome.PREDICTION_DRIFT, ["age"], 20, Transition.ESCALATE),
        (OPEN, Outcome.STABLE, [], 20, Transition.SILENT),
        (CALMER, Outcome.STABLE, [], 20 + CALM_MILLIS, Transition.RECOVER),
        (CALMER, Outcome.STABLE, [], 19 + CALM_MILLIS, Transition.SILENT),
        (CALMER, Outcome.DATA_DRIFT, ["age"], 20 + CALM_MILLIS, Transition.SILENT),
        (OPEN, Outcome.INSUFFICIENT_DATA, [], 20, Transition.NONE),
        (OPEN, Outcome.PERFORMANCE_DROP, ["bmi"], 10, Transition.NONE),
        (OPEN, Outcome.STABLE, [], 9, Transition.NONE),
    ],
)
def test_a_scheduled_window_moves_the_incident(
    incident: Incident, outcome: Outcome, drifted: list[str], end: int, transition: Transition
) -> None:
    moved, after = incident.after(outcome=outcome, drifted=drifted, end=end)
    assert moved is transition
    assert after.moved_to == (incident.moved_to if transition is Transition.NONE else end)
    assert after.is_open is (
        outcome.is_drift or (incident.is_open and transition is not Transition.RECOVER)
    )


def test_drift_that_comes_and_goes_never_counts_as_recovered(moto_bucket: Bucket) -> None:
    channels = Channels()
    for day in range(10):
        run = _run(Outcome.DATA_DRIFT, "age", day=day) if day % 2 else _run(Outcome.STABLE, day=day)
        _alerting(moto_bucket, channels).scheduled([run])
    assert len(channels.mails) == 1


def test_an_escalation_remembers_the_worst_that_was_told() -> None:
    _, after = OPEN.after(outcome=Outcome.PREDICTION_DRIFT, drifted=["bmi"], end=20)
    expected = Incident(
        moved_to=20, outcome=Outcome.PREDICTION_DRIFT, drifted=("age", "bmi"), opened_at=10
    )
    assert after == expected


@pytest.mark.parametrize(
    "state",
    [
        AlertState(),
        AlertState(OPEN, Claim(transition=Transition.RECOVER, claimed_at=7, becomes=Incident())),
    ],
)
def test_the_state_survives_its_encoding(state: AlertState) -> None:
    assert AlertState.from_json(state.to_json()) == state


@pytest.mark.parametrize("data", [b"", b"{}", b'{"incident": {}, "claim": null}', b"[1]"])
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises(BadRecord):
        AlertState.from_json(data)


def _run(outcome: Outcome, *columns: str, day: int = 0) -> Summary:
    start = times.to_millis(DAY + timedelta(days=day))
    profile = Profile(rows=1_000, missing=0.0, invalid=0.0, mean=41.0, deviation=3.0)
    test = Test(
        aspect="values",
        method="wasserstein",
        rows=1_000,
        effect=0.3,
        p_value=0.0,
        q_value=0.0,
        drifted=True,
    )
    end = start + 86_400_000
    return Summary(
        run_id=str(run_id(start=start, end=end, version=VERSION)),
        version=VERSION,
        start=start,
        end=end,
        computed_at=end,
        scheduled=True,
        outcome=outcome,
        findings=(outcome,) if outcome.is_drift else (),
        columns=tuple(
            ColumnDrift(
                name=column,
                column=column,
                kind="number",
                reference=profile,
                current=profile,
                tests=(test,),
            )
            for column in columns
        ),
        reports=("data_drift",),
    )


def _alerting(bucket: Bucket, channels: Channels, *, now: int = 10**13) -> Alerting:
    return Alerting(reports=bucket, notifier=channels.notifier(), target="diabetes", now=now)


def test_a_week_of_windows_mails_opening_escalation_and_recovery_once_each(
    moto_bucket: Bucket,
) -> None:
    channels = Channels()
    week = [
        _run(Outcome.STABLE, day=0),
        _run(Outcome.DATA_DRIFT, "age", day=1),
        _run(Outcome.DATA_DRIFT, "age", day=2),
        _run(Outcome.PREDICTION_DRIFT, "age", "probability", day=3),
        _run(Outcome.NO_DATA, day=4),
        _run(Outcome.STABLE, day=5),
        _run(Outcome.STABLE, day=6),
    ]
    told = [_alerting(moto_bucket, channels).scheduled([run])[0].mail for run in week]
    sent, quiet = "sent", "not_needed"
    assert told == [quiet, sent, quiet, sent, quiet, quiet, sent]
    assert channels.subjects == [
        "[diabetes] Data drift: age (2026-02-01 UTC)",
        "[diabetes] Worse: Prediction drift: age, predicted probability (2026-02-03 UTC)",
        "[diabetes] Recovered: No drift (2026-02-06 UTC)",
    ]
    details = [event["DetailType"] for event in channels.events]
    assert details == ["DriftDetected", "DriftDetected", "DriftRecovered"]


def test_ten_repeats_of_a_window_make_one_mail(moto_bucket: Bucket) -> None:
    channels = Channels()
    for _ in range(10):
        _alerting(moto_bucket, channels).scheduled([_run(Outcome.DATA_DRIFT, "age")])
    assert len(channels.mails) == 1


def test_five_parallel_runs_of_a_window_make_one_mail(moto_bucket: Bucket) -> None:
    channels = Channels()
    barrier = threading.Barrier(5)

    def run() -> None:
        barrier.wait()
        _alerting(moto_bucket, channels).scheduled([_run(Outcome.DATA_DRIFT, "age")])

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(channels.mails) == 1


def test_a_refused_mail_is_said_and_tried_again_by_the_next_run(moto_bucket: Bucket) -> None:
    channels = Channels(refuse_mail=True)
    run = _run(Outcome.DATA_DRIFT, "age")
    refused = _alerting(moto_bucket, channels).scheduled([run])[0]
    channels.refuse_mail = False
    repeated = _alerting(moto_bucket, channels).scheduled([run])[0]
    assert (refused.mail, repeated.mail) == ("failed", "sent")
    assert refused.problems == ("The mail was not sent: SES answered MessageRejected.",)
    assert len(channels.events) == len(channels.messages) == 2


@pytest.mark.parametrize(("age", "mails"), [(CLAIM_MILLIS - 1, 0), (CLAIM_MILLIS, 1)])
def test_only_an_expired_claim_is_taken_over(moto_bucket: Bucket, age: int, mails: int) -> None:
    claim = Claim(transition=Transition.OPEN, claimed_at=10**13 - age, becomes=OPEN)
    moto_bucket.put(keys.ALERT_STATE, AlertState(Incident(), claim).to_json())
    channels = Channels()
    _alerting(moto_bucket, channels).scheduled([_run(Outcome.DATA_DRIFT, "age")])
    assert len(channels.mails) == mails


def test_an_unreadable_state_costs_a_mail_and_not_the_run(moto_bucket: Bucket) -> None:
    moto_bucket.put(keys.ALERT_STATE, b"{")
    channels = Channels()
    _alerting(moto_bucket, channels).scheduled([_run(Outcome.DATA_DRIFT, "age")])
    stored = moto_bucket.get(keys.ALERT_STATE)
    assert len(channels.mails) == 1
    assert stored is not None
    assert AlertState.from_json(stored.data).incident.is_open


def test_several_versions_of_one_window_make_one_mail(moto_bucket: Bucket) -> None:
    channels = Channels()
    runs = [
        _run(Outcome.STABLE),
        replace(_run(Outcome.DATA_DRIFT, "age"), version="2-0a1b2c3d"),
        replace(_run(Outcome.PREDICTION_DRIFT, "probability"), version="3-0a1b2c3d"),
    ]
    told = _alerting(moto_bucket, channels).scheduled(runs)
    assert [summary.mail for summary in told] == ["not_needed", "sent", "sent"]
    assert len(channels.mails) == 1


@pytest.mark.parametrize(
    ("outcome", "asked", "status", "mails"),
    [
        (Outcome.DATA_DRIFT, True, "sent", 1),
        (Outcome.DATA_DRIFT, False, "not_asked", 0),
        (Outcome.STABLE, True, "not_needed", 0),
        (Outcome.NO_DATA, True, "not_needed", 0),
    ],
)
def test_runs_on_demand_mail_drift_when_asked_and_leave_the_incident_alone(
    moto_bucket: Bucket, outcome: Outcome, asked: bool, status: str, mails: int
) -> None:
    channels = Channels()
    told = _alerting(moto_bucket, channels).on_demand([_run(outcome, "age")], mail=asked)
    assert (told[0].mail, len(channels.mails)) == (status, mails)
    assert moto_bucket.get(keys.ALERT_STATE) is None
