"""The list of drift runs, and Run now: once through the whole deployment, then each way it ends."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from domain import keys
from domain.drift.drift_request import RequestRecord
from domain.drift.run_index import RunIndex
from tests.integration.dashboard.visits import Deployed, Visit, hold, settle

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Route

ID = "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10"
RUN_SECONDS = 300
"""A real run starts Evidently on a machine that may be busy."""


def test_older_runs_come_page_by_page_and_each_page_once(visit: Visit) -> None:
    page = visit("#/drift")
    rows = page.get_by_role("region", name="Drift runs").locator("tbody tr")
    assert 50 == rows.count()
    held = hold(page, "**/monitoring/runs?cursor=*")
    older = page.get_by_role("button", name="Older runs")
    with page.expect_request("**/monitoring/runs?cursor=*"):
        older.click()
    assert older.is_disabled()
    held[0].continue_()
    rows.nth(99).wait_for()
    assert 100 == rows.count()
    assert 100 == len(set(rows.locator("th").all_inner_texts()))


def test_older_runs_that_dont_come_can_be_asked_for_again(visit: Visit) -> None:
    page = visit("#/drift")
    page.route("**/monitoring/runs?cursor=*", lambda route: route.abort())
    page.get_by_role("button", name="Older runs").click()
    page.get_by_text("The API can't be reached").wait_for()
    page.unroute("**/monitoring/runs?cursor=*")
    page.get_by_role("button", name="Older runs").click()
    page.get_by_role("region", name="Drift runs").locator("tbody tr").nth(99).wait_for()
    assert 0 == page.get_by_role("alert").count()


@dataclass(frozen=True)
class Ran:
    """A run that somebody asked for: its id, what was asked, and the page it led to."""

    run_id: str
    record: RequestRecord
    page: "Page"


@pytest.fixture(scope="module")
def index(deployed: Deployed, runs: list[str]) -> Iterator[None]:
    """The index of runs, put back afterwards: the other pages show the seeded year."""
    reports = deployed.stores.reports
    stored = reports.get(keys.RUN_INDEX)
    assert stored is not None
    yield
    reports.put(keys.RUN_INDEX, stored.data)


def _ask(page: "Page", size: int, unit: str) -> None:
    page.get_by_label("Days or rows").select_option(unit)
    page.get_by_label("The last").fill(str(size))
    page.get_by_role("button", name="Run now").click()


@pytest.fixture
def ran(visit: Visit, deployed: Deployed, index: None) -> Ran:
    """The last 2,000 predictions, through bus, drift function and Evidently."""
    page = visit("#/drift")
    with page.expect_response("**/monitoring/runs") as asked:
        _ask(page, 2000, "rows")
    place = re.compile(r"#/drift/(\d{8}T\d{6}Z--\d{8}T\d{6}Z--.*)")
    page.wait_for_url(place, timeout=1000 * RUN_SECONDS)
    settle(page)
    stored = deployed.stores.reports.get(keys.request(asked.value.json()["id"]))
    assert stored is not None
    found = place.search(page.url)
    assert found is not None
    return Ran(found[1], RequestRecord.from_json(stored.data), page)


def test_run_now_leads_through_the_deployed_function_to_its_run_and_four_reports(
    ran: Ran, deployed: Deployed
) -> None:
    assert ("done", (ran.run_id,)) == (ran.record.status, ran.record.run_ids)
    assert {"last_rows": 2000} == dict(ran.record.request)
    stored = deployed.stores.reports.get(keys.RUN_INDEX)
    assert stored is not None
    (entry,) = (e for e in RunIndex.from_json(stored.data).entries if e.run_id == ran.run_id)
    assert (2000, keys.REPORTS) == (entry.rows, entry.reports)
    page = ran.page
    assert 10 == page.get_by_role("region", name="Columns compared").locator("tbody tr").count()
    text = page.inner_text("#main")
    assert "on demand" in text
    assert "Measured on" in text
    for name in ("Data drift", "Prediction drift", "Target drift", "Performance"):
        page.get_by_role("button", name=name, exact=True).click()
        # Evidently's own drawing, in an origin of its own and without storage.
        page.frame_locator("iframe").locator(".MuiCard-root").first.wait_for()
        assert "owned" not in page.title() + page.frames[-1].title()
    page.get_by_role("button", name="Data drift", exact=True).click()
    page.frame_locator("iframe").locator(".MuiCard-root").first.wait_for()
    assert "u003cimg src=x" in page.frames[-1].content()  # the hostile category, escaped
    reached = "() => { try { return localStorage.length } catch { return 'refused' } }"
    assert "refused" == page.frames[-1].evaluate(reached)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open in a tab of its own").click()
    opened.value.locator(".MuiCard-root").first.wait_for()
    held = "() => JSON.stringify({...localStorage, ...sessionStorage})"
    assert deployed.key in page.evaluate(held)
    assert deployed.key not in opened.value.evaluate(held)


@dataclass
class Desk:
    """Answers a page's run-now in place of the API: one record after another, the last for good.

    None is a lost connection.
    """

    page: "Page"
    records: Sequence[dict[str, Any] | None]
    asked: list[Any] = field(default_factory=list)
    answered: int = 0

    def __post_init__(self) -> None:
        self.page.route("**/monitoring/runs", self._ask)
        self.page.route(f"**/monitoring/requests/{ID}", self._tell)
        self.page.clock.install()

    def _ask(self, route: "Route") -> None:
        self.asked.append(route.request.post_data_json)
        route.fulfill(status=202, json=_record("pending"))

    def _tell(self, route: "Route") -> None:
        record = self.records[min(self.answered, len(self.records) - 1)]
        self.answered += 1
        if record is None:
            route.abort()
        else:
            route.fulfill(json=record)

    def look(self, times: int) -> None:
        """Let the page's pauses pass, so many times."""
        for _ in range(times):
            with (
                self.page.expect_event("requestfinished", _is_look)
                if self._comes()
                else (self.page.expect_event("requestfailed", _is_look))
            ):
                self.page.clock.fast_forward(2_000)

    def _comes(self) -> bool:
        return self.records[min(self.answered, len(self.records) - 1)] is not None


