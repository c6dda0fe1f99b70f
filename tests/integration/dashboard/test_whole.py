"""What holds for the whole dashboard: requests, origins, barriers, the keyboard, its images."""

import gzip
import os
import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ops.laptop import ROOT
from tests.integration.dashboard.visits import (
    DESKTOP,
    PAGES,
    PHONE,
    Deployed,
    Visit,
    barriers,
    enter,
    go,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Request, ViewportSize

REQUESTS = 10
"""Of a first visit: each is a run of the function, and a new account may run ten at once."""

IMAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "overview": ("#/overview", {}),
    "overview-dark": ("#/overview", {"color_scheme": "dark"}),
    "phone": ("#/overview", {"viewport": PHONE}),
    "drift-run": ("#/drift/{run}", {}),
    "run-phone": ("#/drift/{run}", {"viewport": PHONE}),
}


def test_a_first_visit_needs_few_requests(
    browser: "Browser", deployed: Deployed, runs: list[str]
) -> None:
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    asked: list[str] = []
    open_now: set[Request] = set()
    most = 0

    def begin(request: "Request") -> None:
        nonlocal most
        if request.url.startswith("http"):  # the icon is in the page
            asked.append(request.url)
            open_now.add(request)
            most = max(most, len(open_now))

    def end(request: "Request") -> None:
        open_now.discard(request)

    page.on("request", begin)
    page.on("requestfinished", end)
    page.on("requestfailed", end)
    enter(page, deployed, "", deployed.key)
    context.close()
    assert len(set(asked)) == len(asked)
    assert len(asked) <= REQUESTS
    assert most <= REQUESTS


def test_only_the_reports_go_to_another_origin(
    visit: Visit, deployed: Deployed, runs: list[str]
) -> None:
    page = visit(PAGES[0])
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda m: refused.append(m.text) if "Content Security" in m.text else None)
    for place in (*PAGES, f"#/drift/{runs[1]}"):
        go(page, place)
    page.get_by_role("button", name="Data drift").click()
    page.frame_locator("iframe").locator("#told").wait_for()
    own = deployed.url.split("/restapis")[0]
    foreign = [url for url in asked if not url.startswith((own, "data:"))]
    assert [f"runs/{runs[1]}/data_drift.html"] == [
        url.split("?")[0][-len(f"runs/{runs[1]}/data_drift.html") :] for url in foreign
    ]
    assert [] == refused


def test_own_assets_are_small() -> None:
    sizes = [len(gzip.compress(path.read_bytes())) for path in (ROOT / "web").iterdir()]
    assert sum(sizes) <= 300 * 1024


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [("light", DESKTOP), ("light", PHONE), ("dark", PHONE)],
    ids=["desktop", "phone", "dark phone"],
)
def test_no_page_has_a_serious_barrier_or_overflows(
    visit: Visit, runs: list[str], scheme: str, viewport: "ViewportSize"
) -> None:
    page = visit(PAGES[0], viewport=viewport, color_scheme=scheme)
    found = {}
    for place in (*PAGES, f"#/drift/{runs[0]}", f"#/models/{runs[0].split('--')[2]}"):
        go(page, place)
        found[place] = barriers(page)
    assert {} == {place: what for place, what in found.items() if what}


def test_the_whole_way_works_by_keyboard(visit: Visit, deployed: Deployed, runs: list[str]) -> None:
    page = visit("#/drift", key=None)
    page.get_by_label("API key").wait_for()
    page.keyboard.type(deployed.key)  # the field has the focus
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Runs", exact=True).wait_for()
    page.locator(f"tbody a[href$='{runs[1]}']").first.press("Enter")
    page.get_by_role("button", name="Data drift").wait_for()
    assert "main" == page.evaluate("document.activeElement.id")
    page.get_by_role("button", name="Data drift").focus()
    page.keyboard.press("Enter")
    page.frame_locator("iframe").get_by_text("Drift report").wait_for()


@pytest.mark.parametrize("name", IMAGES)
def test_images(visit: Visit, runs: list[str], tmp_path: Path, name: str) -> None:
    """They are copied into the folder that DASHBOARD_IMAGES names, if any."""
    place, options = IMAGES[name]
    page = visit(place.format(run=runs[1]), **options)  # the newest run holds hostile text
    page.locator("#main h1").wait_for(state="attached")
    path = tmp_path / f"dashboard-{name}.png"
    page.screenshot(path=path)
    size: ViewportSize = options.get("viewport", DESKTOP)
    assert (size["width"], size["height"]) == struct.unpack(">II", path.read_bytes()[16:24])
    if "DASHBOARD_IMAGES" in os.environ:
        shutil.copy(path, os.environ["DASHBOARD_IMAGES"])
