"""The page of one drift run: verdict, columns, segments, performance, reports."""

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from domain.api.report_token import ReportSecret
from domain.drift.drift import EFFECT_THRESHOLD, Q_THRESHOLD
from monitoring_job.alerts.links import Links
from ops.laptop import ROOT
from tests.integration.dashboard.visits import PHONE, Deployed, Visit, barriers
from tests.integration.dashboard.world import ATTACK, INSUFFICIENT, NO_DATA

if TYPE_CHECKING:
    from playwright.sync_api import Page

ATTACKED = 1
"""The run whose reports try to reach the page."""


def _rows(page: "Page", table: str) -> list[str]:
    return page.get_by_role("region", name=table).locator("tbody tr").all_inner_texts()


def test_a_run_shows_each_columns_effect_q_value_and_line_over_the_runs(
    visit: Visit, runs: list[str]
) -> None:
    page = visit(f"#/drift/{runs[0]}")
    table = page.get_by_role("region", name="Columns compared")
    assert 10 == table.locator("tbody tr").count()  # eight features, probability, label
    first = table.locator("tbody tr").first
    assert "Drifted" in first.inner_text()
    assert "< 0.001" in first.inner_text()
    label = first.locator("svg[role=img]").get_attribute("aria-label") or ""
    assert label.startswith("18 runs, latest effect 0.")  # of twenty, two compared nothing
    assert "diabetes" in table.inner_text()


def test_a_run_says_each_finding_in_its_sentence(visit: Visit, runs: list[str]) -> None:
    page = visit(f"#/drift/{runs[0]}")
    assert [f"HbA1c_level: the mean rose {ATTACK}."] == page.locator(
        "ul.findings li"
    ).all_inner_texts()
    assert 0 == page.locator("#main img").count()


def test_a_run_shows_its_segments_worst_first_and_says_which_had_too_few_rows(
    visit: Visit, runs: list[str]
) -> None:
    page = visit(f"#/drift/{runs[0]}")
    worst, quiet, small = _rows(page, "Segments")
    assert worst.startswith(f"smoking_history={ATTACK}\tHbA1c_level\t")
    assert quiet.startswith("gender=Female\t\u2013\t")
    assert small.startswith("gender=Other\ttoo few rows\t")
    assert 0 == page.locator("#main img").count()


def test_a_run_shows_measured_performance_beside_the_test_rows_and_what_was_expected(
    visit: Visit, runs: list[str]
) -> None:
    page = visit(f"#/drift/{runs[0]}")
    text = page.inner_text("#main")
    measured = ("640", "21.3 %", "0.774", "0.741 \u2013 0.805", "test rows 0.806")
    for shown in (*measured, "0.781", "0.801"):
        assert shown in text


def test_a_run_shows_how_the_model_treats_each_segment(visit: Visit, runs: list[str]) -> None:
    page = visit(f"#/drift/{runs[0]}")
    table = page.get_by_role("region", name="Performance by segment")
    heads = table.locator("thead th").all_inner_texts()
    for name in (
        "Recall (true positive rate)",
        "False positive rate",
        "Relative calibration error",
    ):
        assert name in heads
    (row,) = table.locator("tbody tr").all_inner_texts()
    cells = dict(zip(heads, row.split("\t"), strict=True))
    assert ("gender=Female", "suppressed") == (cells["Segment"], cells["Labels"])
    recall = cells["Recall (true positive rate)"]
    for part in ("changed", "0.612", "0.551 \u2013 0.661", "reference 0.742"):
        assert part in recall
    assert "changed" not in cells["Precision"]


@pytest.mark.parametrize(
    ("back", "told"),
    [
        (NO_DATA, "No prediction in this window"),
        (INSUFFICIENT, "Too few predictions for a verdict"),
    ],
)
def test_a_run_without_a_verdict_says_why(
    visit: Visit, runs: list[str], back: int, told: str
) -> None:
    page = visit(f"#/drift/{runs[back - 1]}")
    assert told in page.inner_text("#main")
    assert 0 == page.get_by_role("region", name="Columns compared").count()


def test_what_a_run_lacks_is_said_beside_its_buttons(visit: Visit, runs: list[str]) -> None:
    page = visit(f"#/drift/{runs[5]}")
    assert page.get_by_role("button", name="Target drift").is_disabled()
    assert "needs labels" in page.inner_text("#main")


