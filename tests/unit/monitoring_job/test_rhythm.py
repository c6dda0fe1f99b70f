"""Weekends that are always different are no drift; a shift that stays is no weekly rhythm."""

from datetime import timedelta

import pandas as pd
import pytest

from adapters.s3 import Bucket
from domain.contract.contract import Contract
from domain.drift.drift import Outcome
from domain.drift.summary import Summary
from monitoring_job.reports import reports, wording
from tests.unit.monitoring import DAY, World, log, publish_model, records, scored

ROWS = 700
NAMES = ("data_drift", "prediction_drift", "target_drift", "performance")


@pytest.fixture
def world(moto_bucket: Bucket, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> World:
    for name in NAMES:
        monkeypatch.setattr(reports, name, lambda **_: "a page")  # drawing takes a second each
    return World(moto_bucket, contract)


def log_days(
    world: World,
    younger: dict[int, float],
    *,
    days: int = 15,
    reference: pd.DataFrame | None = None,
) -> None:
    """Log a number of days up to DAY, a Saturday.

    `younger`: how many years younger people are, by days before DAY; the others' age is as in the
    reference.
    """
    version = publish_model(world.bucket, world.contract, reference=reference)
    for before in range(days):
        frame: pd.DataFrame = scored(ROWS, seed=100 + before)
        frame["age"] = (frame["age"] - younger.get(before, 0.0)).clip(0)
        day = DAY - timedelta(days=before)
        at = round(day.timestamp() * 1000) + 12 * 3_600_000
        log(world.bucket, records(frame, world.contract, version=version, at=at), day=day)


def rhythms(summary: Summary) -> set[str | None]:
    [age] = [column for column in summary.columns if column.column == "age"]
    return {test.rhythm for test in age.tests if test.rhythm or test.drifted}


def test_a_weekend_that_is_always_younger_is_no_drift(world: World) -> None:
    reference = scored(7_000, seed=1)  # of whole weeks, as the training data are
    reference.loc[:1_999, "age"] = (reference["age"] - 12.0).clip(0)
    weekends = dict.fromkeys((0, 6, 7, 13, 14), 12.0)
    log_days(world, weekends, reference=reference)
    [summary] = world.run()
    assert (Outcome.STABLE, {"explained"}) == (summary.outcome, rhythms(summary))
    assert () == summary.drifted
    assert () == summary.drifted_segments
    [line] = wording.rhythm(summary)
    assert line.startswith("Weekly rhythm: Age, ")
    assert Summary.from_json(summary.to_json()) == summary


def test_a_first_younger_day_differs_from_its_weekday_too(world: World) -> None:
    log_days(world, {0: 12.0})
    [summary] = world.run()
    assert (Outcome.DATA_DRIFT, {"new"}) == (summary.outcome, rhythms(summary))
    assert summary.sentences[0].endswith(
        "the same weekday of the weeks before differs from it, too."
    )


def test_a_shift_that_stays_is_no_rhythm(world: World) -> None:
    log_days(world, dict.fromkeys(range(40), 12.0), days=30)
    [summary] = world.run()
    assert (Outcome.DATA_DRIFT, {"lasting"}) == (summary.outcome, rhythms(summary))
    assert summary.sentences[0].endswith("the seven days before differ from the reference, too.")


def test_without_weeks_before_there_is_only_the_reference(world: World) -> None:
    log_days(world, {0: 12.0}, days=3)
    [summary] = world.run()
    assert (Outcome.DATA_DRIFT, {None}) == (summary.outcome, rhythms(summary))
