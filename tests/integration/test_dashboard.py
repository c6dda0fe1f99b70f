"""The dashboard in a browser, against the stacks as deployed to the emulator."""

import gzip
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from domain import keys
from domain.drift import EFFECT_THRESHOLD, Q_THRESHOLD
from domain.drift_request import RequestRecord
from domain.run_index import RunIndex
from ops.api import Api
from ops.deploy import deploy
from ops.laptop import ROOT, Laptop
from ops.processes import wait_until
from ops.target import Target
from tests.integration.dashboard_world import ATTACK, Stores, contract

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route, ViewportSize

CHROMIUM = Path("/usr/bin/chromium")
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WEB = ROOT / "web"
PAGES = ("#/overview", "#/drift", "#/predictions", "#/models")
PHONE: "ViewportSize" = {"width": 390, "height": 844}
DESKTOP: "ViewportSize" = {"width": 1280, "height": 900}
PATIENCE = 30_000
"""Milliseconds; a busy machine is no defect."""


@dataclass(frozen=True)
class Deployed:
    """The stacks on the emulator; `url` is the page's."""

    target: Target
    stores: Stores
    url: str
    key: str


@pytest.fixture(scope="module")
def deployed(own_emulator: Laptop) -> Deployed:
    deploy(own_emulator, os.environ, contract=None, mail_to=None)
    target = Target.on_laptop(own_emulator)
    buckets = (target.bucket(name) for name in ("models", "predictions", "reports"))
    return Deployed(target, Stores(*buckets), f"{target.deployment.api_url}/", target.api_key())


@pytest.fixture(scope="module")
def before_data(deployed: Deployed, browser: "Browser") -> dict[str, str]:
    """The text of each page while there is nothing at all."""
    return {place: _text(browser, deployed, place) for place in PAGES}


@pytest.fixture(scope="module")
def runs(deployed: Deployed, before_data: dict[str, str]) -> list[str]:
    """A year of runs and 100,000 predictions, seeded; the run ids, latest first."""
    text = (ROOT / "contract.toml").read_text()
    return deployed.stores.fill(
        contract(text), now=datetime.now(UTC), runs=365, predictions=100_000
    )


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(
    deployed: Deployed, runs: list[str], browser: "Browser"
) -> "Iterator[Callable[..., Page]]":
    """``visit("#/drift")``: that page, loaded, in a tab of its own that has the key."""
    contexts = []

    def open_page(place: str = "", *, key: str | None = deployed.key, **options: Any) -> "Page":
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        contexts.append(context)
        return _open(context.new_page(), deployed, place, key)

    yield open_page
    for context in contexts:
        context.close()


def _open(page: "Page", deployed: Deployed, place: str, key: str | None) -> "Page":
    page.set_default_timeout(PATIENCE)
    page.goto(deployed.url + place)
    if key is not None:
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Open").click()
        _settled(page)
    return page


def _go(page: "Page", place: str) -> None:
    """Load another page of the dashboard anew, in the same tab."""
    address = page.url.split("#")[0]
    page.goto("about:blank")
    page.goto(address + place)
    _settled(page)


def _settled(page: "Page") -> None:
    from playwright.sync_api import expect

    page.locator("#main h1, #main .failure").first.wait_for()
    expect(page.locator(".waiting")).to_have_count(0, timeout=PATIENCE)


def _text(browser: "Browser", deployed: Deployed, place: str) -> str:
    context = browser.new_context(viewport=DESKTOP)
    try:
        return _open(context.new_page(), deployed, place, deployed.key).inner_text("#main")
    finally:
        context.close()


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        ("#/overview", "python -m ops train"),
        ("#/overview", "Run now"),
        ("#/overview", "python -m ops simulate"),
        ("#/drift", "No drift run yet"),
        ("#/predictions", "No model"),
        ("#/predictions", "None in the last seven days"),
        ("#/models", "python -m ops train"),
    ],
)
def test_without_champion_runs_and_predictions_each_page_says_what_to_do(
    before_data: dict[str, str], place: str, hint: str
) -> None:
    assert hint in before_data[place]


def test_the_overview_shows_champion_intervals_traffic_incident_timeline_and_runs(
    visit: "Callable[..., Page]", deployed: Deployed
) -> None:
    page = visit("#/overview")
    champion = deployed.target.champion()
    assert champion is not None
    text = page.inner_text("#main")
    for shown in (champion.version, "0.806", "0.794 \u2013 0.817", "Open incident", "365 runs"):
        assert shown in text
    assert "99,990 predictions in 30 days" in text
    assert 365 == page.locator(".tick").count()
    assert 8 == page.get_by_role("region", name="Latest drift runs").locator("tbody tr").count()


