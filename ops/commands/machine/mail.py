"""`mail`: the emulator's mailbox. On AWS, mail goes to the recipient's own mailbox."""

import json
import os
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ops.console import Answer, table
from ops.errors import OpsError
from ops.hints import name_folder, spell_out
from ops.laptop import ACCOUNT, Laptop
from ops.local import emulator
from ops.target import Target


def run(target: Target) -> Answer:
    """List the mails in this machine's mailbox, and save each as a file to open."""
    laptop = target.require_laptop("mail")
    emulator.require_own(laptop)
    found = [(mail, mail.save(laptop)) for mail in read_mails(laptop)]
    data = [
        {
            "sent_at": mail.sent_at.isoformat(),
            "to": list(mail.recipients),
            "subject": mail.subject,
            "file": str(path),
        }
        for mail, path in found
    ]
    if not found:
        return Answer(
            data=data,
            shown=[
                "The mailbox is empty: it holds the mails since the emulator started. Those that "
                f"this command has listed before stay in {laptop.folder / 'mail'}."
            ],
            next_step="python -m ops drift --last-rows 1000 --mail",
        )
    rows = [
        (f"{mail.sent_at:%Y-%m-%d %H:%M:%S}", ", ".join(mail.recipients), mail.subject, str(path))
        for mail, path in found
    ]
    return Answer(
        data=data,
        shown=[table(("when (UTC)", "to", "subject", "file"), rows)],
        next_step=f"Open {rows[-1][-1]} in a browser.",
    )


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that the emulator's SES accepted."""

    message_id: str
    sent_at: datetime
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str

    def save(self, laptop: Laptop) -> Path:
        """Write its HTML, or its text where it has none, to a file; returns the path.

        Its commands are written so that they work in the user's shell.
        """
        folder = laptop.folder / "mail"
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^A-Za-z0-9-]", "_", self.message_id)[:80]
        path = folder / f"{name}.{'html' if self.html else 'txt'}"
        options = name_folder(laptop.folder, os.environ)
        text = spell_out(self.html or self.text, options=options, environ=os.environ)
        path.write_text(text, encoding="utf-8")
        return path


def read_mails(laptop: Laptop) -> list[Mail]:
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
