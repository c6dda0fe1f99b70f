"""The ledger, the cards, two versions side by side."""

from typing import TYPE_CHECKING

from tests.integration.dashboard.visits import PAGES, Deployed, Visit, go, too_wide
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
    # The gate's own words about these two.
    assert f"The gate compared {champion.previous.version} with the other" in text
    assert 2 == text.count("F1 gains 0.004 to 0.011 on the same rows.")
    assert "[object" not in text
    assert f"{deployed.operator} rollback {champion.previous.version}" in text
    rows = page.get_by_role("region", name="Test metrics of two versions").locator("tbody tr")
    assert 7 == rows.count()
    # The intervals overlap, so nothing is better, as in the gate.
    assert "\N{MINUS SIGN}0.0030" in rows.first.inner_text()
    assert "no proven difference" in rows.first.inner_text()
    assert {"no proven difference"} == {text.split("\t")[-1] for text in rows.all_inner_texts()}
    page.locator(f"#main a[href='#/models/{champion.version}']").first.click()
    page.get_by_text("On the test rows").wait_for()
    assert f"smoking_history={ATTACK}" in page.inner_text("#main")


def test_figures_are_better_or_worse_only_where_their_intervals_are_apart(visit: Visit) -> None:
    page = visit("#/overview")

    def apart(route: "Route") -> None:
        found = route.fetch().json()
        if "metrics" not in found:
            route.fulfill(json=found)
            return
        step = 0.1 * int(found["version"].partition("-")[0])
        metrics = {"f1": 0.4 + step, "relative_calibration_error": 0.1 + step, "recall": 0.7}
        other = {"calibration_error": 0.02} if step < 0.15 else {}  # of an older training
        bounds = {name: [value - 0.01, value + 0.01] for name, value in metrics.items()}
        route.fulfill(json={**found, "metrics": metrics | other, "intervals": bounds})

    page.route("**/models/*", apart)
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("region", name="Test metrics of two versions").wait_for()
    first, second = (
        int(page.locator(f"#{side}").input_value().partition("-")[0]) for side in ("left", "right")
    )
    better, worse = ("better", "worse") if second > first else ("worse", "better")
    rows = page.get_by_role("region", name="Test metrics of two versions").locator("tbody tr")
    told = {text.split("\t")[0]: text.split("\t")[-1] for text in rows.all_inner_texts()}
    expected = {
        "F1": better,
        "Recall": "no proven difference",
        "Relative calibration error": worse,
    }
    assert expected == {name: told[name] for name in expected}
    assert "" == told.get("Expected calibration error", "")


def test_a_change_is_new_minus_old_also_after_a_rollback(visit: Visit, deployed: Deployed) -> None:
    champion = deployed.target.champion()
    assert champion is not None
    assert champion.previous is not None
    old, new = champion.version, champion.previous.version
    assert int(old.partition("-")[0]) < int(new.partition("-")[0])
    page = visit("#/models")
    table = page.get_by_role("region", name="Test metrics of two versions")
    left, right = page.locator("#left"), page.locator("#right")
    assert (old, new) == (left.input_value(), right.input_value())
    left.select_option(new)
    table.get_by_text("+0.0000").first.wait_for()  # a version with itself
    right.select_option(old)
    table.get_by_text("\N{MINUS SIGN}0.0030").first.wait_for()
    assert ["Metric", old, new, "Change"] == table.locator("thead th").all_inner_texts()[:4]


def test_a_card_names_the_figures_of_each_segment_and_suppresses_small_ones(
    visit: Visit, deployed: Deployed
) -> None:
    champion = deployed.target.champion()
    assert champion is not None
    page = visit(f"#/models/{champion.version}")
    table = page.get_by_role("region", name="Segments")
    assert "Relative calibration error" in table.inner_text()
    rows = {text.split("\t")[0]: text for text in table.locator("tbody tr").all_inner_texts()}
    assert "9,100" in rows["gender=Female"]
    assert "0.600 \u2013 0.770" in rows["gender=Female"]
    # Whoever knows the test rows could subtract the men from them.
    assert "5,896" not in rows["gender=Male"]
    assert "0.690" in rows["gender=Male"]
    assert ["suppressed", "suppressed"] == rows["gender=Other"].split("\t")[1:3]
    assert "0.690" not in rows["gender=Other"]


def test_all_figures_of_the_segments_are_in_sight_on_a_small_laptop(
    visit: Visit, deployed: Deployed, runs: list[str]
) -> None:
    champion = deployed.target.champion()
    assert champion is not None
    page = visit(f"#/models/{champion.version}")
    (female,) = page.locator("tbody tr").filter(has_text="gender=Female").all()
    assert 6 == female.locator(".interval").count()
    assert [] == too_wide(page)
    go(page, f"#/drift/{runs[0]}")
    assert "Performance by segment" not in too_wide(page)


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
    commands = page.locator(".command code").all_inner_texts()
    assert [1] == [text.count(f"{deployed.operator} rollback ") for text in commands]
    assert champion.version not in commands[0]


def test_markup_in_a_category_stays_text_on_every_page(visit: Visit, runs: list[str]) -> None:
    page = visit("#/models")
    assert ATTACK in page.inner_text("#main")
    for place in (*PAGES, f"#/drift/{runs[0]}"):
        go(page, place)
        assert 0 == page.locator("#main img, #main script").count()
        assert "owned" not in page.title()


def test_a_card_draws_its_curves_and_what_the_answers_rest_on(
    visit: Visit, runs: list[str]
) -> None:
    page = visit(f"#/models/{runs[0].split('--')[2]}")
    for name in ("ROC curve, area 0.978.", "Calibration in 5 groups of equal size."):
        page.get_by_role("img", name=name).wait_for()
    assert "34.2 %" in page.locator(".contributions").inner_text()
    page.get_by_text("As a table").first.click()
    assert 7 == page.get_by_role("region", name="ROC curve").locator("tbody tr").count()