def test_older_runs_come_page_by_page(visit: "Callable[..., Page]") -> None:
    page = visit("#/drift")
    rows = page.get_by_role("region", name="Drift runs").locator("tbody tr")
    assert 50 == rows.count()
    page.get_by_role("button", name="Older runs").click()
    rows.nth(99).wait_for()
    assert 100 == rows.count()


@pytest.mark.parametrize("name", ["Data drift", "Prediction drift", "Target drift", "Performance"])
def test_each_report_opens_in_a_frame_that_cant_reach_the_page(
    visit: "Callable[..., Page]", deployed: Deployed, runs: list[str], name: str
) -> None:
    page = visit(f"#/drift/{runs[0]}")
    page.get_by_role("button", name=name).click()
    told = page.frame_locator("iframe").locator("#told")
    told.wait_for()
    assert "no page, no key, no storage" == told.inner_text()
    assert "allow-scripts" == page.locator("iframe").get_attribute("sandbox")
    assert "owned" not in page.title()
    frame = page.frames[-1].url
    assert frame.startswith(f"http://127.0.0.1:{deployed.target.here('open').aws_port}/")
    assert "X-Amz-Signature" in frame


def test_a_run_shows_each_columns_effect_q_value_and_line_over_the_runs(
    visit: "Callable[..., Page]", runs: list[str]
) -> None:
    page = visit(f"#/drift/{runs[0]}")
    table = page.get_by_role("region", name="Columns compared")
    assert 9 == table.locator("tbody tr").count()
    first = table.locator("tbody tr").first
    assert "Drifted" in first.inner_text()
    assert "< 0.001" in first.inner_text()
    label = first.locator("svg[role=img]").get_attribute("aria-label") or ""
    assert label.startswith("20 runs, latest effect 0.")


def test_what_a_run_lacks_is_said_beside_its_buttons(
    visit: "Callable[..., Page]", runs: list[str]
) -> None:
    page = visit(f"#/drift/{runs[5]}")
    assert page.get_by_role("button", name="Target drift").is_disabled()
    assert "needs labels" in page.inner_text("#main")


@pytest.mark.parametrize("unit", ["days", "rows"])
def test_run_now_asks_for_the_window_and_leads_to_its_run(
    visit: "Callable[..., Page]", deployed: Deployed, runs: list[str], unit: str
) -> None:
    bucket = deployed.stores.reports
    before = {found.key for found in bucket.list(keys.REQUESTS)}
    page = visit("#/drift")
    page.get_by_label("Days or rows").select_option(unit)
    page.get_by_label("The last").fill("2")
    page.get_by_role("button", name="Run now").click()

    def asked() -> set[str]:
        return {found.key for found in bucket.list(keys.REQUESTS)} - before

    assert wait_until(lambda: bool(asked()), seconds=30)
    (key,) = asked()
    stored = bucket.get(key)
    assert stored is not None
    record = RequestRecord.from_json(stored.data)
    wanted = {"rows": {"last_rows"}, "days": {"start", "end"}}[unit]
    assert wanted == set(record.request)
    # What the drift function writes at its end; its own work is tested with it.
    done = {**json.loads(stored.data), "status": "done", "run_ids": [runs[1]]}
    bucket.put(key, json.dumps(done).encode())
    page.wait_for_url(re.compile(r"#/drift/\d{8}T\d{6}Z--\d{8}T\d{6}Z--"))
    _settled(page)
    assert "Columns" in page.inner_text("#main") or "Too few" in page.inner_text("#main")


def test_a_link_of_a_mail_lands_on_its_run_after_the_key(
    visit: "Callable[..., Page]", runs: list[str]
) -> None:
    page = visit(f"#/drift/{runs[7]}")
    assert page.url.endswith(f"#/drift/{runs[7]}")
    day = datetime.strptime(runs[7][:8], "%Y%m%d").date().isoformat()
    assert day == page.inner_text("h1")


def test_a_reports_link_of_a_mail_needs_no_key(
    visit: "Callable[..., Page]", deployed: Deployed, runs: list[str]
) -> None:
    api = Api(deployed.target.deployment.api_url, deployed.key)
    link = api.get(f"/monitoring/runs/{runs[0]}")[1]["links"]["data_drift"]
    page = visit(link.removeprefix("/"), key=None)
    assert "Drift report" == page.inner_text("h1")


