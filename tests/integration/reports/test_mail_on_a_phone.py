"""The mail about drift as a phone of 360 by 740 pixels shows it."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.mail import Message
from domain.drift.drift import Outcome
from domain.drift.incident import Transition
from domain.drift.summary import SegmentDrift, Summary
from monitoring_job.alerts.links import Links
from monitoring_job.alerts.mails import CHANGES, RUNS, Section, compose
from tests.browser import chromium
from tests.unit.monitoring import SECRET, drift_summary

if TYPE_CHECKING:
    from playwright.sync_api import Page

PHONE = {"width": 360, "height": 740}
LINKS = Links("https://abcdefghij.execute-api.eu-central-1.amazonaws.com/v1", SECRET)
REPORTS = ("data_drift", "prediction_drift", "target_drift", "performance")


def _worst() -> Summary:
    """Everything has drifted, in every segment, and the contract has endless names."""
    names = [f"column_{number}" for number in range(20)]
    run = drift_summary(Outcome.PERFORMANCE_DROP, *names, "probability")
    findings = (Outcome.DATA_DRIFT, Outcome.PREDICTION_DRIFT, Outcome.PERFORMANCE_DROP)
    segments = tuple(
        SegmentDrift(
            name=f"group={'<b>&' * 25_000}{number}",
            rows=500,
            reference_rows=500,
            columns=run.columns,
        )
        for number in range(12)
    )
    return replace(run, findings=findings, segments=segments, reports=REPORTS)


def _mail(summary: Summary, *, versions: int = 1) -> Message:
    links = {name: LINKS.report(summary.run_id, name) for name in REPORTS}
    section = Section(summary, links, LINKS.dashboard(summary.run_id))
    return compose(
        target="diabetes",
        stage="dev",
        command="ops --stage dev",
        transition=Transition.OPEN,
        sections=[section] * versions,
    )


MAILS = {
    "of one column": _mail(drift_summary(Outcome.DATA_DRIFT, "age")),
    "of everything": _mail(_worst()),
    "of segments with endless names": _mail(replace(_worst(), columns=())),
    "of ten versions": _mail(_worst(), versions=10),
}


@pytest.fixture(scope="module")
def phone() -> "Iterator[Page]":
    with chromium() as browser:
        yield browser.new_page(viewport=PHONE, is_mobile=True, has_touch=True)  # type: ignore[arg-type]  # a size


@pytest.mark.parametrize("kind", MAILS)
def test_it_reads_well(phone: "Page", kind: str) -> None:
    phone.set_content(MAILS[kind].html)
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    smallest = phone.evaluate(
        "Math.min(...[...document.querySelectorAll('body *')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert smallest >= 14
    verdict = phone.locator("h1").first.bounding_box()
    boxes = [link.bounding_box() for link in phone.get_by_role("link").all()]
    links = [box for box in boxes if box]
    assert verdict
    assert verdict["y"] < links[0]["y"]
    assert links[0]["y"] + links[0]["height"] <= PHONE["height"]
    assert min(box["height"] for box in links) >= 44
    tops = [box["y"] for box in links]
    assert min(after - before for before, after in itertools.pairwise(tops)) >= 44


@pytest.mark.parametrize("kind", MAILS)
def test_its_size_is_bounded(kind: str) -> None:
    mail = MAILS[kind]
    assert len(mail.html.encode()) <= 100_000  # beyond 102 KB some mail programs cut
    assert len(mail.text.encode()) <= 50_000
    assert len(mail.subject) <= 400
    assert mail.html.count("<tr>") <= CHANGES * RUNS


def test_what_is_left_out_is_said() -> None:
    mail = _mail(_worst(), versions=RUNS + 2)
    for text in (mail.html, mail.text):
        # Each of 21 columns once, and once for all segments.
        assert f"And {2 * 21 - CHANGES} more in the report." in text
        assert "And 2 more model versions: the dashboard shows all runs." in text
