"""The overview, and every page while there is nothing to show."""

import re
from typing import TYPE_CHECKING

import pytest

from domain import keys
from domain.drift.run_index import RunIndex
from tests.integration.dashboard.conftest import Seen
from tests.integration.dashboard.visits import PAGES, Deployed, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Route


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        ("#/overview", "{operator} train"),
        ("#/overview", "Run now"),
        ("#/overview", "{operator} simulate"),
        ("#/drift", "No drift run yet"),
        ("#/drift", "{operator} simulate"),
        ("#/trends", "{operator} simulate"),
        ("#/incidents", "No incident yet"),
        ("#/predictions", "No model"),
        ("#/predictions", "None in the last seven days"),
        ("#/jobs", "{operator} train"),
        ("#/models", "{operator} train"),
        ("#/health", "No run has been due yet"),
    ],
)
def test_without_champion_runs_and_predictions_each_page_says_what_to_do(
    before_data: dict[str, Seen], deployed: Deployed, place: str, hint: str
) -> None:
    assert hint.format(operator=deployed.operator) in before_data[place].text


@pytest.mark.parametrize("place", PAGES)
def test_no_empty_page_has_a_serious_barrier(before_data: dict[str, Seen], place: str) -> None:
    assert [] == before_data[place].barriers


def test_the_overview_shows_champion_intervals_traffic_incident_timeline_and_runs(
    visit: Visit, deployed: Deployed
) -> None:
    page = visit("#/overview")
    champion = deployed.target.champion()
    assert champion is not None
    text = page.inner_text("#main")
    for shown in (champion.version, "0.806", "0.794 \u2013 0.817", "Open incident", "366 runs"):
        assert shown in text
    total = re.search(r"([\d,]+) predictions in 30 days", text)
    assert total is not None
    assert int(total[1].replace(",", "")) in range(100_000, 100_020)  # and those of other tests
    assert 366 == page.locator(".tick").count()
    assert 8 == page.get_by_role("region", name="Latest drift runs").locator("tbody tr").count()


def test_the_banner_leads_to_the_run_that_opened_the_incident_and_says_what_the_guard_did(
    visit: Visit, deployed: Deployed, runs: list[str]
) -> None:
    page = visit("#/overview")
    stored = deployed.stores.reports.get(keys.RUN_INDEX)
    assert stored is not None
    opening = RunIndex.from_json(stored.data).entries[2]
    text = page.inner_text("#main")
    assert "It started nothing. There is no data newer than the last successful training:" in text
    guard = page.get_by_role("link", name="The run it decided about").get_attribute("href")
    assert f"#/drift/{opening.run_id}" == guard
    link = page.get_by_role("link", name="The run that opened it")
    assert f"#/drift/{opening.run_id}" == link.get_attribute("href")


def test_an_incident_that_cant_be_read_is_said_to_be_unknown(visit: Visit) -> None:
    page = visit("#/models")
    problem = "Whether an incident is open can't be read."

    def damaged(route: "Route") -> None:
        route.fulfill(json={**route.fetch().json(), "incident": None, "problems": [problem]})

    page.route("**/monitoring/overview", damaged)
    page.get_by_role("link", name="Overview").click()
    page.get_by_text(problem).wait_for()
    assert "All quiet" not in page.inner_text("#main")


def test_the_seeded_year_and_a_weekly_run_are_what_the_index_holds(
    deployed: Deployed, runs: list[str]
) -> None:
    stored = deployed.stores.reports.get(keys.RUN_INDEX)
    assert stored is not None
    held = [entry.run_id for entry in RunIndex.from_json(stored.data).entries]
    (weekly,) = set(held) - set(runs)
    assert runs == [run_id for run_id in held if run_id != weekly]


def test_one_of_a_thing_is_not_several(visit: Visit) -> None:
    found = visit("#/overview").evaluate(
        "async () => { const {amount} = await import('./assets/format.js');"
        " return [amount(1, 'run'), amount(1200, 'run'), amount(2, 'entry', 'entries')]; }"
    )
    assert ["1 run", "1,200 runs", "2 entries"] == found
