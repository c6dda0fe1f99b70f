"""`mail`: the emulator's mailbox. On AWS the mail is where it was sent to."""

import argparse
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ops.console import table
from ops.errors import OpsError
from ops.laptop import ACCOUNT, Laptop
from ops.target import Target


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace, target: Target) -> str:
    """The command."""
    laptop = target.here("mail")
    found = mails(laptop)
    if not found:
        print("The mailbox is empty.")
        return "python -m ops drift --last-rows 1000 --mail"
    rows = [
        (f"{m.sent_at:%Y-%m-%d %H:%M:%S}", ", ".join(m.recipients), m.subject, str(m.save(laptop)))
        for m in found
    ]
    print(table(("when (UTC)", "to", "subject", "file"), rows))
    return f"Open {rows[-1][-1]} in a browser."


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that the emulator's SES took."""

    message_id: str
    sent_at: datetime
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str

    def save(self, laptop: Laptop) -> Path:
        """Write its page (its text, without one) where a browser can open it."""
        folder = laptop.folder / "mail"
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^A-Za-z0-9-]", "_", self.message_id)[:80]
        path = folder / f"{name}.{'html' if self.html else 'txt'}"
        path.write_text(self.html or self.text, encoding="utf-8")
        return path


def mails(laptop: Laptop) -> list[Mail]:
    """Everything in the mailbox, oldest first; raises OpsError."""
    try:
        url = f"{laptop.endpoint}/_ministack/ses/messages?account={ACCOUNT}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            messages = json.load(answer)["messages"].get(ACCOUNT, [])
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        raise OpsError("The emulator's mailbox can't be read.", "python -m ops status") from None
    return [
        Mail(
            message_id=message["MessageId"],
            sent_at=datetime.fromtimestamp(float(message["Timestamp"]), UTC),
            recipients=tuple(message["To"]),
            subject=message["Subject"],
            text=message["BodyText"] or "",
            html=message["BodyHtml"] or "",
        )
        for message in messages
    ]
