"""Sign-in in a browser: the hosted page, the roles' limits, an ended sign-in, and sign-out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from domain import keys
from domain.api.inspection import PredictionView
from domain.contract.records import PredictionRecord
from domain.erasure import hash_prediction
from tests.browser import chromium
from tests.integration.dashboard.visits import DESKTOP, PATIENCE, PHONE, barriers
from tests.integration.sign_in.people import OLD, PASSWORD, Pool

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


def _sign_in(page: "Page", mail: str, password: str = PASSWORD) -> None:
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Username").fill(mail)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_somebody_signs_in_goes_on_where_they_were_and_signs_out(pool: Pool, page: "Page") -> None:
    mail = "ada@example.org"
    pool.add(mail, "read")
    page.goto(f"{pool.page}#/models")
    page.get_by_role("button", name="Sign in", exact=True).wait_for()
    assert [] == barriers(page)
    _sign_in(page, mail)
    page.get_by_role("heading", name="Models").wait_for()
    assert f"{pool.page}#/models" == page.url  # no code is left in the address
    assert 0 == page.evaluate("localStorage.length")

    page.reload()
    page.get_by_role("heading", name="Models").wait_for()
    page.get_by_role("button", name=f"Sign out {mail}").click()
    page.get_by_role("button", name="Sign in", exact=True).wait_for()
    assert (pool.page, 0) == (page.url, page.evaluate("sessionStorage.length"))


def test_who_may_only_read_is_told_so_and_stays_signed_in(pool: Pool, page: "Page") -> None:
    pool.add("reader@example.org", "read")
    page.goto(f"{pool.page}#/drift")
    _sign_in(page, "reader@example.org")
    page.get_by_role("button", name="Run now").click()
    page.get_by_text("You lack the group operate").wait_for()
    assert page.get_by_role("button", name="Sign out reader@example.org").is_visible()


def test_an_ended_sign_in_asks_again_and_goes_on_there(pool: Pool, page: "Page") -> None:
    pool.add("late@example.org", "read")
    page.goto(f"{pool.page}#/drift")
    _sign_in(page, "late@example.org")
    page.get_by_role("heading", name="Drift").wait_for()
    ended = "Object.keys(sessionStorage).forEach((name) => (sessionStorage[name] = 'a.b.c'))"
    page.evaluate(ended)
    page.reload()
    page.get_by_text("Your sign-in has ended").wait_for()
    assert [] == barriers(page)
    _sign_in(page, "late@example.org")
    page.get_by_role("heading", name="Drift").wait_for()


@pytest.mark.usefixtures("serving")
def test_who_may_operate_rolls_back_after_a_question_and_who_reads_is_refused(
    pool: Pool, page: "Page"
) -> None:
    pool.add("operator@example.org", "operate")
    pool.add("onlooker@example.org", "read")
    for mail, said in (
        ("onlooker@example.org", "You lack the group operate"),
        ("operator@example.org", "The rollback has started"),
    ):
        page.goto(f"{pool.page}#/models")
        _sign_in(page, mail)
        page.get_by_role("button", name=f"Roll back to {OLD.version}").click()
        page.get_by_role("button", name=f"Yes, let {OLD.version} serve").click()
        page.locator("#main").get_by_text(said).wait_for()
        assert [] == barriers(page)
        page.get_by_role("button", name=f"Sign out {mail}").click()
        page.get_by_role("button", name="Sign in", exact=True).wait_for()


def test_a_code_that_this_tab_did_not_ask_for_is_not_taken(pool: Pool, page: "Page") -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{pool.page}?code=somebody-elses&state=x")
    page.get_by_text("This sign-in was begun elsewhere").wait_for()
    assert pool.page == page.url
    assert not [url for url in asked if "/oauth2/token" in url]


def test_the_invitation_leads_to_a_password_of_ones_own(pool: Pool, page: "Page") -> None:
    mail, temporary = "new@example.org", "Temporary-7-password"
    pool.idp.admin_create_user(
        UserPoolId=pool.id,
        Username=mail,
        TemporaryPassword=temporary,
        UserAttributes=[{"Name": "email", "Value": mail}],
    )
    page.goto(f"{pool.page}#/overview")
    _sign_in(page, mail, temporary)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.locator("input[name=confirm_password]").fill(PASSWORD)
    page.get_by_role("button").click()
    page.get_by_text("You lack the group read").wait_for()


def test_the_page_may_ask_nobody_but_the_api_and_the_pool(pool: Pool, page: "Page") -> None:
    answer = page.goto(pool.page)
    assert answer is not None
    policy = answer.headers["content-security-policy"].split("; ")
    assert f"connect-src 'self' {pool.endpoint}" in policy


def test_who_may_operate_labels_a_prediction_and_who_may_only_read_is_told(
    pool: Pool, page: "Page"
) -> None:
    described = {"Prediction": {"properties": {"diabetes": {"type": "boolean"}}}}
    document = {
        "components": {"schemas": {"Instance": {"properties": {}}, **described}},
        "paths": {},
    }
    page.route("**/openapi.json", lambda route: route.fulfill(json=document))  # no model serves
    for group, answer in (("operate", "Accepted"), ("read", "operate")):
        mail = f"labels-{group}@example.org"
        pool.add(mail, group)
        page.goto("about:blank")
        page.goto(f"{pool.page}#/predictions")
        _sign_in(page, mail)
        page.get_by_label("Prediction id").fill("0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10")
        page.get_by_label("diabetes", exact=True).select_option("yes")
        page.get_by_role("button", name="Send label").click()
        page.locator("form + [aria-live]").filter(has_text=answer).wait_for()
        assert [] == barriers(page)
        page.get_by_role("button", name=f"Sign out {mail}").click()
        page.get_by_role("button", name="Sign in", exact=True).wait_for()


def test_who_may_inspect_opens_and_prints_a_prediction_and_each_view_is_recorded(
    pool: Pool, page: "Page", logged: PredictionRecord
) -> None:
    mail, place = "auditor@example.org", f"{pool.page}#/predictions/{logged.prediction_id}"
    pool.add(mail, "inspect")
    page.goto(f"{pool.page}#/predictions")
    _sign_in(page, mail)
    page.get_by_role("link", name=logged.prediction_id).click()
    page.get_by_role("heading", name="Prediction", exact=True).wait_for()
    assert place == page.url
    told = page.locator("#main").inner_text()
    assert "This view is recorded with your address." in told
    assert f"{100 * logged.probability:.1f} %" in told
    assert logged.model_version in told
    assert "yes, observed" in told
    assert [] == barriers(page)
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    assert [] == barriers(page)
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.get_by_role("button", name="Print").is_visible()
    assert not page.locator(".bar").is_visible()
    assert "rgb(255, 255, 255)" == page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="screen")

    digest, reports = hash_prediction(logged.prediction_id), pool.target.bucket("reports")
    (listed,) = reports.list(f"{keys.PREDICTION_VIEWS}{digest}/")
    stored = reports.get(listed.key)
    assert stored is not None
    view = PredictionView.from_json(stored.data)
    assert (mail, logged.prediction_id) == (view.viewer, view.prediction)

    page.goto(place[:-1] + ("0" if place[-1] != "0" else "1"))
    page.get_by_text("No prediction in the log has this id").wait_for()
    assert [] == barriers(page)


def test_who_may_only_read_opens_no_prediction(
    pool: Pool, page: "Page", logged: PredictionRecord
) -> None:
    pool.add("looks@example.org", "read")
    page.goto(f"{pool.page}#/predictions")
    _sign_in(page, "looks@example.org")
    page.get_by_role("cell", name=logged.prediction_id).wait_for()
    assert 0 == page.get_by_role("link", name=logged.prediction_id).count()
    page.goto(f"{pool.page}#/predictions/{logged.prediction_id}")
    page.get_by_text("You lack the group inspect").wait_for()
