"""The page of predictions: the form, and the latest records of the log."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from domain.api.openapi import build_document
from domain.contract.context import Context
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.contract.feature import Feature
from tests.integration.dashboard.visits import PHONE, Deployed, Visit, barriers, hold, settle
from tests.integration.dashboard.world import ATTACK
from tests.repository import CONTRACT_TOML

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOG = "Latest predictions"


def _column(page: "Page", name: str) -> list[str]:
    table = page.get_by_role("region", name=LOG)
    heads = table.locator("thead th").all_inner_texts()
    return table.locator(f"tbody tr > :nth-child({heads.index(name) + 1})").all_inner_texts()


def test_a_row_is_scored_by_a_form_made_from_the_contract_and_explained(visit: Visit) -> None:
    page = visit("#/predictions")
    assert 8 == page.locator(".fields [name]").count()
    assert ATTACK in page.get_by_label("Smoking history").inner_text()
    page.get_by_label("Smoking history").select_option(label=ATTACK)
    page.get_by_label("Body mass index").fill("")
    page.get_by_role("button", name="Score").click()
    page.locator(".result").wait_for()
    assert re.fullmatch(r"\d+\.\d %", page.locator(".result .headline").inner_text().split("\n")[0])
    assert 8 == page.locator(".contributions li").count()
    assert "Body mass index" in page.locator(".contributions").inner_text()
    assert [] == barriers(page)


def test_a_context_is_filled_in_beside_the_features_and_sent_with_them(visit: Visit) -> None:
    described = DeployedContext(
        (Context(name="visit", role="reference"), Context(name="note", nullable=True))
    )
    document = build_document(described.add_to(Contract.parse(CONTRACT_TOML.read_text())))
    page = visit("#/overview")
    page.route("**/openapi.json", lambda route: route.fulfill(json=document))
    page.goto(page.url.replace("#/overview", "#/predictions"))
    page.get_by_label("visit").fill("4711")
    assert [] == barriers(page)
    with page.expect_request("**/predict?*") as sent:
        page.get_by_role("button", name="Score").click()
    body: dict[str, Any] = sent.value.post_data_json or {}
    assert {"visit": "4711", "note": None} == body["context"]
    assert 9 == len(body)


def test_of_many_features_the_answer_stays_in_sight_with_the_largest_contributions(
    visit: Visit,
) -> None:
    features = [
        Feature(name=f"value_{n:03}", kind="number", minimum=0, maximum=100) for n in range(100)
    ]
    document = build_document(Contract(features=tuple(features), target="diabetes"))
    answer = {
        "prediction_id": "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10",
        "probability": 0.4,
        "threshold": 0.3,
        "diabetes": True,
        "model_version": "1-0a1b2c3d",
        "explanation": {
            "expected": -1.0,
            "contributions": {feature.name: n / 100 for n, feature in enumerate(features)},
        },
    }
    page = visit("#/overview")
    page.route("**/openapi.json", lambda route: route.fulfill(json=document))
    page.route("**/predict?*", lambda route: route.fulfill(json=answer))
    page.goto(page.url.replace("#/overview", "#/predictions"))
    page.get_by_role("button", name="Score").click()  # the browser scrolls down to it
    headline = page.locator(".result .headline")
    headline.wait_for()
    seen = (
        "e => e.getBoundingClientRect().top >= 0 && e.getBoundingClientRect().bottom <= innerHeight"
    )
    assert headline.evaluate(seen)
    bars = page.locator(".contributions li").all_inner_texts()
    assert 20 == len(bars)
    assert bars[0].startswith("value_099")
    assert "81 others together" in bars[-1]
    assert "+32.40" in bars[-1]  # 0.00 + 0.01 + ... + 0.80
    assert [] == barriers(page)


def test_a_row_is_scored_on_a_phone(visit: Visit) -> None:
    page = visit("#/predictions", viewport=PHONE, has_touch=True)
    tab = page.locator("#nav a[aria-current]").bounding_box()
    assert tab is not None
    assert tab["x"] + tab["width"] <= PHONE["width"]  # the page's own name is in sight
    page.get_by_label("Age", exact=True).fill("61")
    page.get_by_role("button", name="Score").tap()
    page.locator(".result").wait_for()
    assert [] == barriers(page)


def test_a_refused_form_names_its_fields(visit: Visit) -> None:
    page = visit("#/predictions")
    problem = {
        "title": "Invalid",
        "status": 400,
        "detail": "1 field.",
        "errors": [{"pointer": "#/age", "detail": "must be a number from 0 to 120"}],
    }
    page.route("**/predict?*", lambda route: route.fulfill(status=400, json=problem))
    page.get_by_role("button", name="Score").click()
    page.get_by_role("alert").wait_for()
    assert "#/age must be a number from 0 to 120" in page.inner_text("[role=alert]")


def test_the_log_shows_no_feature(visit: Visit) -> None:
    page = visit("#/predictions")
    table = page.get_by_role("region", name=LOG)
    assert [
        "Time (UTC)",
        "Probability",
        "Answer",
        "Threshold",
        "Version",
        "Source",
        "Prediction id",
        "Reference",
    ] == table.locator("thead th").all_inner_texts()
    assert 100 == table.locator("tbody tr").count()


def test_the_log_filters_by_version(visit: Visit, deployed: Deployed) -> None:
    page = visit("#/predictions")
    champion = deployed.target.champion()
    assert champion is not None
    assert champion.previous is not None
    assert {champion.version} == set(_column(page, "Version"))
    page.locator("#version option").nth(1).wait_for(state="attached")
    page.get_by_label("Version", exact=True).select_option(champion.previous.version)
    page.get_by_role("button", name="Show").click()
    settle(page)
    assert [champion.previous.version] * 100 == _column(page, "Version")


def test_the_log_filters_by_day(visit: Visit) -> None:
    page = visit("#/predictions")
    day = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
    page.get_by_label("Day").fill(day)
    page.get_by_role("button", name="Show").click()
    settle(page)
    assert {day} == {time.split(" ")[0] for time in _column(page, "Time (UTC)")}
    page.get_by_label("Day").fill("2024-02-01")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("No prediction here").wait_for()


def test_an_older_question_is_dropped_when_a_newer_one_is_asked(visit: Visit) -> None:
    page = visit("#/predictions")
    hold(page, "**/predictions?day=2024-02-01")
    page.get_by_label("Day").fill("2024-02-01")
    with page.expect_request("**/predictions?day=2024-02-01"):
        page.get_by_role("button", name="Show").click()
    day = datetime.now(UTC).date().isoformat()
    page.get_by_label("Day").fill(day)
    with page.expect_event("requestfailed", lambda request: "2024-02-01" in request.url):
        page.get_by_role("button", name="Show").click()
    settle(page)
    assert {day} == {time.split(" ")[0] for time in _column(page, "Time (UTC)")}
