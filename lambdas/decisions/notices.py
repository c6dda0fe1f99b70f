"""The operator's notices about decisions: what was decided, why, and the command that follows."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from adapters.mail import Message
from adapters.webhook.notification import Notification, make_id
from domain import times
from domain.events import DetailType
from domain.model.proposal import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A mail, and the same for the webhook.

    `id` names the decision, so that a repeated event notifies once. `type`: the event's. `facts`:
    sentences. `commands`: what to type, each under what it does. `link`: the page.
    """

    id: str
    type: DetailType
    subject: str
    facts: tuple[str, ...]
    commands: tuple[tuple[str, str], ...] = ()
    link: str = ""

    def to_message(self) -> Message:
        """The mail as text and as HTML."""
        typed = [f"{what}:\n    {command}" for what, command in self.commands]
        linked = [f"Look at it on the dashboard: {self.link}"] if self.link else []
        rows = [f"<li>{escape(fact)}</li>" for fact in self.facts]
        shown = [
            f"<p>{escape(what)}:<br><code>{escape(command)}</code></p>"
            for what, command in self.commands
        ]
        page = (
            f'<p><a href="{escape(self.link)}">Look at it on the dashboard</a></p>'
            if self.link
            else ""
        )
        return Message(
            subject=self.subject,
            text="\n\n".join([*self.facts, *typed, *linked]) + "\n",
            html=f"<html><body><ul>{''.join(rows)}</ul>{''.join(shown)}{page}</body></html>",
        )

    def to_notification(self) -> Notification:
        """The message for the webhook."""
        typed = tuple(f"{what}: {command}" for what, command in self.commands)
        return Notification(
            id=self.id,
            type=self.type,
            title=self.subject,
            facts=(*self.facts, *typed),
            links=(("Dashboard", self.link),) if self.link else (),
            data={"commands": dict(self.commands)},
        )


@dataclass(frozen=True, slots=True)
class Notices:
    """`command`: how the command line is called. `api_url`: base of the dashboard's links."""

    command: str
    api_url: str

    def propose(self, proposal: Proposal) -> Notice:
        """A model waits for an approval."""
        until = times.from_millis(proposal.expires_at).strftime("%Y-%m-%d %H:%M UTC")
        return Notice(
            id=make_id("proposed", proposal.execution, proposal.token),
            type="PromotionProposed",
            subject=f"Version {proposal.version} waits for your approval until {until}",
            facts=(
                f"Version {proposal.version} passed the gate. It serves once you approve it;"
                f" without an answer until {until} nothing changes.",
                *proposal.reasons,
            ),
            commands=(
                ("Let it serve", f"{self.command} approve {proposal.version}"),
                ("Refuse it", f"{self.command} reject {proposal.version} --reason TEXT"),
            ),
            link=self._card(proposal.version),
        )

    def reject(self, proposal: Proposal) -> Notice:
        """A model was rejected, or its time ran out."""
        who = (f"Rejected by {proposal.answered_by}.",) if proposal.answered_by else ()
        return Notice(
            id=make_id("rejected", proposal.execution),
            type="PromotionRejected",
            subject=f"Version {proposal.version} was not approved, so nothing changes",
            facts=(proposal.said, *who),
            link=self._card(proposal.version),
        )

    def suggest_training(self, detail: Mapping[str, Any]) -> Notice:
        """The retrain guard would train, and may only say so."""
        return Notice(
            id=make_id("retraining", str(detail["suggestion"])),
            type="RetrainingDecided",
            subject="Training again is suggested",
            facts=(str(detail["reason"]),),
            commands=(("Train", f"{self.command} train"),),
            link=f"{self.api_url}/#/drift",
        )

    def judge(self, detail: Mapping[str, Any]) -> Notice:
        """A promotion has proved wrong: it is taken back, or could be."""
        version, rolls_back = str(detail["version"]), bool(detail["rolls_back"])
        subject = (
            f"Version {version} is taken back"
            if rolls_back
            else f"Version {version} is worse than the one before"
        )
        commands = (
            (("See when it is done", f"{self.command} ledger"),)
            if rolls_back
            else (("Take it back", f"{self.command} rollback {detail['predecessor']}"),)
        )
        return Notice(
            id=make_id("probation", str(detail["seq"])),
            type="ProbationDecided",
            subject=subject,
            facts=(str(detail["reason"]),),
            commands=commands,
            link=self._card(version),
        )

    def _card(self, version: str) -> str:
        return f"{self.api_url}/#/models/{version}"
