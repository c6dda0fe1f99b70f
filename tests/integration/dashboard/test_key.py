"""The API key: asked for once, kept for the tab, forgotten when it is wrong."""

from typing import TYPE_CHECKING

from tests.integration.dashboard.visits import Deployed, Visit, barriers

if TYPE_CHECKING:
    from playwright.sync_api import Route


def test_a_wrong_key_is_told_forgotten_and_asked_again(visit: Visit, deployed: Deployed) -> None:
    page = visit("#/models", key=None)
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Open").click()
    page.get_by_text("This key was not accepted").wait_for()
    assert 0 == page.evaluate("sessionStorage.length")
    assert [] == barriers(page)
    page.get_by_label("API key").fill(deployed.key)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="Models").wait_for()


def test_the_key_stays_for_the_tab_until_it_is_forgotten(visit: Visit) -> None:
    page = visit("#/models")
    page.reload()
    page.get_by_role("heading", name="Models").wait_for()
    page.get_by_role("button", name="Forget key").click()
    page.get_by_label("API key").wait_for()
    assert page.get_by_role("button", name="Forget key").is_hidden()
    assert (0, 0) == (page.evaluate("sessionStorage.length"), page.evaluate("localStorage.length"))
    assert [] == barriers(page)


def test_the_form_names_the_command_of_the_deployments_own_operator(
    visit: Visit, deployed: Deployed
) -> None:
    page = visit("", key=None)
    assert f"{deployed.operator} open" in page.inner_text("#key-note")

    def on_an_account(route: "Route") -> None:
        text = route.fetch().text().replace(deployed.operator, "ops --stage dev")
        route.fulfill(body=text, content_type="text/html")

    page.route("**/_user_request_/", on_an_account)
    page.reload()
    page.get_by_label("API key").wait_for()
    assert "ops --stage dev open" in page.inner_text("#key-note")
