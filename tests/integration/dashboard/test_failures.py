"""What a page says when the API fails, is slow or is not there."""

from typing import TYPE_CHECKING

from tests.integration.dashboard.visits import Visit, barriers, hold

if TYPE_CHECKING:
    from playwright.sync_api import Route

IMPATIENT = (
    "const timeout = AbortSignal.timeout.bind(AbortSignal);"
    "AbortSignal.timeout = (wanted) => timeout(location.hash === '#/drift' ? 300 : wanted);"
)
"""On one page a third of a second stands for the client's patience of 35 seconds."""


def test_a_failing_api_is_told_and_can_be_tried_again(visit: Visit) -> None:
    page = visit("#/overview")
    problem = {"title": "Temporarily unavailable", "status": 503, "detail": "Send it again."}

    def fail(route: "Route") -> None:
        route.fulfill(status=503, content_type="application/problem+json", json=problem)

    page.route("**/models", fail)
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_text("Temporarily unavailable").wait_for()
    assert "Send it again." in page.inner_text("[role=alert]")
    assert [] == barriers(page)
    page.unroute("**/models")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("heading", name="Models").wait_for()


def test_a_lost_connection_is_told(visit: Visit) -> None:
    page = visit("#/overview")
    page.route("**/monitoring/runs", lambda route: route.abort())
    page.get_by_role("link", name="Drift", exact=True).click()
    page.get_by_text("The API can't be reached").wait_for()


def test_an_answer_that_never_comes_is_given_up(visit: Visit) -> None:
    page = visit("#/overview", script=IMPATIENT)
    hold(page, "**/monitoring/runs")
    page.get_by_role("link", name="Drift", exact=True).click()
    page.get_by_text("The API did not answer in time").wait_for()


def test_a_part_of_the_page_that_doesnt_arrive_is_told_and_asked_for_again(visit: Visit) -> None:
    page = visit("#/overview")
    page.route("**/assets/models.js", lambda route: route.fulfill(status=503, body=""))
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_text("A part of the dashboard did not arrive").wait_for()
    page.unroute("**/assets/models.js")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("heading", name="Models").wait_for()


def test_a_slow_overview_says_that_it_is_being_loaded(visit: Visit) -> None:
    page = visit("#/models")
    held = hold(page, "**/monitoring/overview")
    page.get_by_role("link", name="Overview").click()
    page.get_by_text("Loading overview").wait_for()
    held[0].continue_()
    page.get_by_text("Drift timeline").wait_for()


def test_a_slow_query_holds_up_only_its_own_place(visit: Visit) -> None:
    page = visit("#/models")
    held = hold(page, "**/monitoring/traffic")
    page.get_by_role("link", name="Overview").click()
    page.get_by_text("Drift timeline").wait_for()
    page.get_by_text("Loading predictions per day").wait_for()
    held[0].fulfill(status=503, content_type="text/html", body="<h1>Bad gateway</h1>")
    page.get_by_text("The API answered with an error").wait_for()
    assert "Latest runs" in page.inner_text("#main")
