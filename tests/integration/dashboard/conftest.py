"""The stacks on an emulator of their own, empty and then filled, and a browser."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ops.laptop import ROOT
from ops.local.deploy import deploy
from ops.target import Target
from tests.browser import chromium
from tests.integration.conftest import running
from tests.integration.dashboard.visits import DESKTOP, PAGES, Deployed, Visit, barriers, enter
from tests.integration.dashboard.world import Stores, contract

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="package")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with running(tmp_path_factory.mktemp("dashboard")) as laptop:
        deploy(laptop, os.environ, contract=None, mail_to=None)
        target = Target.on_laptop(laptop)
        buckets = (target.bucket(name) for name in ("models", "predictions", "reports"))
        url = f"{target.deployment.api_url}/"
        yield Deployed(target, Stores(*buckets), url, target.api_key())


@pytest.fixture(scope="package")
def browser() -> "Iterator[Browser]":
    with chromium() as browser:
        yield browser


@dataclass(frozen=True)
class Seen:
    """A page as it was: its text, and what bars somebody from it."""

    text: str
    barriers: list[str]


@pytest.fixture(scope="package")
def before_data(deployed: Deployed, browser: "Browser") -> dict[str, Seen]:
    """Each page while there is nothing at all."""

    def seen(place: str) -> Seen:
        context = browser.new_context(viewport=DESKTOP)
        try:
            page = enter(context.new_page(), deployed, place, deployed.key)
            return Seen(page.inner_text("#main"), barriers(page))
        finally:
            context.close()

    return {place: seen(place) for place in PAGES}


@pytest.fixture(scope="package")
def runs(deployed: Deployed, before_data: dict[str, Seen]) -> list[str]:
    """A year of runs and 100,000 predictions, seeded; the run ids, latest first."""
    text = (ROOT / "contract.toml").read_text()
    return deployed.stores.fill(
        contract(text), now=datetime.now(UTC), runs=365, predictions=100_000
    )


@pytest.fixture
def visit(deployed: Deployed, runs: list[str], browser: "Browser") -> Iterator[Visit]:
    contexts = []

    def open_page(
        place: str = "", *, key: str | None = deployed.key, script: str = "", **options: Any
    ) -> "Page":
        """`script` runs before the page's own; `options` are the browser context's."""
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        contexts.append(context)
        if script:
            context.add_init_script(script)
        return enter(context.new_page(), deployed, place, key)

    yield open_page
    for context in contexts:
        context.close()
