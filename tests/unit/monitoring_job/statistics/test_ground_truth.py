"""Labels, realised and expected performance, segments, poison, and pages of aggregates."""

import json
import re
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.drift.disclosure import SMALLEST_GROUP
from domain.drift.drift import Outcome
from domain.drift.summary import Summary
from monitoring_job.reports import findings, reports, wording
from tabular.models import Models
from tests.cards import make_card
from tests.repository import CONTRACT_TOML, ROOT
from tests.unit.monitoring import DAY, NOON, World, log, publish_model, records, scored


@pytest.fixture
def world(moto_bucket: Bucket, contract: Contract) -> World:
    return World(moto_bucket, contract)


def label(world: World, rows: list[dict[str, Any]], *, late: int = 3, name: str = "a") -> None:
    """Labels as they arrive, some days after the predictions."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    day = (DAY + timedelta(days=late)).date()
    world.bucket.put(f"{keys.stream('labels', day)}{name}.parquet", sink.getvalue().to_pybytes())


def labelled(table: pa.Table, truth: Any, *, observed: int = NOON) -> list[dict[str, Any]]:
    return [
        {"prediction_id": i, "label": bool(t), "observed_at": observed, "received_at": observed}
        for i, t in zip(table["prediction_id"].to_pylist(), truth, strict=False)
    ]


def run(world: World) -> Summary:
    [summary] = world.run(now=DAY + timedelta(days=9))
    return summary


def test_of_several_labels_the_one_observed_last_counts_wherever_it_lies(world: World) -> None:
    version = publish_model(world.bucket, world.contract)
    frame = scored(1_000, seed=2)
    table = records(frame, world.contract, version=version)
    log(world.bucket, table)
    truth = frame["label"].to_numpy()
    label(world, labelled(table, truth, observed=NOON + 9), late=1)
    label(world, labelled(table, ~truth, observed=NOON + 5), late=4)  # older, but later received
    fallback = keys.fallback("labels", DAY.date(), "u")
    lines = (json.dumps(row) for row in labelled(table, ~truth, observed=NOON))
    world.bucket.put(fallback, "\n".join(lines).encode())
    measured = run(world).performance
    assert measured is not None
    expected = metrics.f1_score(truth, frame["probability"] >= 0.5)
    figure = measured.figures["f1"]
    assert figure is not None
    assert (measured.coverage, round(figure.value, 6)) == (1.0, round(float(expected), 3))
    assert figure.low < figure.value < figure.high


def test_labels_bring_target_drift_performance_and_their_reports(world: World) -> None:
    version = publish_model(world.bucket, world.contract)
    world.bucket.put(keys.card(version), make_card(version, metrics={"f1": 0.99}).to_json())
    frame = scored(1_000, seed=2)
    table = records(frame, world.contract, version=version)
    log(world.bucket, table)
    label(world, labelled(table.slice(0, 600), ~frame["label"].to_numpy()))
    summary = run(world)
    assert summary.performance is not None
    assert (Outcome.PERFORMANCE_DROP, 0.6) == (summary.outcome, summary.performance.coverage)
    assert keys.REPORTS == summary.reports
    assert summary.target is not None
    assert summary.target.drifted
    for name in keys.REPORTS:
        page = world.bucket.get(keys.report(summary.id, name))
        assert page is not None
        assert b"Labels: known for 60.0 %" in page.data
        assert len(page.data) <= 5_000_000
    assert Summary.from_json(summary.to_json()) == summary


def test_labels_that_come_ten_days_late_are_one_mail_of_the_weekly_look_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in keys.REPORTS:
        monkeypatch.setattr(reports, name, lambda **_: "a page")  # drawing takes a second each
    version = publish_model(world.bucket, world.contract)
    world.bucket.put(keys.card(version), make_card(version, metrics={"f1": 0.99}).to_json())
    frame = scored(1_000, seed=2)
    table = records(frame, world.contract, version=version)
    log(world.bucket, table)
    for days in (0, 1, 9):  # of the daily runs until then
        world.run(day=DAY + timedelta(days=days), scheduled=True)
    label(world, labelled(table, ~frame["label"].to_numpy()), late=10)
    for days in (10, 17, 24):
        world.run(day=DAY + timedelta(days=days), scheduled=True)
        world.run(day=DAY + timedelta(days=days), days=28, scheduled=True)
    assert [
        "[diabetes dev] Performance drop (2026-01-14 to 2026-02-10 UTC)"
    ] == world.channels.subjects


@pytest.mark.parametrize(("labels", "positives"), [(4, 2), (60, 5), (60, 55)])
def test_labels_of_too_few_people_bring_neither_figures_nor_reports(
    world: World, labels: int, positives: int
) -> None:
    version = publish_model(world.bucket, world.contract)
    table = records(scored(320, seed=2), world.contract, version=version)
    log(world.bucket, table)
    label(world, labelled(table.slice(0, labels), np.arange(labels) < positives))
    summary = run(world)
    assert ("data_drift", "prediction_drift") == summary.reports
    assert (summary.performance is None, summary.target is None) == (labels < 11, labels < 11)
    document = json.loads(summary.to_json())
    if labels >= 11:
        measured, target = document["performance"], document["target"]
        assert (measured["labelled"], measured["positives"]) == (labels, None)
        assert {None} == set(measured["figures"].values())
        assert {} == target["current"]["shares"]


def test_the_summary_obeys_its_published_schema(world: World) -> None:
    import jsonschema

    version = publish_model(world.bucket, world.contract)
    frame = scored(1_000, seed=2)
    table = records(frame, world.contract, version=version)
    log(world.bucket, table)
    label(world, labelled(table, frame["label"]))
    schema = json.loads((ROOT / "docs" / "summary.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    document = json.loads(run(world).to_json())
    assert [] == list(validator.iter_errors(document))
    [empty] = world.run(day=DAY - timedelta(days=5))
    assert [] == list(validator.iter_errors(json.loads(empty.to_json())))
    assert list(validator.iter_errors({**document, "outcome": "fine"})) != []
    assert list(validator.iter_errors({**document, "row": {}})) != []


POISON: dict[str, dict[str, Any]] = {
    "missing key": {"prediction_id": None},
    "wrong type": {"predicted_at": "noon"},
    "NaN text": {"probability": "NaN"},
    "a future time": {"predicted_at": 2**62},
    "1970": {"predicted_at": 0},
    "null score": {"probability": None},
    "score 1.7": {"probability": 1.7},
    "giant string": {"gender": "x" * 1_000_000},
    "script text": {"gender": "<script>document.title='owned'</script>"},
    "giant id": {"prediction_id": "y" * 1_000_000},
    "no version": {"model_version": None},
    "text for a number": {"bmi": "NaN"},
}


def test_poison_is_isolated_counted_and_shown_and_fails_no_run(world: World) -> None:
    version = publish_model(world.bucket, world.contract)
    table = records(scored(1_000, seed=2), world.contract, version=version)
    log(world.bucket, table.set_column(table.column_names.index("bmi"), "bmi", pa.nulls(1_000)))
    template = records(scored(1, seed=8), world.contract, version=version, at=NOON + 7_000_000)
    good = template.to_pylist()[0]
    rows = [{**good, **change} for change in POISON.values()]
    rows.append(table.slice(0, 1).to_pylist()[0])  # a duplicate
    key = keys.fallback("log", DAY.date(), "u")
    world.bucket.put(key, b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    summary = run(world)
    assert {
        "predicted_at": 3,
        "prediction_id": 2,
        "probability": 3,
        "model_version": 1,
    } == summary.rows.malformed
    page = world.bucket.get(keys.report(summary.id, "data_drift"))
    assert page is not None
    assert b"9 malformed rows left out" in page.data
    assert b"owned" not in page.data
    assert ["bmi"] == [c.column for c in summary.drifted]


def test_damage_among_the_labels_is_counted_once_and_alike_for_every_version(
    world: World,
) -> None:
    frame = scored(320, seed=2)
    versions = [publish_model(world.bucket, world.contract, number=n) for n in (1, 2)]
    tables = [records(frame, world.contract, version=version) for version in versions]
    for version, table in zip(versions, tables, strict=True):
        log(world.bucket, table, name=version)
    late = 2**62  # observed in the far future
    label(world, labelled(tables[0].slice(0, 3), [True] * 3, observed=late))
    world.bucket.put(f"{keys.stream('labels', DAY.date())}broken.parquet", b"no parquet")
    world.bucket.put(keys.fallback("labels", DAY.date(), "u"), b"no JSON\n")
    counts = [summary.rows for summary in world.run(now=DAY + timedelta(days=9))]
    assert [{"label": 3, "not a JSON object": 1}] * 2 == [rows.malformed for rows in counts]
    assert [1, 1] == [rows.unreadable_objects for rows in counts]


def test_a_version_that_cannot_be_judged_leaves_the_others_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = [publish_model(world.bucket, world.contract, number=n) for n in (1, 2)]
    for version in versions:
        table = records(scored(320, seed=2), world.contract, version=version)
        log(world.bucket, table, name=version)
    usual = Models.reference

    def reference(models: Models, version: str) -> pa.Table:
        if version == versions[0]:
            raise RuntimeError("49.5 is somebody's value")
        return usual(models, version)

    monkeypatch.setattr(Models, "reference", reference)
    broken, healthy = world.run()
    assert (
        Outcome.INSUFFICIENT_DATA,
        ("This version could not be evaluated (RuntimeError).",),
    ) == (broken.outcome, broken.problems)
    assert healthy.outcome is Outcome.STABLE


def test_drift_inside_a_segment_is_named_with_it(world: World) -> None:
    frame = scored(4_000, seed=2)
    old = frame["age"] >= 70
    frame.loc[old, "hypertension"] = 1
    version = publish_model(world.bucket, world.contract)
    log(world.bucket, records(frame, world.contract, version=version))
    summary = run(world)
    assert "Hypertension in age 70 and over" in [
        change.name for change in findings.changes(summary)
    ]
    assert summary.outcome is Outcome.DATA_DRIFT


SITE = """
[[context]]
name = "Site"
kind = "category"
categories = ["north", "south", "west"]

