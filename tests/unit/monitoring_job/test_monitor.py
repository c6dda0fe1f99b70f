"""The whole job over a day of the log: what it finds, publishes and tells."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.drift.drift import Outcome
from domain.drift.run_index import RunIndex
from domain.drift.summary import Summary
from monitoring_job import publishing
from monitoring_job.reports import reports
from tests.unit.monitoring import DAY, World, log, publish_model, records, scored


@pytest.fixture
def world(moto_bucket: Bucket, contract: Contract) -> World:
    return World(moto_bucket, contract)


@pytest.fixture
def plain_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes a second each, and these tests look at other things."""
    for name in keys.REPORTS:
        monkeypatch.setattr(reports, name, lambda **_: "a page")


def quiet_day(world: World, version: str, *, rows: int = 1_000) -> None:
    log(world.bucket, records(scored(rows, seed=2), world.contract, version=version))


def drifted_day(world: World, version: str, *, rows: int = 1_000) -> None:
    frame = scored(rows, seed=2)
    frame["age"] += 12
    log(world.bucket, records(frame, world.contract, version=version))


def published(world: World, summary: Summary) -> set[str]:
    prefix = f"{keys.RUNS}{summary.run_id}/"
    return {entry.key.removeprefix(prefix) for entry in world.bucket.list(prefix)}


def stored(world: World, summary: Summary) -> Summary:
    found = world.bucket.get(keys.summary(summary.id))
    assert found is not None
    return Summary.from_json(found.data)


def index(world: World) -> RunIndex:
    found = world.bucket.get(keys.RUN_INDEX)
    assert found is not None
    return RunIndex.from_json(found.data)


def test_a_window_without_rows_is_a_normal_result_of_the_champion(world: World) -> None:
    version = publish_model(world.bucket, world.contract)
    [summary] = world.run(scheduled=True)
    assert (summary.outcome, summary.version, summary.mail) == (
        Outcome.NO_DATA,
        version,
        "not_needed",
    )
    assert {"summary.json"} == published(world, summary)
    assert [] == world.channels.mails


def test_without_rows_and_champion_there_is_still_a_result(world: World) -> None:
    [summary] = world.run()
    assert (Outcome.NO_DATA, None) == (summary.outcome, summary.version)
    assert summary.run_id.endswith("--none")


def test_few_rows_are_counted_and_not_judged(world: World) -> None:
    drifted_day(world, publish_model(world.bucket, world.contract), rows=299)
    [summary] = world.run(scheduled=True)
    assert (Outcome.INSUFFICIENT_DATA, 299) == (summary.outcome, summary.rows.sampled)
    assert ((), {"summary.json"}) == (summary.columns, published(world, summary))


def test_a_quiet_day_is_published_and_tells_nobody(world: World) -> None:
    quiet_day(world, publish_model(world.bucket, world.contract))
    [summary] = world.run(scheduled=True, mail=True)
    assert (Outcome.STABLE, (), "not_needed") == (summary.outcome, summary.findings, summary.mail)
    assert {
        "summary.json",
        "data_drift.html",
        "prediction_drift.html",
    } == published(world, summary)
    assert ([], [], []) == (world.channels.mails, world.channels.messages, world.channels.events)


def test_a_drifted_day_is_published_and_told(world: World) -> None:
    drifted_day(world, publish_model(world.bucket, world.contract))
    [summary] = world.run(scheduled=True)
    assert (
        Outcome.DATA_DRIFT,
        ["age"],
        "sent",
    ) == (summary.outcome, [c.column for c in summary.drifted], summary.mail)
    assert stored(world, summary) == summary
    assert ["sent"] == [entry.mail for entry in index(world).entries]
    assert len(world.channels.messages) == len(world.channels.events) == 1
    assert "?t=" not in world.channels.events[0]["Detail"]  # the bus gets no capability


@pytest.mark.parametrize(("mail", "status"), [(True, "sent"), (False, "not_asked")])
def test_a_run_on_demand_mails_only_when_asked(world: World, mail: bool, status: str) -> None:
    drifted_day(world, publish_model(world.bucket, world.contract))
    [summary] = world.run(mail=mail)
    assert (summary.mail, world.bucket.get(keys.ALERT_STATE)) == (status, None)