@pytest.mark.parametrize("name", ["Data drift", "Prediction drift"])
def test_a_report_opens_in_a_frame_that_cant_reach_the_page(
    visit: Visit, deployed: Deployed, runs: list[str], name: str
) -> None:
    page = visit(f"#/drift/{runs[ATTACKED]}")
    page.get_by_role("button", name=name).click()
    told = page.frame_locator("iframe").locator("#told")
    told.wait_for()
    assert "no page, no key, no storage" == told.inner_text()
    assert "allow-scripts" == page.locator("iframe").get_attribute("sandbox")
    assert "owned" not in page.title()
    frame = page.frames[-1].url
    assert frame.startswith(f"http://127.0.0.1:{deployed.target.require_laptop('open').aws_port}/")
    assert "X-Amz-Signature" in frame
    assert [] == barriers(page)


def test_on_a_phone_a_report_fits_and_what_is_touched_is_large_enough(
    visit: Visit, runs: list[str]
) -> None:
    page = visit(f"#/drift/{runs[ATTACKED]}", viewport=PHONE, has_touch=True)
    page.get_by_role("button", name="Data drift").tap()
    page.frame_locator("iframe").locator("#told").wait_for()
    frame = page.locator("iframe").bounding_box()
    assert frame is not None
    assert frame["x"] >= 0
    assert frame["x"] + frame["width"] <= PHONE["width"]
    assert frame["height"] < PHONE["height"]
    low = [
        f"{target.inner_text()}: {box['height']}"
        for target in page.locator("button:visible, select:visible, nav a:visible").all()
        if (box := target.bounding_box()) and box["height"] < 40
    ]
    assert [] == low
    assert [] == barriers(page)


def test_a_link_of_a_mail_lands_on_its_run_after_the_key(
    visit: Visit, deployed: Deployed, runs: list[str]
) -> None:
    links = Links(deployed.target.deployment.api_url, ReportSecret("o" * 40))
    page = visit(links.dashboard(runs[7]))
    day = datetime.strptime(runs[7][:8], "%Y%m%d").date().isoformat()
    assert day == page.inner_text("h1")


def test_a_reports_link_of_a_mail_needs_no_key(
    visit: Visit, deployed: Deployed, runs: list[str]
) -> None:
    secrets = deployed.target.client("secretsmanager")
    (secret,) = (s for s in secrets.list_secrets()["SecretList"] if "ReportSecret" in s["Name"])
    text = secrets.get_secret_value(SecretId=secret["ARN"])["SecretString"]
    links = Links(deployed.target.deployment.api_url, ReportSecret.from_json(text))
    page = visit(links.report(runs[ATTACKED], "data_drift"), key=None)
    assert "Drift report" == page.inner_text("h1")


def test_the_pages_thresholds_are_the_domains() -> None:
    script = (ROOT / "web" / "drift.js").read_text()
    assert f"const THRESHOLD = {EFFECT_THRESHOLD};" in script
    assert f"const Q_THRESHOLD = {Q_THRESHOLD};" in script


def test_each_column_is_drawn_in_reference_and_window_what_the_model_rests_on_first(
    visit: Visit, runs: list[str]
) -> None:
    page = visit(f"#/drift/{runs[0]}")
    names = page.get_by_role("region", name="Columns compared").locator("tbody th")
    assert ["HbA1c_level", "blood_glucose_level"] == sorted(names.all_inner_texts()[:2])
    assert "34 %" in page.get_by_role("region", name="Columns compared").inner_text()
    page.get_by_label("Order by").select_option("effect")
    figures = page.locator(".multiples figure")
    assert 10 == figures.count()  # eight features, the probability and the labels
    page.get_by_label("Show").select_option("drifted")
    assert 2 == figures.count()
    picture = figures.first.get_by_role("img")
    assert "reference and window in 7 groups" in (picture.get_attribute("aria-label") or "")
    figures.first.get_by_text("As a table").click()
    table = figures.first.get_by_role("region")
    assert "suppressed" in table.inner_text()  # the highest bin of the reference
    assert [] == barriers(page)
