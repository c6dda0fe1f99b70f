"""Evidently's pages over a contract whose categories attack, as published, in a browser."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.drift.summary import Summary
from domain.errors import BadContract
from tests.browser import chromium
from tests.repository import ROOT
from tests.unit.monitoring import NOON, World, log, publish_model, records, scored
from tests.unit.monitoring_job.statistics.test_ground_truth import label, labelled

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CATEGORIES = (
    "</script><script>document.title='owned'</script>",
    "<!--<script>document.title='owned'",
    "]]><img src=x onerror=document.title='owned'>",
    "a\u2028document.title='owned'\u2029;",
    "<a href=\"javascript:document.title='owned'\">open</a>",
    "<b onmouseover=document.title='owned'>hover</b>",
    "{{constructor.constructor(\"document.title='owned'\")()}}",
    "${document.title='owned'}`;document.title='owned';`",
    "__proto__",
    "\"');document.title='owned';//\\",
    ".\u202edenwo\u202c <svg onload=document.title='owned'>",
    "x" * 100_000,
)
PAGES = {
    "data_drift": "Dataset Drift",
    "prediction_drift": "Prediction drift report",
    "target_drift": "Target drift report",
    "performance": "Performance report",
}


def test_a_name_of_a_column_is_an_identifier_so_that_only_categories_can_attack() -> None:
    contract = Contract.parse((ROOT / "contract.toml").read_text()).to_dict()
    for name in (*CATEGORIES[:8], *CATEGORIES[9:11]):
        contract["features"][0]["name"] = name
        with pytest.raises(BadContract):
            Contract.from_dict(contract)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with chromium() as browser:
        yield browser


def _frame(rows: int, *, seed: int, shift: int) -> pd.DataFrame:
    """Rows with every category, and `shift` times as many more of the first."""
    frame = scored(rows, seed=seed)
    places = np.arange(rows) % (len(CATEGORIES) + shift)
    places[places >= len(CATEGORIES)] = 0
    return frame.assign(smoking_history=[CATEGORIES[place] for place in places])


def _published(bucket: Bucket) -> Summary:
    """A drift run with labels over such rows, its four pages in the bucket."""
    document = Contract.parse((ROOT / "contract.toml").read_text()).to_dict()
    for feature in document["features"]:
        if feature["name"] == "smoking_history":
            feature["categories"] = list(CATEGORIES)
    contract = Contract.from_dict({**document, "segments": []})
    reference = _frame(1_000, seed=1, shift=0)
    world = World(bucket, contract)
    version = publish_model(bucket, contract, reference=reference)
    table = records(_frame(600, seed=2, shift=9), contract, version=version)
    log(bucket, table)
    label(world, labelled(table, scored(600, seed=2)["label"], observed=NOON))
    [summary] = world.run()
    return summary


def test_no_category_executes_anything_in_any_of_the_four_pages(
    bucket: Bucket, browser: "Browser"
) -> None:
    summary = _published(bucket)
    assert keys.REPORTS == summary.reports
    assert "smoking_history" in [column.column for column in summary.drifted]
    page = browser.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on("console", lambda m: wrong.append(m.text) if "Content Security" in m.text else None)
    for name, text in PAGES.items():
        key = keys.report(summary.id, name)
        stored = bucket.get(key)
        assert stored is not None
        assert len(stored.data) <= 5_000_000
        page.goto(bucket.presigned(key, seconds=300))
        page.get_by_text(text).first.wait_for()
        page.locator(".MuiCard-root").first.wait_for()
        if name == "data_drift":
            _look_at_every_category(page)
        assert "owned" not in page.title()
        assert 0 == page.locator("img, svg[onload], b[onmouseover], a[href^=javascript]").count()
        texts = [script.text_content() or "" for script in page.locator("script").all()]
        with_attack = [text for text in texts if "document.title='owned'" in text]
        assert len(with_attack) == (name == "data_drift")  # the data, as JSON
    assert [] == wrong
    assert len([url for url in asked if not url.startswith(("data:", "blob:"))]) == len(PAGES)
    page.close()


def _look_at_every_category(page: "Page") -> None:
    """Unfold the column's pictures, and point at everything in them."""
    button = page.get_by_role("button", name="Detail panel visibility toggle")
    page.locator("tr", has=button, has_text="smoking_history").get_by_role("button").click()
    picture = page.locator(".js-plotly-plot").first
    picture.wait_for()
    assert picture.evaluate("p => p.data[0].x.length") >= len(CATEGORIES) - 1
    box = picture.bounding_box()
    assert box is not None
    for step in range(1, 20):
        page.mouse.move(box["x"] + box["width"] * step / 20, box["y"] + box["height"] / 2)
