"""GET /monitoring/health: which scheduled run is missing, and what the monitor depends on."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain import keys, times
from domain.drift.alert_state import AlertState, Announcement
from domain.drift.drift import Outcome
from domain.drift.incident import Transition
from domain.drift.retraining import Decision
from domain.drift.run_index import IndexEntry, RunIndex
from domain.model.champion import ModelRef
from domain.model.consistency import Consistency
from domain.model.probation import Probation
from tests.unit.dashboard import NOW, OPERATOR, FakeStates, World
from tests.unit.fakes import point_at
from tests.unit.lambdas.dashboard.test_executions import execution

MIDNIGHT = times.to_millis(times.start_of(NOW.date()))
REF = ModelRef.of(7, "0a1b2c3d" * 8)


def _run(back: int, days: int = 1, **fields: Any) -> IndexEntry:
    """A scheduled run whose window ended `back` days ago."""
    end = MIDNIGHT - back * times.DAY_MS
    run_id = keys.RunId(
        times.from_millis(end - days * times.DAY_MS), times.from_millis(end), REF.version
    )
    entry = IndexEntry(
        run_id=str(run_id),
        version=REF.version,
        start=end - days * times.DAY_MS,
        end=end,
        computed_at=end + 11 * times.HOUR_MS,
        scheduled=True,
        outcome=Outcome.STABLE,
        rows=900,
        drifted=(),
        reports=(),
        mail="not_needed",
    )
    return replace(entry, **fields)


def _world(*runs: IndexEntry, **fields: Any) -> World:
    world = World(**fields)
    world.s3.objects[keys.RUN_INDEX] = RunIndex(runs).to_json()
    return world


def _job(world: World, name: str = "Daily drift run") -> dict[str, Any]:
    [found] = [j for j in world.get("/monitoring/health")["jobs"] if j["name"] == name]
    return dict(found)


def _check(world: World, name: str) -> dict[str, Any]:
    [found] = [c for c in world.get("/monitoring/health")["checks"] if c["name"] == name]
    return dict(found)


def test_nothing_is_overdue_before_the_first_model() -> None:
    jobs = World().get("/monitoring/health")["jobs"]
    assert ["waiting", "waiting", "unscheduled"] == [job["state"] for job in jobs]
    assert [[], [], []] == [job["due"] for job in jobs]
    assert times.to_millis(NOW + timedelta(hours=23)) == jobs[0]["next_at"]


def test_a_run_for_each_due_time_is_on_time() -> None:
    job = _job(_world(*(_run(back) for back in range(5))))
    assert ("on_time", "5 of 5 runs due in the last 90 days were made.") == (
        job["state"],
        job["says"],
    )
    assert [f"{_run(back).run_id}" for back in range(4, -1, -1)] == [
        d["run_id"] for d in job["due"]
    ]
    assert ("stable", _run(0).run_id) == (job["last_result"], job["last_run_id"])


def test_a_run_that_may_still_come_is_not_overdue() -> None:
    job = _job(_world(_run(1), _run(2)))  # due an hour ago
    assert ("on_time", "waiting") == (job["state"], job["due"][-1]["state"])


def test_a_missing_run_is_overdue_with_the_command_that_makes_up_for_it() -> None:
    world = _world(_run(1), _run(2), drift_schedule="cron(0 8 * * ? *)")
    job = _job(world)
    assert "overdue" == job["state"]
    assert "The run due on 2026-02-01 at 08:00 UTC is missing." == job["says"]
    assert f"{OPERATOR} drift --as-scheduled --day 2026-01-31" == job["command"]
    assert [f"Daily drift run: {job['says']}"] == world.get("/monitoring/overview")["overdue"]


def test_a_missing_look_back_is_overdue_with_the_command_that_makes_up_for_it() -> None:
    # Monday the 26th at 16:00 was the last one due; NOW is the Sunday after it.
    job = _job(_world(*(_run(6 + 7 * n, 28) for n in (1, 2))), "Weekly look-back")
    assert "The run due on 2026-01-26 at 16:00 UTC is missing." == job["says"]
    assert f"{OPERATOR} drift --as-scheduled --days 28 --day 2026-01-25" == job["command"]


def test_an_earlier_gap_is_counted_and_not_overdue() -> None:
    job = _job(_world(_run(0), _run(1), _run(3)))
    assert "3 of 4 runs due in the last 90 days were made." == job["says"]
    assert ["done", "missed", "done", "done"] == [due["state"] for due in job["due"]]


def test_runs_on_demand_and_of_other_lengths_do_not_count() -> None:
    world = _world(_run(0, scheduled=False), _run(0, 28), _run(1))
    assert ["done", "waiting"] == [due["state"] for due in _job(world)["due"]]
    assert "on_time" == _job(_world(_run(6, 28)), "Weekly look-back")["state"]


def test_the_first_run_after_a_promotion_can_be_overdue() -> None:
    world = _world(drift_schedule="cron(0 8 * * ? *)")
    point_at(world.s3, REF)  # long ago
    assert "overdue" == _job(world)["state"]


def test_of_several_versions_the_worst_outcome_is_shown() -> None:
    other = replace(_run(0), version="8-0a1b2c3d", outcome=Outcome.DATA_DRIFT)
    assert "data_drift" == _job(_world(_run(0), other))["due"][-1]["outcome"]


def test_times_that_are_not_understood_give_no_verdict() -> None:
    job = _job(_world(_run(9), drift_schedule="cron(0 14 15W * ? *)"))
    assert ("unknown", None, []) == (job["state"], job["next_at"], job["due"])


@pytest.mark.parametrize(
    ("schedule", "state"),
    [
        ("", "unscheduled"),
        ("cron(0 3 ? * SUN *)", "overdue"),  # NOW is a Sunday
        ("cron(0 3 ? * MON *)", "on_time"),
        ("cron(0 11 ? * SUN *)", "on_time"),  # due an hour ago
        ("cron(0 3 ? * 1L *)", "unknown"),
    ],
)
def test_a_training_that_was_due_must_have_been_started(schedule: str, state: str) -> None:
    rollback = execution({"rollback": True}, status="FAILED")
    states = FakeStates([rollback, execution({"trials": 3})])  # started yesterday at four
    job = _job(World(states=states, training_schedule=schedule), "Training")
    assert (state, "succeeded") == (job["state"], job["last_result"])


@pytest.mark.parametrize(
    ("schedule", "state", "says"),
    [
        (
            "cron(0 3 ? * SUN *)",
            "overdue",
            "The compaction due on 2026-02-01 at 03:00 UTC was not started.",
        ),
        ("cron(0 3 ? * MON *)", "on_time", "The latest compaction that was due has been started."),
    ],
)
def test_a_compaction_that_was_due_must_have_been_started(
    schedule: str, state: str, says: str
) -> None:
    states = FakeStates(
        [execution({"trials": 3}, status="FAILED"), execution({"compact": {"days": 7}})]
    )
    job = _job(World(states=states, regular={"compact": schedule}), "Compaction")
    assert state == job["state"]
    assert job["says"].startswith(says)


def test_pending_notifications_name_the_channels() -> None:
    world = World()
    waiting = Announcement(transition=Transition.OPEN, run_ids=(), channels=("mail", "webhook"))
    world.s3.objects[keys.ALERT_STATE] = AlertState(pending=(waiting,)).to_json()
    found = _check(world, "Notifications")
    assert "problem" == found["state"]
    assert found["says"].startswith("1 pending: mail and webhook refused it.")
    assert f"{OPERATOR} doctor" == found["command"]


@pytest.mark.parametrize(("mail", "state"), [("sent", "good"), ("failed", "problem")])
def test_the_mail_of_the_latest_run_counts(mail: str, state: str) -> None:
    world = _world(
        _run(0), _run(1, mail=mail), _run(2, mail="failed" if mail == "sent" else "sent")
    )
    assert state == _check(world, "Mails")["state"]


def test_guard_probation_and_ledger_say_what_they_found_last() -> None:
    world = World()
    decision = Decision(
        reason="There is no data newer than the last successful training.",
        execution=None,
        transition=Transition.OPEN,
        run_ids=(),
        decided_at=5,
    )
    probation = Probation(
        seq=2,
        version=REF.version,
        predecessor="6-0a1b2c3d",
        promoted_at=1,
        ends_at=9,
        looked_at=4,
        verdict="worse",
        reason="The predecessor is better by 0.02.",
    )
    problem = "Entry 3 is missing."
    checked = Consistency(checked_at=7, version=REF.version, seq=4, problems=(problem,))
    world.s3.objects |= {
        keys.retraining("a"): decision.to_json(),
        keys.probation(2): probation.to_json(),
        keys.CHECK: checked.to_json(),
    }
    guard, trial, ledger = (_check(world, n) for n in ("Retrain guard", "Probation", "Ledger"))
    assert ("good", 5, decision.reason) == (guard["state"], guard["at"], guard["says"])
    assert ("warning", 4, probation.reason) == (trial["state"], trial["at"], trial["says"])
    assert ("problem", 7, problem) == (ledger["state"], ledger["at"], ledger["says"])
    assert f"{OPERATOR} status --check" == ledger["command"]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (keys.ALERT_STATE, "Notifications"),
        (keys.retraining("a"), "Retrain guard"),
        (keys.probation(2), "Probation"),
        (keys.CHECK, "Ledger"),
    ],
)
def test_a_damaged_record_is_a_problem_and_not_an_error(key: str, name: str) -> None:
    world = World()
    world.s3.objects[key] = b"{"
    assert "problem" == _check(world, name)["state"]


def test_records_that_the_streams_refused_are_counted_for_a_week() -> None:
    world = World()
    for back in (0, 6, 7):
        day = NOW.date() - back * times.DAY
        world.s3.objects[keys.fallback("log", day, str(back))] = json.dumps({}).encode()
    found = _check(world, "Fallback of predictions")
    assert ("warning", True) == (found["state"], found["says"].startswith("2 objects"))
    assert "good" == _check(world, "Fallback of labels")["state"]


def test_rejected_records_are_named_where_there_are_some() -> None:
    names = [check["name"] for check in World().get("/monitoring/health")["checks"]]
    assert [] == [name for name in names if name.startswith("Rejected")]
    world = World()
    world.s3.objects[_rejected("format-conversion-failed", 0, "a")] = b"{}"
    assert "problem" == _check(world, "Rejected labels")["state"]


def test_of_very_many_rejected_records_the_newest_says_when() -> None:
    world = World()
    for number in range(1_001):
        world.s3.objects[_rejected("format-conversion-failed", 9, f"{number:04d}")] = b"{}"
    for kind, back in (("format-conversion-failed", 2), ("processing-failed", 1)):
        key = _rejected(kind, back, "a")
        world.s3.objects[key] = b"{}"
        world.s3.modified[key] = NOW - back * times.DAY
    assert times.to_millis(NOW - times.DAY) == _check(world, "Rejected labels")["at"]


def _rejected(kind: str, back: int, name: str) -> str:
    """Key of labels that Firehose put aside so many days ago."""
    return f"{keys.rejected('labels')}{kind}/{keys.partition(NOW.date() - back * times.DAY)}{name}"
