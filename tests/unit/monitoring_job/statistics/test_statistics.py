"""The drift rule, and the statistics that feed it, on seeded data with a known shift."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from domain.contract.contract import Contract
from domain.contract.feature import OTHER
from domain.drift.drift import Method, Outcome, is_drifted, strength, worst
from domain.drift.drift_request import UNREPLACED_TIME, DriftRequest
from domain.drift.run_index import MAXIMUM_ENTRIES, IndexEntry, RunIndex
from domain.drift.summary import ColumnDrift, RowCounts, Summary, run_id
from domain.drift.window import LastRows, Window
from domain.errors import BadRecord, BadWindow
from monitoring_job.statistics import distances, profiles, statistics
from monitoring_job.statistics.statistics import compare_columns
from tests.unit.monitoring import DRIFTED, PROFILE, scored

NOW = datetime(2026, 2, 1, 14, tzinfo=UTC)


def compared(
    contract: Contract, current: pd.DataFrame, *, reference_rows: int = 5_000
) -> dict[str, ColumnDrift]:
    columns, prediction = compare_columns(
        contract=contract,
        reference=profiles.profile_columns(
            contract, pa.Table.from_pandas(scored(reference_rows, seed=1))
        ),
        current=profiles.profile_columns(contract, pa.Table.from_pandas(current)),
        threshold=0.5,
        minimum_rows=300,
    )
    return {column.column: column for column in (*columns, prediction)}


@pytest.mark.parametrize(
    ("strength", "q_value", "rows", "expected"),
    [
        (1.0, 0.0009, 100, True),
        (0.99, 0.0, 10_000, False),
        (9.0, 0.001, 10_000, False),
        (9.0, 0.0, 99, False),
        (-9.0, 0.0, 10_000, False),
        (math.nan, 0.0, 10_000, False),
        (9.0, math.nan, 10_000, False),
    ],
)
def test_drift_takes_effect_and_significance_and_rows(
    strength: float, q_value: float, rows: int, expected: bool
) -> None:
    assert expected is is_drifted(
        strength=strength, q_value=q_value, below=0.001, rows=rows, minimum=100
    )


@pytest.mark.parametrize(
    ("method", "effect", "limit", "expected"),
    [
        ("wasserstein", 0.3, 0.1, 3.0),
        ("share_difference", -0.01, 0.005, -2.0),
        ("odds_ratio", 2.25, 1.5, 2.0),
        ("odds_ratio", 1 / 2.25, 1.5, 2.0),
        ("share_ratio", 1.0, 1.2, 0.0),
    ],
)
def test_effects_of_all_methods_can_be_ranked(
    method: Method, effect: float, limit: float, expected: float
) -> None:
    assert math.isclose(expected, strength(method, effect, limit))


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], Outcome.NO_DATA),
        ([Outcome.NO_DATA, Outcome.STABLE], Outcome.STABLE),
        ([Outcome.PREDICTION_DRIFT, Outcome.DATA_DRIFT], Outcome.PREDICTION_DRIFT),
        ([Outcome.PERFORMANCE_DROP, Outcome.PREDICTION_DRIFT], Outcome.PERFORMANCE_DROP),
        ([Outcome.INSUFFICIENT_DATA, Outcome.NO_DATA], Outcome.INSUFFICIENT_DATA),
    ],
)
def test_the_most_serious_outcome_wins(outcomes: list[Outcome], expected: Outcome) -> None:
    assert worst(outcomes) is expected


@pytest.mark.parametrize("rows", [300, 1_000, 10_000])
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_an_equal_distribution_stays_quiet(contract: Contract, rows: int, seed: int) -> None:
    drifted = [name for name, c in compared(contract, scored(rows, seed=seed)).items() if c.drifted]
    assert [] == drifted


def _age(frame: pd.DataFrame) -> None:
    frame["age"] = (frame["age"] + 8).clip(0, 120)


def _glucose(frame: pd.DataFrame) -> None:
    frame["blood_glucose_level"] += 25


def _bmi(frame: pd.DataFrame) -> None:
    frame["bmi"] *= 1.1


def _smoking(frame: pd.DataFrame) -> None:
    frame.loc[frame.index % 4 == 0, "smoking_history"] = "No Info"


def _missing(frame: pd.DataFrame) -> None:
    frame.loc[frame.index < 0.15 * len(frame), "hba1c_level"] = np.nan


def _all_missing(frame: pd.DataFrame) -> None:
    frame["bmi"] = np.nan


def _new_category(frame: pd.DataFrame) -> None:
    frame.loc[frame.index < 0.05 * len(frame), "gender"] = "<script>alert(1)</script>"


def _out_of_range(frame: pd.DataFrame) -> None:
    frame.loc[frame.index < 0.05 * len(frame), "bmi"] = 1e39


def _flag(frame: pd.DataFrame) -> None:
    frame.loc[frame.index % 2 == 0, "hypertension"] = 1


def _probability(frame: pd.DataFrame) -> None:
    frame["probability"] = frame["probability"] ** 0.5


@pytest.mark.parametrize(
    ("shift", "column"),
    [
        (_age, "age"),
        (_glucose, "blood_glucose_level"),
        (_bmi, "bmi"),
        (_smoking, "smoking_history"),
        (_missing, "hba1c_level"),
        (_all_missing, "bmi"),
        (_new_category, "gender"),
        (_out_of_range, "bmi"),
        (_flag, "hypertension"),
        (_probability, "probability"),
    ],
)
def test_a_shift_is_found_in_exactly_its_column(
    contract: Contract, shift: Callable[[pd.DataFrame], None], column: str
) -> None:
    current = scored(1_000, seed=21)
    shift(current)
    drifted = [name for name, found in compared(contract, current).items() if found.drifted]
    assert [column] == drifted


def test_a_value_outside_the_contract_is_never_repeated(contract: Contract) -> None:
    current = scored(1_000, seed=21)
    _new_category(current)
    gender = compared(contract, current)["gender"]
    assert (0.05, True) == (gender.current.invalid, OTHER in gender.current.shares)
    assert "script" not in repr(gender)


def test_values_beyond_what_a_float_can_sum_spare_the_run_and_the_others(
    contract: Contract,
) -> None:
    features = (replace(f, maximum=1.7e308) if f.name == "bmi" else f for f in contract.features)
    unlimited = replace(contract, features=tuple(features))  # as no document may say any more
    current = scored(1_000, seed=21)
    _age(current)
    current["bmi"] = 1.6e308
    found = compared(unlimited, current)
    assert found["bmi"].current.mean is None
    assert ["age", "bmi"] == [name for name, column in found.items() if column.drifted]
    assert _summary(columns=tuple(found.values())).to_json()


@pytest.mark.parametrize("effect", [math.nan, math.inf])
def test_a_difference_that_is_no_number_is_a_sentence_and_spares_the_others(
    contract: Contract, monkeypatch: pytest.MonkeyPatch, effect: float
) -> None:
    usual = distances.estimate_distance

    def endless(method, reference, current):  # type: ignore[no-untyped-def]  # as the original
        found = usual(method, reference, current)
        return replace(found, value=effect) if len(reference) == 4_999 else found

    monkeypatch.setattr(statistics, "estimate_distance", endless)
    reference, current = scored(5_000, seed=1), scored(1_000, seed=21)
    _age(current)
    reference.loc[0, "bmi"] = None  # the one column of that length
    columns, _ = compare_columns(
        contract=contract,
        reference=profiles.profile_columns(contract, pa.Table.from_pandas(reference)),
        current=profiles.profile_columns(contract, pa.Table.from_pandas(current)),
        threshold=0.5,
        minimum_rows=300,
    )
    found = {column.column: column for column in columns}
    assert "not a finite number" in (found["bmi"].problem or "")
    assert ["age"] == [name for name, column in found.items() if column.drifted]


def test_a_column_without_values_says_so_and_spares_the_others(contract: Contract) -> None:
    current = scored(1_000, seed=21)
    current["bmi"] = np.nan
    found = compared(contract, current)
    assert "The window holds no valid value of this column." == found["bmi"].problem
    assert [] == [name for name, column in found.items() if not column.tests]


def test_a_column_that_breaks_the_statistics_spares_the_others(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(method, reference, current):  # type: ignore[no-untyped-def]  # as the original
        if reference.name == "bmi":
            raise ZeroDivisionError("5.0 is a value")
        return distances.estimate_distance(method, reference, current)

    monkeypatch.setattr(statistics, "estimate_distance", breaking)
    current = scored(1_000, seed=21)
    _age(current)
    reference = profiles.profile_columns(contract, pa.Table.from_pandas(scored(5_000, seed=1)))
    reference["bmi"].values.name = "bmi"
    columns, _ = compare_columns(
        contract=contract,
        reference=reference,
        current=profiles.profile_columns(contract, pa.Table.from_pandas(current)),
        threshold=0.5,
        minimum_rows=300,
    )
    by_name = {column.column: column for column in columns}
    assert "The values could not be compared (ZeroDivisionError)." == by_name["bmi"].problem
    assert by_name["age"].drifted


@pytest.mark.parametrize("reference_rows", [200, 5_000])
def test_methods_depend_on_the_kind_and_not_on_the_reference_size(
    contract: Contract, reference_rows: int
) -> None:
    found = compared(contract, scored(1_000, seed=21), reference_rows=reference_rows)
    methods = {name: column.tests[0].method for name, column in found.items()}
    numbers = {"age", "bmi", "hba1c_level", "blood_glucose_level", "probability"}
    assert {name for name, method in methods.items() if method == "wasserstein"} == numbers
    assert {"wasserstein", "jensenshannon"} == set(methods.values())


def test_the_uncorrected_distance_is_the_number_that_evidently_computes() -> None:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    reference, current = scored(5_000, seed=1), scored(1_000, seed=21)
    _age(current)
    _smoking(current)
    definition = DataDefinition(numerical_columns=["age"], categorical_columns=["smoking_history"])
    metrics = [
        ValueDrift(column="age", method="wasserstein"),
        ValueDrift(column="smoking_history", method="jensenshannon"),
    ]
    report = Report(metrics, include_tests=False).run(
        Dataset.from_pandas(current, data_definition=definition),
        Dataset.from_pandas(reference, data_definition=definition),
    )
    shown = [metric["value"] for metric in report.dict()["metrics"]]
    ours = [
        distances.measure_distance("wasserstein", reference["age"], current["age"]),
        distances.measure_distance(
            "jensenshannon", reference["smoking_history"], current["smoking_history"]
        ),
    ]
    assert ours == pytest.approx(shown)


def _summary(**changes: object) -> Summary:
    column = ColumnDrift(
        name="Age",
        column="age",
        kind="number",
        reference=PROFILE,
        current=PROFILE,
        tests=(DRIFTED,),
    )
    fields: dict[str, object] = {
        "run_id": str(run_id(start=1_000, end=2_000, version="1-0a1b2c3d")),
        "version": "1-0a1b2c3d",
        "start": 1_000,
        "end": 2_000,
        "computed_at": 3_000,
        "scheduled": True,
        "outcome": Outcome.DATA_DRIFT,
        "findings": (Outcome.DATA_DRIFT,),
        "rows": RowCounts(logged=1_010, sampled=1_000, copies=10, malformed={"probability": 2}),
        "columns": (column,),
        "prediction": column,
        "reports": ("data_drift",),
        "problems": ("A sentence.",),
    }
    return Summary(**{**fields, **changes})  # type: ignore[arg-type]  # fields of all types


def test_a_summary_survives_its_encoding() -> None:
    assert Summary.from_json(_summary().to_json()) == _summary()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format": "other"}', b"\xff"])
def test_what_is_no_summary_is_refused(data: bytes) -> None:
    with pytest.raises(BadRecord):
        Summary.from_json(data)


def test_copies_in_the_sample_are_taken_off_the_whole_window() -> None:
    rows = RowCounts(logged=10_000, sampled=900, copies=100, sample_share=0.1)
    assert (9_000, 0) == (rows.distinct, RowCounts().distinct)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 86_400_000, "19700101T000000Z--19700102T000000Z--none"),
        (1_500, 2_001, "19700101T000001Z--19700101T000003Z--none"),
        (1_500, 1_501, "19700101T000001Z--19700101T000002Z--none"),
    ],
)
def test_a_run_is_named_by_whole_seconds_around_its_window(
    start: int, end: int, expected: str
) -> None:
    assert expected == str(run_id(start=start, end=end, version=None))


def test_the_index_keeps_the_latest_windows_and_replaces_repeated_runs() -> None:
    index = RunIndex()
    for day in range(1, MAXIMUM_ENTRIES + 3):
        run = str(run_id(start=0, end=day * 1_000, version=None))
        index = index.with_run(IndexEntry.of(_summary(run_id=run, end=day * 1_000)))
    again = IndexEntry.of(_summary(run_id=run, end=day * 1_000, computed_at=9_000))
    index = RunIndex.from_json(index.with_run(again).to_json())
    ends = [entry.end for entry in index.entries]
    assert ends == [day * 1_000 for day in range(MAXIMUM_ENTRIES + 2, 2, -1)]
    assert index.entries[0] == again


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({}, (Window.of_day(datetime(2026, 1, 31).date()), False, False)),
        (
            {"time": "2026-01-20T14:00:00Z", "scheduled": True},
            (Window.of_day(datetime(2026, 1, 19).date()), True, False),
        ),
        (
            {"time": UNREPLACED_TIME, "scheduled": True},
            (Window.of_day(datetime(2026, 1, 31).date()), True, False),
        ),
        ({"last_rows": 10, "mail": True}, (LastRows(10, NOW), False, True)),
        (
            {"detail-type": "DriftRequested", "detail": {"day": "2026-01-02", "request_id": "x"}},
            (Window.of_day(datetime(2026, 1, 2).date()), False, False),
        ),
    ],
)
def test_a_request_is_read_from_each_kind_of_event(
    event: dict[str, object], expected: tuple[object, bool, bool]
) -> None:
    request = DriftRequest.parse(event, now=NOW)
    assert (request.window, request.scheduled, request.mail) == expected


@pytest.mark.parametrize(
    "event",
    [
        {"mail": "yes"},
        {"scheduled": 1, "mail": None},
        {"day": "yesterday"},
        {"detail-type": "DriftRequested", "detail": ["day"]},
        {"last_rows": 0},
    ],
)
def test_a_bad_request_is_refused_with_a_sentence(event: dict[str, object]) -> None:
    with pytest.raises(BadWindow, match=r"\.$"):
        DriftRequest.parse(event, now=NOW)