def test_a_row_is_scored_by_a_form_made_from_the_contract_and_explained(
    visit: "Callable[..., Page]",
) -> None:
    page = visit("#/predictions")
    assert 8 == page.locator(".fields [name]").count()
    assert ATTACK in page.get_by_label("smoking_history").inner_text()
    page.get_by_label("smoking_history").select_option(label=ATTACK)
    page.get_by_label("bmi").fill("")
    page.get_by_role("button", name="Score").click()
    page.locator(".result").wait_for()
    assert re.fullmatch(r"\d+\.\d %", page.locator(".result .headline").inner_text().split("\n")[0])
    assert 8 == page.locator(".contributions li").count()


def test_the_log_shows_no_feature_and_filters_by_day_and_version(
    visit: "Callable[..., Page]",
) -> None:
    page = visit("#/predictions")
    table = page.get_by_role("region", name="Latest predictions")
    heads = table.locator("thead th").all_inner_texts()
    assert heads == [
        "Time (UTC)",
        "Probability",
        "Answer",
        "Threshold",
        "Version",
        "Source",
        "Prediction id",
    ]
    assert 100 == table.locator("tbody tr").count()
    other = page.locator("#version option").nth(1)
    other.wait_for(state="attached")
    page.get_by_label("Version", exact=True).select_option(index=1)
    page.get_by_label("Day").fill("2024-02-01")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("No prediction here").wait_for()


def test_models_show_the_ledger_with_reasons_a_comparison_and_the_way_back(
    visit: "Callable[..., Page]", deployed: Deployed
) -> None:
    page = visit("#/models")
    text = page.inner_text("#main")
    champion = deployed.target.champion()
    assert champion is not None
    assert champion.previous is not None
    assert "Asked for by an operator." in text
    assert "python -m ops rollback" in text
    assert f"python -m ops rollback {champion.previous.version}" in text
    rows = page.get_by_role("region", name="Test figures of two versions").locator("tbody tr")
    assert 7 == rows.count()
    assert "+0.0030" in rows.first.inner_text()
    page.locator(f"#main a[href='#/models/{champion.version}']").first.click()
    page.get_by_text("On the test rows").wait_for()
    assert f"smoking_history={ATTACK}" in page.inner_text("#main")


def test_markup_in_a_category_stays_text_on_every_page(
    visit: "Callable[..., Page]", runs: list[str]
) -> None:
    page = visit("#/models")
    assert ATTACK in page.inner_text("#main")
    for place in PAGES:
        _go(page, place)
        assert 0 == page.locator("#main img, #main script").count()
        assert "owned" not in page.title()


def test_a_wrong_key_is_told_forgotten_and_asked_again(
    visit: "Callable[..., Page]", deployed: Deployed
) -> None:
    page = visit("#/models", key=None)
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Open").click()
    page.get_by_text("This key was not accepted").wait_for()
    assert 0 == page.evaluate("sessionStorage.length")
    page.get_by_label("API key").fill(deployed.key)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="Models").wait_for()


def test_the_key_stays_for_the_tab_until_it_is_forgotten(visit: "Callable[..., Page]") -> None:
    page = visit("#/models")
    page.reload()
    page.get_by_role("heading", name="Models").wait_for()
    page.get_by_role("button", name="Forget key").click()
    page.get_by_label("API key").wait_for()
    assert (0, 0) == (page.evaluate("sessionStorage.length"), page.evaluate("localStorage.length"))


def test_a_failing_api_is_told_and_can_be_tried_again(visit: "Callable[..., Page]") -> None:
    page = visit("#/overview")
    problem = {"title": "Temporarily unavailable", "status": 503, "detail": "Send it again."}

    def fail(route: "Route") -> None:
        route.fulfill(status=503, content_type="application/problem+json", json=problem)

    page.route("**/models", fail)
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_text("Temporarily unavailable").wait_for()
    assert "Send it again." in page.inner_text("[role=alert]")
    page.unroute("**/models")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("heading", name="Models").wait_for()


def test_a_lost_connection_is_told(visit: "Callable[..., Page]") -> None:
    page = visit("#/overview")
    page.route("**/monitoring/runs", lambda route: route.abort())
    page.get_by_role("link", name="Drift", exact=True).click()
    page.get_by_text("The API can't be reached").wait_for()


