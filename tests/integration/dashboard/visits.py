"""A browser's visits to the dashboard."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.hints import name_call
from ops.laptop import ROOT
from ops.target import Target
from tests.integration.dashboard.world import Stores

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route, ViewportSize

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PAGES = (
    "#/overview",
    "#/drift",
    "#/trends",
    "#/incidents",
    "#/predictions",
    "#/jobs",
    "#/models",
    "#/health",
)
PHONE: "ViewportSize" = {"width": 390, "height": 844}
DESKTOP: "ViewportSize" = {"width": 1280, "height": 900}
PATIENCE = 120_000
"""Milliseconds; a busy machine is no defect."""

Visit = Callable[..., "Page"]
"""``visit("#/drift")``: that page, loaded, in a tab of its own that has the key."""


@dataclass(frozen=True)
class Deployed:
    """The stacks on the emulator; `url` is the page's."""

    target: Target
    stores: Stores
    url: str
    key: str

    @property
    def operator(self) -> str:
        """How the operator's command line is called for it."""
        return name_call(self.target.folder)


def enter(page: "Page", deployed: Deployed, place: str, key: str | None) -> "Page":
    """Go to a place of the dashboard, or to a whole URL, and hand in the key, if any."""
    page.set_default_timeout(PATIENCE)
    page.goto(place if place.startswith("http") else deployed.url + place)
    if key is not None:
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Open").click()
        settle(page)
    return page


def go(page: "Page", place: str) -> None:
    """Load another page of the dashboard anew, in the same tab."""
    address = page.url.split("#")[0]
    page.goto("about:blank")
    page.goto(address + place)
    settle(page)


def settle(page: "Page") -> None:
    """Wait until nothing is being loaded."""
    from playwright.sync_api import expect

    page.locator("#main h1, #main .failure").first.wait_for()
    expect(page.locator(".waiting")).to_have_count(0, timeout=PATIENCE)


def hold(page: "Page", pattern: str) -> "list[Route]":
    """What the page asks there from now on waits in this list for an answer."""
    held: list[Route] = []

    def wait(route: "Route") -> None:
        held.append(route)

    page.route(pattern, wait)
    return held


def too_wide(page: "Page") -> list[str]:
    """Names of the tables of which a part is out of sight."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.scroll')]"
        ".filter((table) => table.scrollWidth > table.clientWidth).map((table) => table.ariaLabel)"
    )
    return found


def barriers(page: "Page") -> list[str]:
    """What axe-core calls serious or critical on the page as it is, and a page that overflows."""
    page.evaluate(AXE.read_text())
    result = page.evaluate("axe.run({iframes: false, resultTypes: ['violations']})")
    found = [
        f"{violation['id']}: {violation['nodes'][0]['html']}"
        for violation in result["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*found, f"{wide} px too wide"] if wide > 0 else found
