"""The page Jobs: what ran, with its verdict, by time, kind and outcome; and what waits."""

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain import times
from tests.integration.dashboard.visits import PHONE, Deployed, Visit, barriers
from tests.integration.dashboard.world import ATTACK

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

NOW = time.time_ns() // 1_000_000


def job(name: str, days: float, **further: Any) -> dict[str, Any]:
    """A training that was promoted, `days` ago, with changes."""
    started_at = NOW - int(days * times.DAY_MS)
    return {
        "name": name,
        "kind": "training",
        "status": "SUCCEEDED",
        "started_at": started_at,
        "ended_at": started_at + 95_000,
        "started_by": "arn:aws:iam::1:role/ada",
        "version": "7-0a1b2c3d",
        "promoted": True,
        "sentences": ["F1 gains 0.004 to 0.011 on the same rows."],
        **further,
    }


JOBS = [
    job("waiting", 0.1, status="RUNNING", ended_at=None, promoted=None, sentences=[]),
    job("scored", 2, kind="scoring", promoted=None, sentences=["1,200 rows: 100 positive."]),
    job("kept", 8, promoted=False, sentences=[f"Segment {ATTACK} surely loses 0.08."]),
    job("failed", 40, status="FAILED", promoted=None, version=None, sentences=["BadData: no."]),
]
WAITING = {
    "version": "8-0a1b2c3d",
    "expires_at": NOW + times.DAY_MS,
    "approve_command": "ops approve 8-0a1b2c3d",
}


def open_jobs(visit: Visit, **options: Any) -> "Page":
    page = visit("#/overview", **options)

    def answer(route: "Route") -> None:
        found = route.fetch().json()
        assert {"executions", "limit", "waiting"} == set(found)
        route.fulfill(json=found | {"executions": JOBS, "waiting": [WAITING]})

    page.route("**/executions", answer)
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.get_by_role("region", name="Jobs").wait_for()
    return page


def test_jobs_are_shown_by_time_kind_and_outcome_and_what_waits_comes_first(visit: Visit) -> None:
    page = open_jobs(visit)
    rows = page.get_by_role("region", name="Jobs").locator("tbody tr")
    outcomes = [text.split("\t")[2] for text in rows.all_inner_texts()]
    assert ["Running", "Done", "Kept out", "Failed"] == outcomes
    assert "ops approve 8-0a1b2c3d" in page.inner_text("#main")
    page.get_by_label("The last").select_option("30")
    assert 3 == rows.count()
    page.get_by_label("Job", exact=True).select_option("training")
    assert 2 == rows.count()
    page.get_by_label("Outcome").select_option("Kept out")
    (kept,) = rows.all_inner_texts()
    assert ATTACK in kept
    page.get_by_label("The last").select_option("7")
    page.get_by_text("No such job").wait_for()


def test_jobs_have_no_barrier_on_a_phone_in_the_dark(visit: Visit, tmp_path: Path) -> None:
    for suffix, options in (("", {}), ("-phone", {"viewport": PHONE, "color_scheme": "dark"})):
        page = open_jobs(visit, **options)
        assert [] == barriers(page)
        page.keyboard.press("Tab")
        path = tmp_path / f"dashboard-jobs{suffix}.png"
        page.screenshot(path=path, full_page=True)
        if "DASHBOARD_IMAGES" in os.environ:
            shutil.copy(path, os.environ["DASHBOARD_IMAGES"])


def test_an_execution_of_the_deployed_machine_is_listed(visit: Visit, deployed: Deployed) -> None:
    machine = deployed.target.deployment.state_machine_arn
    states = deployed.target.client("stepfunctions")
    started = states.start_execution(stateMachineArn=machine, input='{"check": true}')
    try:
        page = visit("#/jobs")
        row = page.get_by_role("region", name="Jobs").locator("tbody tr").first.inner_text()
    finally:
        states.stop_execution(executionArn=started["executionArn"])
    assert ["check", "Running"] == row.split("\t")[1:3]