def _is_look(request: "Request") -> bool:
    return request.url.endswith(ID)


def _record(status: str, *run_ids: str, problem: str | None = None) -> dict[str, Any]:
    return {"id": ID, "status": status, "run_ids": run_ids, "problem": problem, "request": {}}


def test_a_window_of_days_ends_now(visit: Visit) -> None:
    page = visit("#/drift")
    desk = Desk(page, [_record("pending")])
    _ask(page, 3, "days")
    desk.look(1)
    (window,) = desk.asked
    assert {"start", "end"} == set(window)
    days = page.evaluate("({start, end}) => (new Date(end) - new Date(start)) / 86400000", window)
    assert 3 == days


def test_a_run_of_several_versions_lists_them(visit: Visit, runs: list[str]) -> None:
    page = visit("#/drift")
    desk = Desk(page, [_record("running"), _record("done", runs[0], runs[1])])
    _ask(page, 1000, "rows")
    desk.look(2)
    page.get_by_text("one run per model version").wait_for()
    links = page.locator(".live-result a")
    assert [f"#/drift/{run}" for run in runs[:2]] == [
        link.get_attribute("href") for link in links.all()
    ]


def test_a_run_of_nothing_says_so(visit: Visit) -> None:
    page = visit("#/drift")
    desk = Desk(page, [_record("done")])
    _ask(page, 1000, "rows")
    desk.look(1)
    page.get_by_text("The window holds no prediction").wait_for()


def test_a_failed_run_is_told_and_can_be_looked_at_again(visit: Visit, runs: list[str]) -> None:
    page = visit("#/drift")
    problem = "The run failed (OSError); the function's log says where."
    desk = Desk(page, [_record("failed", problem=problem), _record("done", runs[0])])
    _ask(page, 1000, "rows")
    desk.look(1)
    page.get_by_role("alert").wait_for()
    assert problem in page.inner_text("[role=alert]")
    page.get_by_role("button", name="Look again").click()
    page.wait_for_url(f"**{runs[0]}")
    assert 1 == len(desk.asked)


def test_a_few_lost_answers_are_no_failure(visit: Visit, runs: list[str]) -> None:
    page = visit("#/drift")
    desk = Desk(page, [None, None, None, None, _record("done", runs[0])])
    _ask(page, 1000, "rows")
    desk.look(5)
    page.wait_for_url(f"**{runs[0]}")
    assert 5 == desk.answered


def test_a_connection_that_stays_lost_is_told(visit: Visit) -> None:
    page = visit("#/drift")
    desk = Desk(page, [None])
    _ask(page, 1000, "rows")
    desk.look(5)
    page.get_by_text("The API can't be reached").wait_for()
    assert page.get_by_role("button", name="Run now").is_enabled()


def test_a_run_that_never_ends_is_given_up_after_a_quarter_of_an_hour(visit: Visit) -> None:
    page = visit("#/drift")
    desk = Desk(page, [_record("running")])
    _ask(page, 1000, "rows")
    desk.look(1)
    with page.expect_event("requestfinished", _is_look):
        page.clock.fast_forward(16 * 60_000)
    page.get_by_text("The run did not finish").wait_for()