[[segments]]
feature = "Site"
"""


def _with_sites(rows: int, seed: int) -> pd.DataFrame:
    """Scored rows of two sites, and of a third one with five."""
    sites = np.random.default_rng(seed).choice(["north", "south"], rows)
    sites[:5] = "west"
    return scored(rows, seed=seed).assign(site=sites)


@pytest.mark.parametrize("in_reference", [True, False])
def test_drift_inside_a_group_of_a_context_column_is_found_by_the_versions_reference(
    world: World, in_reference: bool
) -> None:
    deployed = Contract.parse(CONTRACT_TOML.read_text() + SITE)
    reference, frame = _with_sites(5_000, 1), _with_sites(4_000, 2)
    frame.loc[frame["site"] == "south", "hypertension"] = 1
    if not in_reference:
        del reference["site"]
    version = publish_model(world.bucket, world.contract, reference=reference)
    table = records(frame, deployed, version=version)
    log(world.bucket, table)
    label(world, labelled(table, frame["label"].to_numpy() & (frame["site"] == "north")))
    (summary,) = world.run(context=DeployedContext.of(deployed), now=DAY + timedelta(days=9))
    groups = {s.name: s for s in summary.segments if s.name.startswith("Site")}
    assert ["Site=north", "Site=south", "Site=west"] == list(groups)
    assert "Site" not in [column.column for column in summary.columns]
    assert groups["Site=west"].rows is None
    drifted = [c.column for c in groups["Site=south"].columns if c.drifted]
    if in_reference:
        assert "hypertension" in drifted
        assert [] == [c.column for c in groups["Site=north"].columns if c.drifted]
        measured = groups["Site=north"].performance
        assert measured is not None
        assert (True, ()) == (measured.has_enough_labels, measured.changed)
        assert None not in [figure.now for figure in measured.figures.values()]
        assert groups["Site=west"].performance is None
    else:
        assert groups["Site=south"].performance is None
        assert ([], 0) == (drifted, groups["Site=south"].reference_rows)


def test_pages_show_only_groups_and_no_small_one(world: World) -> None:
    frame = scored(1_000, seed=2)
    frame.loc[frame["bmi"].idxmax(), "bmi"] = 99.125  # somebody's own value
    version = publish_model(world.bucket, world.contract)
    log(world.bucket, records(frame, world.contract, version=version))
    summary = run(world)
    for name in summary.reports:
        stored = world.bucket.get(keys.report(summary.id, name))
        assert stored is not None
        page = stored.data.decode()
        data = "\n".join(line for line in page.split("\n") if line.startswith("    var "))
        assert "99.125" not in data
        assert "Index binned" not in data  # the axis of the line over rows
        counts = [
            float(y)
            for trace in re.findall(r'"visible": false, "x": \[[^]]*\], "y": \[([^]]*)\]', data)
            for y in trace.split(",")
        ]
        assert len(counts) > 2
        assert [] == [y for y in counts if 0 < y < SMALLEST_GROUP]


def test_a_drop_within_one_segment_is_a_performance_drop_with_its_own_sentence(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in keys.REPORTS:
        monkeypatch.setattr(reports, name, lambda **_: "a page")  # drawing takes a second each
    version = publish_model(world.bucket, world.contract)
    world.bucket.put(keys.card(version), make_card(version, metrics={"f1": 0.4}).to_json())
    frame = scored(4_000, seed=2)
    table = records(frame, world.contract, version=version)
    log(world.bucket, table)
    truth = frame["label"].to_numpy()
    # A third of the old people whom the model calls healthy are sick.
    missed = (frame["age"] >= 70) & ~frame["predicted"] & (np.arange(4_000) % 3 == 0)
    label(world, labelled(table, truth | missed.to_numpy()))
    summary = run(world)
    assert Outcome.PERFORMANCE_DROP is summary.outcome
    assert summary.performance is not None
    assert not summary.performance.dropped
    declined = [s.name for s in summary.declined_segments]
    assert ["age 70 and over"] == [name for name in declined if name.startswith("age")]
    sentence = next(s for s in summary.sentences if s.startswith("age 70 and over: "))
    assert re.search(
        r"by the labels of this window, recall fell from 0\.\d{3} on the reference to 0\.\d{3} "
        r"\(0\.\d{3} to 0\.\d{3}, q < 0\.0001\); .* \(limit 0\.05\)\.$",
        sentence,
    )
    assert Summary.from_json(summary.to_json()) == summary
    assert "For some people, the model performs worse" in wording.explanation(summary)
    world.run(days=28, scheduled=True, now=DAY + timedelta(days=9))
    (subject,) = world.channels.subjects
    assert "Performance drop" in subject
    assert "age 70 and over" in subject


def test_runs_that_were_written_before_segments_had_figures_are_still_read(world: World) -> None:
    version = publish_model(world.bucket, world.contract)
    log(world.bucket, records(scored(1_000, seed=2), world.contract, version=version))
    document = json.loads(run(world).to_json())
    for segment in document["segments"]:
        assert segment.pop("performance") is None
    found = Summary.from_json(json.dumps(document).encode())
    assert {None} == {segment.performance for segment in found.segments}
