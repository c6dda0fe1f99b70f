"""The bodies that Slack, Microsoft Teams and other receivers understand.

Texts are shown as they are: nothing in a column's name becomes a link, or calls people.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adapters.webhook.notification import Notification
from domain.webhook import Format

Body = Mapping[str, Any]

TITLE = 150
"""Characters of a header in Slack."""
FACT, FACTS = 500, 30
"""Characters of a sentence and sentences of a message: Teams takes 28 KB."""
SECTION = 3000
"""Characters of a section in Slack."""
LINKS = 6
"""Buttons that Teams shows."""
CARD = "application/vnd.microsoft.card.adaptive"


def format_for_slack(notification: Notification) -> Body:
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""
    sections = [*_join(_escape(fact) for fact in _shorten(notification))]
    links = [f"<{url}|{_escape(label)}>" for label, url in notification.links[:LINKS]]
    if links:
        sections.append(" · ".join(links))
    title = _cut(notification.title, TITLE)
    return {
        "text": _escape(title),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title}},
            *(
                {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
                for text in sections
            ),
        ],
        "unfurl_links": False,
    }


def format_for_teams(notification: Notification) -> Body:
    """An Adaptive Card, as the workflow *Post to a channel when a webhook request is received*."""
    title = {"type": "TextRun", "text": notification.title, "weight": "Bolder", "size": "Large"}
    paragraphs = [
        [title],
        *([{"type": "TextRun", "text": fact}] for fact in _shorten(notification)),
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [{"type": "RichTextBlock", "inlines": runs} for runs in paragraphs],
        "actions": [
            {"type": "Action.OpenUrl", "title": label, "url": url}
            for label, url in notification.links[:LINKS]
        ],
    }
    return {"type": "message", "attachments": [{"contentType": CARD, "content": card}]}


def format_as_json(notification: Notification) -> Body:
    """Everything: docs/monitoring.md describes the fields."""
    return {
        "id": notification.id,
        "type": notification.type,
        "title": notification.title,
        "facts": notification.facts,
        "links": [{"label": label, "url": url} for label, url in notification.links],
        "data": notification.data,
    }


FORMATTERS: Mapping[Format, Callable[[Notification], Body]] = {
    "slack": format_for_slack,
    "teams": format_for_teams,
    "json": format_as_json,
}


def _shorten(notification: Notification) -> list[str]:
    facts = [_cut(fact, FACT) for fact in notification.facts[:FACTS]]
    omitted = len(notification.facts) - FACTS
    return [*facts, f"And {omitted} more on the dashboard."] if omitted > 0 else facts


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _escape(text: str) -> str:
    """What Slack wants escaped; it also keeps ``<!channel>`` from calling everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _join(lines: Iterator[str]) -> Iterator[str]:
    """Join lines to texts that fit into a section."""
    text = ""
    for line in lines:
        if text and len(text) + 1 + len(line) > SECTION:
            yield text
            text = ""
        text = f"{text}\n{line}" if text else line
    if text:
        yield text
