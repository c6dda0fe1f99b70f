"""Handle runs on demand, and keep their status in `requests/<id>.json`."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from adapters.s3 import Bucket
from domain import keys, times
from domain.drift.drift_request import DriftRequest, RequestRecord, check_id
from domain.drift.summary import Summary
from domain.errors import BadRecord, BadWindow

Run = Callable[[DriftRequest], Sequence[Summary]]


@dataclass(frozen=True, slots=True)
class OnDemandRuns:
    """The requests in the reports bucket; `owner` names the invocation in its claims."""

    reports: Bucket
    owner: str = field(default_factory=lambda: str(uuid.uuid4()))

    def handle(self, event: Mapping[str, Any], *, now: datetime, run: Run) -> Sequence[Summary]:
        """Run what the event asks for; raises BadWindow for a request without an id.

        Nobody waits for the answer to a request with an id, so its record gets the result, or says
        what is wrong with its window. A request that is done, or in progress elsewhere, is not run
        again: events may arrive twice, but a mail should not. A retry of this invocation, after it
        was killed, continues.
        """
        detail = event.get("detail")
        if not isinstance(detail, Mapping) or "request_id" not in detail:
            return run(DriftRequest.parse(event, now=now))
        record = self._claim(detail, now)
        if record is None or record.status == "failed":
            return []
        try:
            summaries = run(_parse(record))
        except BadWindow as error:  # nobody waits, and another try would find the same
            self._write(replace(record, status="failed", problem=str(error)))
            return []
        except Exception as error:
            problem = f"The run failed ({type(error).__name__}); the function's log says where."
            self._write(replace(record, status="failed", problem=problem))
            raise
        self._write(replace(record, status="done", run_ids=tuple(s.run_id for s in summaries)))
        return summaries

    def _claim(self, detail: Mapping[str, Any], now: datetime) -> RequestRecord | None:
        """Claim the request for this invocation; None when it is done or in progress elsewhere.

        If its window can't be decoded, its status becomes `failed`, and it is not tried again.
        """
        request_id, started_at = check_id(detail["request_id"]), times.to_millis(now)
        claimed: RequestRecord | None = None

        def claim(stored: bytes | None) -> bytes | None:
            nonlocal claimed
            record, claimed = _decode(request_id, stored, detail, now), None
            if record.is_taken(now=started_at, owner=self.owner):
                return None
            claimed = replace(record, owner=self.owner)
            try:
                _parse(record)
            except BadWindow as error:
                claimed = replace(claimed, status="failed", problem=str(error))
            else:
                claimed = replace(claimed, status="running", started_at=started_at, problem=None)
            return claimed.to_json()

        self.reports.update(keys.request(request_id), claim)
        return claimed

    def _write(self, record: RequestRecord) -> None:
        self.reports.put(keys.request(record.id), record.to_json(), content_type="application/json")


def _decode(
    request_id: str, stored: bytes | None, detail: Mapping[str, Any], now: datetime
) -> RequestRecord:
    """The record as it was written when the run was asked for, or from the event alone."""
    if stored is not None:
        with suppress(BadRecord):  # the event says the same
            return RequestRecord.from_json(stored)
    request = {name: value for name, value in detail.items() if name != "request_id"}
    return RequestRecord(id=request_id, requested_at=times.to_millis(now), request=request)


def _parse(record: RequestRecord) -> DriftRequest:
    """Decode its request as of when it was made, so that a repeated event has the same window."""
    asked_at = times.from_millis(record.requested_at)
    return DriftRequest.parse(record.request, now=asked_at)
