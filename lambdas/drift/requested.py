"""Keep the books of a run that somebody asked for: `requests/<id>.json`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from adapters.s3 import Bucket
from domain import keys, times
from domain.drift_request import DriftRequest, RequestRecord, checked_id
from domain.errors import BadRecord, BadWindow
from domain.summary import Summary

Run = Callable[[DriftRequest], Sequence[Summary]]


@dataclass(frozen=True, slots=True)
class Desk:
    """The requests in the reports bucket."""

    reports: Bucket

    def serve(self, event: Mapping[str, Any], *, now: datetime, run: Run) -> Sequence[Summary]:
        """Run what the event asks for; raises BadWindow for a request without an id.

        With an id the outcome is noted, a bad window included: nobody waits for the answer. A
        request that is done isn't run again: events come twice, mails shouldn't.
        """
        detail = event.get("detail")
        if not isinstance(detail, Mapping) or "request_id" not in detail:
            return run(DriftRequest.parse(event, now=now))
        record = self._record(detail, now)
        if record.status == "done":
            return []
        try:
            # "Now" is when it was asked, so that a repeated event means the same last rows.
            asked = times.from_millis(record.requested_at)
            request = DriftRequest.parse(record.request, now=asked)
        except BadWindow as error:
            self._write(replace(record, status="failed", problem=str(error)))
            return []
        self._write(replace(record, status="running"))
        try:
            summaries = run(request)
        except Exception as error:
            problem = f"The run failed ({type(error).__name__}): the function's log says where."
            self._write(replace(record, status="failed", problem=problem))
            raise
        self._write(replace(record, status="done", run_ids=tuple(s.run_id for s in summaries)))
        return summaries

    def _record(self, detail: Mapping[str, Any], now: datetime) -> RequestRecord:
        """As it was written when the run was asked for, or from the event alone."""
        request_id = checked_id(detail["request_id"])
        stored = self.reports.get(keys.request(request_id))
        try:
            if stored is not None:
                return RequestRecord.from_json(stored.data)
        except BadRecord:
            pass  # the event says the same
        request = {name: value for name, value in detail.items() if name != "request_id"}
        return RequestRecord(id=request_id, requested_at=times.to_millis(now), request=request)

    def _write(self, record: RequestRecord) -> None:
        self.reports.put(keys.request(record.id), record.to_json(), content_type="application/json")
