"""What scheduled runs tell, to whom, how often, and what stays pending."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest
from botocore.exceptions import ConnectTimeoutError

from adapters.acknowledgements import Acknowledgements
from adapters.events import EventRefused
from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.drift.acknowledgement import Acknowledgement
from domain.drift.alert_state import (
    CHANNELS,
    CLAIM_MS,
    MAXIMUM_PENDING,
    AlertState,
    Announcement,
    Channel,
)
from domain.drift.drift import Outcome
from domain.drift.incident import Incident, Transition
from domain.drift.performance import Performance
from domain.drift.summary import SegmentDrift, Summary
from monitoring_job import publishing
from monitoring_job.alerts.alerting import Alerting
from monitoring_job.statistics import profiles
from monitoring_job.statistics.statistics import compare_columns
from tests.unit.fakes import client_error
from tests.unit.monitoring import VERSION, Channels, drift_summary, scored

OPEN = Incident(
    last_window_end=10, outcome=Outcome.DATA_DRIFT, drifted=("age",), opened_at=10, notified_at=10
)
OWED = Announcement(transition=Transition.OPEN, run_ids=("a", "b"), channels=("mail",))


def _alerting(bucket: Bucket, channels: Channels, *, now: int = 10**13) -> Alerting:
    notifier = channels.notifier()
    return Alerting(reports=bucket, notifier=notifier, target="diabetes", clock=lambda: now)


def _scheduled(bucket: Bucket, channels: Channels, *runs: Summary) -> list[Summary]:
    """What the job does: publish the runs, tell, publish what came of it."""
    published = [publishing.publish_run(bucket, run, {}) for run in runs]
    told = _alerting(bucket, channels).handle_scheduled(published)
    return [publishing.publish_summary(bucket, run) for run in told]


def _stored(bucket: Bucket, run: Summary) -> Summary:
    stored = bucket.get(keys.summary(run.id))
    assert stored is not None
    return Summary.from_json(stored.data)


def _state(bucket: Bucket) -> AlertState:
    stored = bucket.get(keys.ALERT_STATE)
    assert stored is not None
    return AlertState.from_json(stored.data)


def test_a_week_of_windows_mails_opening_escalation_and_recovery_once_each(
    moto_bucket: Bucket,
) -> None:
    channels = Channels()
    week = [
        drift_summary(Outcome.STABLE, day=0),
        drift_summary(Outcome.DATA_DRIFT, "age", day=1),
        drift_summary(Outcome.DATA_DRIFT, "age", day=2),
        drift_summary(Outcome.PREDICTION_DRIFT, "age", "probability", day=3),
        drift_summary(Outcome.NO_DATA, day=4),
        drift_summary(Outcome.STABLE, day=5),
        drift_summary(Outcome.STABLE, day=6),
    ]
    told = [_alerting(moto_bucket, channels).handle_scheduled([run])[0].mail for run in week]
    sent, quiet = "sent", "not_needed"
    assert [quiet, sent, quiet, sent, quiet, quiet, sent] == told
    assert [
        "[diabetes dev] Data drift: age (2026-02-01 UTC)",
        "[diabetes dev] Worse: Prediction drift: age, predicted probability (2026-02-03 UTC)",
        "[diabetes dev] Recovered: No drift (2026-02-06 UTC)",
    ] == channels.subjects
    details = [event["DetailType"] for event in channels.events]
    assert ["DriftDetected", "DriftDetected", "DriftRecovered"] == details


def test_ten_repeats_of_a_window_make_one_mail(moto_bucket: Bucket) -> None:
    channels = Channels()
    for _ in range(10):
        _alerting(moto_bucket, channels).handle_scheduled(
            [drift_summary(Outcome.DATA_DRIFT, "age")]
        )
    assert 1 == len(channels.mails)


def test_other_columns_of_segments_are_no_news(moto_bucket: Bucket) -> None:
    channels = Channels()
    for day in range(30):
        run = drift_summary(Outcome.DATA_DRIFT, "age", day=day)
        inside = SegmentDrift(name=f"age>={day}", rows=500, reference_rows=500, columns=run.columns)
        _scheduled(moto_bucket, channels, replace(run, segments=(inside,)))
    assert 1 == len(channels.mails)


def test_a_month_of_one_lasting_shift_is_two_mails_at_most(contract: Contract) -> None:
    pool = scored(40_000, seed=2)
    reference = profiles.profile_columns(contract, pa.Table.from_pandas(pool[:5_000]))
    incident, told = Incident(), 0
    for day in range(30):
        rows = pool[5_000:].sample(1_000, random_state=200 + day)
        rows["age"] = (rows["age"] + 8).clip(upper=120)
        odds = rows["probability"] / (1 - rows["probability"]) * np.exp(0.03 * 8)
        rows["probability"] = odds / (1 + odds)
        current = profiles.profile_columns(contract, pa.Table.from_pandas(rows))
        columns, prediction = compare_columns(
            contract=contract, reference=reference, current=current, threshold=0.5, minimum_rows=300
        )
        found = [column.column for column in (*columns, prediction) if column.drifted]
        outcome = Outcome.STABLE
        if found:
            outcome = Outcome.PREDICTION_DRIFT if prediction.drifted else Outcome.DATA_DRIFT
        transition, incident = incident.advance(
            outcome=outcome, drifted=found, end=(day + 1) * 86_400_000
        )
        told += transition.is_announced
    assert 1 <= told <= 2


def test_a_refused_mail_is_said_and_tried_again_by_a_repeat_of_the_run(
    moto_bucket: Bucket,
) -> None:
    channels = Channels()
    channels.refuse("mail")
    run = drift_summary(Outcome.DATA_DRIFT, "age")
    [refused] = _scheduled(moto_bucket, channels, run)
    channels.failing.clear()
    [repeated] = _scheduled(moto_bucket, channels, run)
    assert ("failed", "sent") == (refused.mail, repeated.mail)
    assert ("The mail was not sent: SES answered MessageRejected.",) == refused.problems
    assert len(channels.mails) == len(channels.events) == len(channels.messages) == 1


@pytest.mark.parametrize("next_day", [Outcome.STABLE, Outcome.NO_DATA, Outcome.DATA_DRIFT])
def test_a_refused_mail_is_sent_by_the_next_days_run_whatever_that_finds(
    moto_bucket: Bucket, next_day: Outcome
) -> None:
    channels = Channels()
    channels.refuse("mail")
    first = drift_summary(Outcome.DATA_DRIFT, "age")
    _scheduled(moto_bucket, channels, first)
    channels.failing.clear()
    [own, older] = _scheduled(moto_bucket, channels, drift_summary(next_day, "age", day=1))
    assert ["[diabetes dev] Data drift: age (2026-01-31 UTC)"] == channels.subjects
    assert (
        "not_needed",
        "sent",
        "sent",
    ) == (own.mail, older.mail, _stored(moto_bucket, first).mail)
    assert () == _state(moto_bucket).pending


def test_a_run_that_died_before_it_sent_is_made_up_for_by_the_next_days_quiet_run(
    moto_bucket: Bucket,
) -> None:
    channels = Channels(failing={"event": SystemExit()})
    with pytest.raises(SystemExit):
        _scheduled(moto_bucket, channels, drift_summary(Outcome.DATA_DRIFT, "age"))
    channels.failing.clear()
    later = _alerting(moto_bucket, channels, now=10**13 + CLAIM_MS)
    later.handle_scheduled([drift_summary(Outcome.STABLE, day=1)])
    assert ["[diabetes dev] Data drift: age (2026-01-31 UTC)"] == channels.subjects
    assert _state(moto_bucket).incident.is_open


def test_each_mail_that_is_owed_is_sent_once_and_in_order(moto_bucket: Bucket) -> None:
    channels = Channels()
    channels.refuse("mail")
    _scheduled(moto_bucket, channels, drift_summary(Outcome.DATA_DRIFT, "age"))
    _scheduled(moto_bucket, channels, drift_summary(Outcome.PREDICTION_DRIFT, "probability", day=1))
    channels.failing.clear()
    for day in (2, 3):
        _scheduled(moto_bucket, channels, drift_summary(Outcome.NO_DATA, day=day))
    assert [
        "[diabetes dev] Data drift: age (2026-01-31 UTC)",
        "[diabetes dev] Worse: Prediction drift: predicted probability (2026-02-01 UTC)",
    ] == channels.subjects
    assert 2 == len(channels.events)


def _measured(*, day: int, version: str = VERSION, dropped: bool, enough: bool = True) -> Summary:
    performance = Performance(
        labelled=500, coverage=0.5, positives=50, has_enough_labels=enough, dropped=dropped
    )
    return replace(
        drift_summary(Outcome.DATA_DRIFT, "age", day=day, version=version), performance=performance
    )


def test_the_weekly_look_back_tells_each_version_that_does_worse_once_and_nothing_else(
    moto_bucket: Bucket,
) -> None:
    channels = Channels()
    other = "2-0a1b2c3d"
    weeks = [
        [_measured(day=0, dropped=False)],  # drifted, which the daily runs have told
        [_measured(day=7, dropped=True)],
        [_measured(day=14, dropped=True), _measured(day=14, version=other, dropped=False)],
        [_measured(day=21, dropped=True), _measured(day=21, version=other, dropped=True)],
        [_measured(day=28, version=other, dropped=True)],
        [_measured(day=35, dropped=False, enough=False)],
        [_measured(day=42, dropped=False)],
        [_measured(day=49, dropped=False)],
    ]
    mails = []
    for runs in weeks:
        published = [publishing.publish_run(moto_bucket, run, {}) for run in runs]
        told = _alerting(moto_bucket, channels).handle_scheduled(published, look_back=True)
        mails.append([run.mail for run in told])
    quiet, sent = ["not_needed"], ["sent"]
    both = [quiet * 2, sent * 2]
    assert [quiet, sent, *both, quiet, quiet, quiet, quiet] == mails
    state = _state(moto_bucket)
    assert (len(channels.mails), state.look_back.is_open, state.incident) == (2, False, Incident())


REFUSALS: list[tuple[Channel, Exception, str]] = [
    *(
        ("mail", client_error(code), f"The mail was not sent: SES answered {code}.")
        for code in (
            "MessageRejected",  # the sandbox: an address that isn't verified
            "TooManyRequestsException",
            "LimitExceededException",
            "SendingPausedException",
        )
    ),
    (
        "mail",
        ConnectTimeoutError(endpoint_url="https://email.example"),
        "The mail was not sent: SES answered ConnectTimeoutError.",
    ),
    (
        "topic",
        client_error("KMSAccessDenied"),
        "The alert topic accepted no message (KMSAccessDenied).",
    ),
    (
        "topic",
        ConnectTimeoutError(endpoint_url="https://sns.example"),
        "The alert topic accepted no message (ConnectTimeoutError).",
    ),
    (
        "event",
        EventRefused("InternalFailure"),
        "The event DriftDetected was not published (InternalFailure).",
    ),
    (
        "event",
        client_error("ThrottlingException"),
        "The event DriftDetected was not published (ThrottlingException).",
    ),
]


@pytest.mark.parametrize(("channel", "error", "problem"), REFUSALS)
def test_a_channel_that_refuses_is_named_keeps_no_other_from_being_told_and_is_still_owed(
    moto_bucket: Bucket, channel: Channel, error: Exception, problem: str
) -> None:
    channels = Channels(failing={channel: error})
    [run] = _scheduled(moto_bucket, channels, drift_summary(Outcome.DATA_DRIFT, "age"))
    assert (run.mail, run.problems) == ("failed" if channel == "mail" else "sent", (problem,))
    taken = {"mail": channels.mails, "topic": channels.messages, "event": channels.events}
    assert {channel} == {name for name, sent in taken.items() if not sent}
    [pending] = _state(moto_bucket).pending
    assert (pending.channels, pending.claimed_by) == ((channel,), "")
    channels.failing.clear()
    _scheduled(moto_bucket, channels, drift_summary(Outcome.STABLE, day=1))
    assert [1, 1, 1] == [len(sent) for sent in taken.values()]


NOW = 10**13


@dataclass
class Waiting:
    """A clock that only moves when somebody sleeps; `then` happens at the first sleep."""

    then: Callable[[], object] = lambda: None
    slept_ms: int = 0

    def now(self) -> int:
        return NOW + self.slept_ms

    def sleep(self, seconds: float) -> None:
        if not self.slept_ms:
            self.then()
        self.slept_ms += round(seconds * 1000)


def _claimed(bucket: Bucket, *, at: int, owner: str) -> Summary:
    """A run whose announcement somebody claimed and then said nothing more about."""
    run = publishing.publish_run(bucket, drift_summary(Outcome.DATA_DRIFT, "age"), {})
    claim = replace(
        OWED,
        run_ids=(run.run_id,),
        channels=CHANNELS,
        claimed_at=at,
        claimed_by=owner,
        attempts=1,
    )
    opened = replace(OPEN, last_window_end=run.end)
    bucket.put(keys.ALERT_STATE, AlertState(opened, pending=(claim,)).to_json())
    return run


def _run(bucket: Bucket, channels: Channels, run: Summary, waiting: Waiting, owner: str) -> None:
    alerting = Alerting(
        reports=bucket,
        notifier=channels.notifier(),
        target="diabetes",
        owner=owner,
        clock=waiting.now,
        sleep=waiting.sleep,
    )
    alerting.handle_scheduled([run])


@pytest.mark.parametrize(
    ("at", "owner", "waits_ms"),
    [
        (NOW - CLAIM_MS, "dead", 0),
        (NOW - CLAIM_MS + 5_000, "dead", 5_000),
        (NOW - 1_000, "same", 0),
        (NOW + times.DAY_MS * 30, "dead", 0),
    ],
    ids=["expired", "of a run that died", "of this run, killed and repeated", "of a wrong clock"],
)
def test_a_claim_delays_the_mail_by_minutes_at_most(
    moto_bucket: Bucket, at: int, owner: str, waits_ms: int
) -> None:
    run = _claimed(moto_bucket, at=at, owner=owner)
    channels, waiting = Channels(), Waiting()
    _run(moto_bucket, channels, run, waiting, "same")
    assert (1, waits_ms) == (len(channels.mails), waiting.slept_ms)
    assert () == _state(moto_bucket).pending


@pytest.mark.parametrize("refused", [(), ("mail",)])
def test_what_another_run_has_just_tried_to_send_is_not_tried_again(
    moto_bucket: Bucket, refused: tuple[Channel, ...]
) -> None:
    run = _claimed(moto_bucket, at=NOW - 1_000, owner="other")

    def finish() -> None:
        state = _state(moto_bucket)
        (claim,) = state.pending
        rest = replace(claim, channels=refused, claimed_by="", claimed_at=0)
        moto_bucket.put(keys.ALERT_STATE, state.replace(claim, rest if refused else None).to_json())

    channels, waiting = Channels(), Waiting(then=finish)
    _run(moto_bucket, channels, run, waiting, "same")
    assert ([], 1_000) == (channels.mails, waiting.slept_ms)
    assert bool(refused) == bool(_state(moto_bucket).pending)
    _scheduled(moto_bucket, channels, drift_summary(Outcome.STABLE, day=1))
    assert len(refused) == len(channels.mails)


def test_an_announcement_whose_runs_are_gone_is_forgotten(moto_bucket: Bucket) -> None:
    moto_bucket.put(keys.ALERT_STATE, AlertState(OPEN, pending=(OWED,)).to_json())
    channels = Channels()
    _scheduled(moto_bucket, channels, drift_summary(Outcome.STABLE))
    assert ([], ()) == (channels.mails, _state(moto_bucket).pending)


def test_only_so_many_announcements_wait() -> None:
    state = AlertState()
    for number in range(MAXIMUM_PENDING + 3):
        state = state.with_pending(replace(OWED, run_ids=(str(number),)))
    assert [each.run_ids[0] for each in state.pending] == [
        str(n) for n in range(3, MAXIMUM_PENDING + 3)
    ]


def test_an_unreadable_state_costs_a_mail_and_not_the_run(moto_bucket: Bucket) -> None:
    moto_bucket.put(keys.ALERT_STATE, b"{")
    channels = Channels()
    _alerting(moto_bucket, channels).handle_scheduled([drift_summary(Outcome.DATA_DRIFT, "age")])
    stored = moto_bucket.get(keys.ALERT_STATE)
    assert 1 == len(channels.mails)
    assert stored is not None
    assert AlertState.from_json(stored.data).incident.is_open


def test_several_versions_of_one_window_make_one_mail(moto_bucket: Bucket) -> None:
    channels = Channels()
    runs = [
        drift_summary(Outcome.STABLE),
        drift_summary(Outcome.DATA_DRIFT, "age", version="2-0a1b2c3d"),
        drift_summary(Outcome.PREDICTION_DRIFT, "probability", version="3-0a1b2c3d"),
    ]
    told = _alerting(moto_bucket, channels).handle_scheduled(runs)
    assert ["not_needed", "sent", "sent"] == [summary.mail for summary in told]
    assert 1 == len(channels.mails)


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
    told = _alerting(moto_bucket, channels).handle_on_demand(
        [drift_summary(outcome, "age")], mail=asked
    )
    assert (told[0].mail, len(channels.mails)) == (status, mails)
    assert moto_bucket.get(keys.ALERT_STATE) is None


def test_drift_that_comes_and_goes_never_counts_as_recovered(moto_bucket: Bucket) -> None:
    channels = Channels()
    for day in range(10):
        run = (
            drift_summary(Outcome.DATA_DRIFT, "age", day=day)
            if day % 2
            else drift_summary(Outcome.STABLE, day=day)
        )
        _alerting(moto_bucket, channels).handle_scheduled([run])
    assert 1 == len(channels.mails)


def _text(channels: Channels) -> str:
    return str(channels.mails[-1]["Content"]["Simple"]["Body"]["Text"]["Data"])


def test_whoever_acknowledges_gets_no_mail_about_another_column_and_is_named_when_it_is_worse(
    moto_bucket: Bucket,
) -> None:
    channels = Channels()
    _scheduled(moto_bucket, channels, drift_summary(Outcome.DATA_DRIFT, "age", day=0))
    assert "ops acknowledge" in _text(channels)
    opened_at = _state(moto_bucket).incident.opened_at
    assert opened_at is not None
    record = Acknowledgement(
        kind="daily", opened_at=opened_at, acknowledged_at=opened_at, actor="ann", note="New lab."
    )
    store = Acknowledgements(moto_bucket)
    assert record == store.add(record)
    assert record == store.add(replace(record, actor="bob"))  # the first one stays
    _scheduled(moto_bucket, channels, drift_summary(Outcome.DATA_DRIFT, "bmi", day=9))
    assert 1 == len(channels.mails)
    _scheduled(moto_bucket, channels, drift_summary(Outcome.PERFORMANCE_DROP, day=10))
    assert 2 == len(channels.mails)
    assert "by ann: New lab." in _text(channels)
    assert "ops acknowledge" not in _text(channels)
