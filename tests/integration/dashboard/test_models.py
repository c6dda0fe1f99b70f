"""The ledger, the cards, two versions side by side."""

from typing import TYPE_CHECKING

from tests.integration.dashboard.visits import PAGES, Deployed, Visit, go
from tests.integration.dashboard.world import ATTACK

if TYPE_CHECKING:
    from playwright.sync_api import Route


def test_models_show_the_ledger_with_reasons_a_comparison_and_the_way_back(
    visit: Visit, deployed: Deployed
) -> None:
    page = visit("#/models")
    text = page.inner_text("#main")
    champion = deployed.target.champion()
    assert champion is not None
    assert champion.previous is not None
    assert "Asked for by an operator." in text
    assert "python -m ops rollback" in text
    assert f"python -m ops rollback {champion.previous.version}" in text
    rows = page.get_by_role("region", name="Test metrics of two versions").locator("tbody tr")
    assert 7 == rows.count()
    assert "+0.0030" in rows.first.inner_text()
    page.locator(f"#main a[href='#/models/{champion.version}']").first.click()
    page.get_by_text("On the test rows").wait_for()
    assert f"smoking_history={ATTACK}" in page.inner_text("#main")


def test_the_first_champion_has_no_way_back_but_to_a_version_that_was_kept_out(
    visit: Visit, deployed: Deployed
) -> None:
    page = visit("#/overview")
    champion = deployed.target.champion()
    assert champion is not None

    def first(route: "Route") -> None:
        found = route.fetch().json()
        route.fulfill(json={**found, "champion": {**found["champion"], "previous": None}})

    page.route("**/models", first)
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_text("The first champion is serving").wait_for()
    told = page.locator(".command code").all_inner_texts()
    assert [1] == [text.count("python -m ops rollback ") for text in told]
    assert champion.version not in told[0]


def test_markup_in_a_category_stays_text_on_every_page(visit: Visit, runs: list[str]) -> None:
    page = visit("#/models")
    assert ATTACK in page.inner_text("#main")
    for place in (*PAGES, f"#/drift/{runs[0]}"):
        go(page, place)
        assert 0 == page.locator("#main img, #main script").count()
        assert "owned" not in page.title()