def test_a_slow_query_holds_up_only_its_own_place(visit: "Callable[..., Page]") -> None:
    page = visit("#/models")
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    page.route("**/monitoring/traffic", hold)
    page.get_by_role("link", name="Overview").click()
    page.get_by_text("Drift timeline").wait_for()
    page.get_by_text("Loading predictions per day").wait_for()
    held[0].fulfill(status=503, content_type="text/html", body="<h1>Bad gateway</h1>")
    page.get_by_text("The API answered with an error").wait_for()
    assert "Latest runs" in page.inner_text("#main")


def test_a_refused_form_names_its_fields(visit: "Callable[..., Page]") -> None:
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


@pytest.mark.parametrize(
    ("scheme", "viewport"), [("light", DESKTOP), ("dark", PHONE)], ids=["desktop", "dark phone"]
)
def test_no_page_has_a_serious_barrier_or_overflows(
    visit: "Callable[..., Page]", runs: list[str], scheme: str, viewport: "ViewportSize"
) -> None:
    page = visit(PAGES[0], viewport=viewport, color_scheme=scheme)
    champion = runs[0].split("--")[2]
    found = {}
    for place in (*PAGES, f"#/drift/{runs[0]}", f"#/models/{champion}"):
        _go(page, place)
        page.evaluate(AXE.read_text())
        result = page.evaluate("axe.run({iframes: false, resultTypes: ['violations']})")
        for violation in result["violations"]:
            if violation["impact"] in ("serious", "critical"):
                found[f"{place} {violation['id']}"] = violation["nodes"][0]["html"]
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, place
    assert found == {}


def test_the_whole_way_works_by_keyboard(
    visit: "Callable[..., Page]", deployed: Deployed, runs: list[str]
) -> None:
    page = visit("#/drift", key=None)
    page.get_by_label("API key").wait_for()
    page.keyboard.type(deployed.key)  # the field has the focus
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Runs", exact=True).wait_for()
    # Not the first one: a run that somebody asked for may have come on top, without reports.
    page.locator(f"tbody a[href$='{runs[0]}']").first.press("Enter")
    page.get_by_role("button", name="Data drift").wait_for()
    assert "main" == page.evaluate("document.activeElement.id")
    page.get_by_role("button", name="Data drift").focus()
    page.keyboard.press("Enter")
    page.frame_locator("iframe").get_by_text("Drift report").wait_for()


def test_only_the_reports_go_to_another_origin(
    visit: "Callable[..., Page]", deployed: Deployed, runs: list[str]
) -> None:
    page = visit(PAGES[0])
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda m: refused.append(m.text) if "Content Security" in m.text else None)
    for place in (*PAGES, f"#/drift/{runs[0]}"):
        _go(page, place)
    page.get_by_role("button", name="Data drift").click()
    page.frame_locator("iframe").locator("#told").wait_for()
    own = deployed.url.split("/restapis")[0]
    foreign = [url for url in asked if not url.startswith(own)]
    assert [f"runs/{runs[0]}/data_drift.html"] == [
        url.split("?")[0][-len(f"runs/{runs[0]}/data_drift.html") :] for url in foreign
    ]
    assert [] == refused


def test_the_pages_threshold_is_the_domains() -> None:
    script = (WEB / "drift.js").read_text()
    assert f"const THRESHOLD = {EFFECT_THRESHOLD};" in script
    assert f"const Q_THRESHOLD = {Q_THRESHOLD};" in script


def test_own_assets_are_small() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in WEB.iterdir()}
    assert sum(sizes.values()) <= 300 * 1024


@pytest.mark.skipif(
    "DASHBOARD_IMAGES" not in os.environ, reason="set DASHBOARD_IMAGES=docs/images to draw them"
)
@pytest.mark.parametrize(
    ("name", "place", "options"),
    [
        ("overview", "#/overview", {}),
        ("overview-dark", "#/overview", {"color_scheme": "dark"}),
        ("phone", "#/overview", {"viewport": PHONE}),
        ("drift-run", "#/drift/latest", {}),
    ],
)
def test_images_for_the_readme(
    visit: "Callable[..., Page]", runs: list[str], name: str, place: str, options: dict[str, Any]
) -> None:
    folder = Path(os.environ["DASHBOARD_IMAGES"])
    folder.mkdir(parents=True, exist_ok=True)
    page = visit(place.replace("latest", runs[0]), **options)
    path = folder / f"dashboard-{name}.png"
    page.screenshot(path=path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_seeded_year_is_what_the_index_holds(deployed: Deployed, runs: list[str]) -> None:
    stored = deployed.stores.reports.get(keys.RUN_INDEX)
    assert stored is not None
    listed = {entry.run_id for entry in RunIndex.from_json(stored.data).entries}
    assert set(runs) <= listed
