"""Model versions for the dashboard: the champion, the ledger, every version's card."""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from adapters.api.rest import Problem
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.api.answers import ModelList, WaitingModel
from domain.errors import BadKey, BadRecord
from domain.model.card import ModelCard
from domain.model.champion import LedgerEntry
from domain.model.proposal import Proposal
from lambdas.dashboard.stored import objects

WAITING = 100
"""How many of the latest proposals are read; names of executions begin with their time."""
ENTRIES = 100
"""How many entries of the ledger one answer holds."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models bucket, and how the operator's command line is called.

    `reports`: the bucket with the models that wait for an approval.
    """

    bucket: Bucket
    reports: Bucket
    operator_command: str

    def ledger(self) -> ModelList:
        """The champion, the latest entries (newest first), every version that has a card."""
        entries = [listed.key for listed in self.bucket.list(keys.LEDGER)]
        newest = entries[: -ENTRIES - 1 : -1]
        store = ModelStore(self.bucket)
        champion = store.read_champion()
        return ModelList(
            champion=champion,
            ledger=tuple(_decode_readable(objects(self.bucket, newest))),
            entries_total=len(entries),
            versions=tuple(store.list_cards()),
            waiting=self.list_waiting(),
            rollback_command=f"{self.operator_command} rollback",
            train_command=f"{self.operator_command} train",
        )

    def list_waiting(self) -> tuple[WaitingModel, ...]:
        """Models that wait for an approval; a damaged record is left out."""
        return tuple(self._find_waiting())

    def _find_waiting(self) -> Iterator[WaitingModel]:
        now = time.time_ns() // 1_000_000
        proposed = [listed.key for listed in self.reports.list(keys.PROPOSALS)]
        for data in objects(self.reports, proposed[-WAITING:]):
            with suppress(BadRecord):
                proposal = Proposal.from_json(data) if data is not None else None
                if proposal is not None and proposal.waits(now):
                    yield WaitingModel(
                        version=proposal.version,
                        expires_at=proposal.expires_at,
                        approve_command=f"{self.operator_command} approve {proposal.version}",
                    )

    def card(self, version: str) -> ModelCard:
        """A version's card; raises Problem (404)."""
        try:
            card = ModelStore(self.bucket).read_card(version)
        except BadKey as error:
            raise Problem(HTTPStatus.NOT_FOUND, "Not found", str(error)) from None
        if card is None:
            detail = "That version has no readable card; GET /models lists the versions."
            raise Problem(HTTPStatus.NOT_FOUND, "Not found", detail)
        return card


def _decode_readable(found: Iterable[bytes | None]) -> Iterator[LedgerEntry]:
    """Decode the entries; a damaged one is left out, and the check of the ledger reports it."""
    for data in found:
        with suppress(BadRecord):
            if data is not None:
                yield LedgerEntry.from_json(data)
