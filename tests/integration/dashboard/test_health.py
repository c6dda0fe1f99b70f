"""The page Health: which runs were due, and what the monitor depends on."""

from domain import keys
from domain.drift.run_index import RunIndex
from tests.integration.dashboard.visits import Deployed, Visit, barriers, go


def test_health_shows_when_runs_were_due_and_what_they_depend_on(visit: Visit) -> None:
    page = visit("#/health")
    daily = page.get_by_role("img", name="Daily drift run")
    assert "30 runs due, 0 missing" in (daily.get_attribute("aria-label") or "")
    page.get_by_label("Runs due in the last").select_option("14")
    assert "14 runs due" in (daily.get_attribute("aria-label") or "")
    page.get_by_text("As a table").first.click()
    page.get_by_role("link", name="open").first.wait_for()
    assert [] == barriers(page)
    text = page.inner_text("#main")
    assert "The monitor works" in text
    for name in ("Notifications", "Mails", "Retrain guard", "Ledger", "Fallback of labels"):
        assert name in text


def test_a_missing_run_is_on_the_overview_too_and_leads_to_the_command(
    visit: Visit, deployed: Deployed, runs: list[str]
) -> None:
    reports = deployed.stores.reports
    stored = reports.get(keys.RUN_INDEX)
    assert stored is not None
    index = RunIndex.from_json(stored.data)
    # The run of the last days is missing, however early it is today.
    kept = tuple(entry for entry in index.entries if entry.run_id not in runs[:2])
    reports.put(keys.RUN_INDEX, RunIndex(kept).to_json())
    try:
        page = visit("#/overview")
        page.get_by_role("link", name="Health of the monitor").click()
        page.get_by_role("heading", name="Health of the monitor").wait_for()
        assert f"{deployed.operator} drift --as-scheduled --day" in page.inner_text("#main")
        go(page, "#/health")
        assert [] == barriers(page)
    finally:
        reports.put(keys.RUN_INDEX, stored.data)