def test_a_repeated_run_overwrites_itself_and_mails_once(world: World) -> None:
    drifted_day(world, publish_model(world.bucket, world.contract))
    first, second = (world.run(scheduled=True)[0] for _ in range(2))
    assert first == second
    assert len(index(world).entries) == len(world.channels.mails) == 1


@pytest.mark.usefixtures("plain_pages")
def test_a_repeat_on_demand_wipes_out_neither_the_mail_nor_the_schedule(world: World) -> None:
    drifted_day(world, publish_model(world.bucket, world.contract))
    world.run(scheduled=True)
    [repeated] = world.run()
    assert (True, "sent") == (repeated.scheduled, repeated.mail)
    assert stored(world, repeated) == repeated
    [entry] = index(world).entries
    assert (True, "sent") == (entry.scheduled, entry.mail)


@pytest.mark.usefixtures("plain_pages")
def test_a_slow_run_beside_a_faster_one_leaves_what_that_one_mailed(world: World) -> None:
    drifted_day(world, publish_model(world.bucket, world.contract))
    [first] = world.run(scheduled=True)
    behind = replace(first, mail="not_needed", scheduled=False, problems=("slow",))
    publishing.publish_summary(world.bucket, behind)
    publishing.index_runs(world.bucket, [behind])
    assert stored(world, first) == replace(first, problems=("slow",))
    assert [("sent", True)] == [(e.mail, e.scheduled) for e in index(world).entries]


@pytest.mark.usefixtures("plain_pages")
def test_a_report_that_a_repeat_does_not_draw_says_so_under_its_old_link(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    drifted_day(world, publish_model(world.bucket, world.contract))
    [first] = world.run()
    monkeypatch.setattr(reports, "data_drift", lambda **_: 1 / 0)
    world.run()
    page = world.bucket.get(keys.report(first.id, "data_drift"))
    assert page is not None
    assert page.data == publishing.REPLACED.encode()


def test_when_mail_is_refused_the_reports_are_there_and_the_run_says_so(world: World) -> None:
    drifted_day(world, publish_model(world.bucket, world.contract))
    world.channels.refuse("mail")
    [summary] = world.run(scheduled=True)
    assert "failed" == stored(world, summary).mail
    assert "data_drift.html" in published(world, summary)
    assert "example.org" not in str(summary.problems)


def test_each_version_in_a_window_is_judged_by_its_own_reference(world: World) -> None:
    older = scored(5_000, seed=1)
    older["age"] += 12
    old = publish_model(world.bucket, world.contract, number=1, reference=older)
    new = publish_model(world.bucket, world.contract, number=2)
    drifted_day(world, old)
    other = scored(1_000, seed=3)
    log(world.bucket, records(other, world.contract, version=new), name="b")
    found = {summary.version: summary.outcome for summary in world.run()}
    assert {old: Outcome.STABLE, new: Outcome.STABLE} == found


def test_a_version_without_reference_is_not_judged_and_says_why(world: World) -> None:
    version = publish_model(world.bucket, world.contract)
    world.bucket.delete(keys.reference(version))
    quiet_day(world, version)
    [summary] = world.run()
    assert summary.outcome is Outcome.INSUFFICIENT_DATA
    assert (f"Version {version} has no reference sample.",) == summary.problems


def test_a_report_that_cannot_be_drawn_leaves_the_verdict(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> str:
        raise ValueError("a value")

    monkeypatch.setattr(reports, "data_drift", broken)
    drifted_day(world, publish_model(world.bucket, world.contract))
    [summary] = world.run(mail=True)
    assert (Outcome.DATA_DRIFT, ("prediction_drift",)) == (summary.outcome, summary.reports)
    assert ("The report data_drift could not be drawn (ValueError).",) == summary.problems
    assert ["[diabetes dev] Data drift: Age (2026-01-31 UTC)"] == world.channels.subjects


def test_an_unreadable_index_starts_anew(world: World) -> None:
    world.bucket.put(keys.RUN_INDEX, b"[")
    world.run()
    assert 1 == len(index(world).entries)


def test_the_index_lists_the_newest_window_first(world: World) -> None:
    for days in (0, 2, 1):
        world.run(day=DAY + timedelta(days=days))
    ends = [entry.end for entry in index(world).entries]
    assert ends == sorted(ends, reverse=True)
