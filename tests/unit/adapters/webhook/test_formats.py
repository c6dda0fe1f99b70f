"""What Slack and Teams get: within their limits, and as plain text."""

import json

import pytest

from adapters.webhook.formats import FACTS, FORMATTERS, LINKS
from adapters.webhook.notification import Notification
from domain.webhook import FORMATS, Format

HOSTILE = "<!channel> & <https://evil.example|click> [here](https://evil.example)"
LINK = ("Dashboard", "https://api.example.org/v1/#/drift")


def _notification(*facts: str, links: int = 1) -> Notification:
    return Notification(
        id="1", type="DriftDetected", title="Drift", facts=facts, links=(LINK,) * links
    )


def test_slack_escapes_what_would_be_a_link_or_call_everybody() -> None:
    body = FORMATTERS["slack"](_notification(HOSTILE))
    _, section, links = body["blocks"]
    assert "<" not in section["text"]["text"]
    assert "&lt;!channel&gt; &amp;" in section["text"]["text"]
    assert f"<{LINK[1]}|{LINK[0]}>" == links["text"]["text"]


def test_teams_shows_texts_as_they_are_and_links_as_buttons() -> None:
    body = FORMATTERS["teams"](_notification(HOSTILE))
    (attachment,) = body["attachments"]
    title, fact = attachment["content"]["body"]
    assert "Drift" == title["inlines"][0]["text"]
    # A text run is never read as Markdown.
    assert {"type": "TextRun", "text": HOSTILE} == fact["inlines"][0]
    assert [LINK] == [(a["title"], a["url"]) for a in attachment["content"]["actions"]]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_long_message_stays_within_the_limits(format_: Format) -> None:
    body = FORMATTERS[format_](_notification(*["x" * 2_000] * 100, links=20))
    if format_ == "json":
        assert 100 == len(body["facts"])
        return
    text = json.dumps(body)
    assert len(text) < 28 * 1024
    assert f"And {100 - FACTS} more on the dashboard." in text
    assert LINKS == text.count(LINK[1])
    if format_ == "slack":
        assert len(body["blocks"]) <= 50
        assert all(len(block["text"]["text"]) <= 3_000 for block in body["blocks"])
