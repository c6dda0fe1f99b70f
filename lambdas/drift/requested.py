"""Keep the books of a run that somebody asked for: `requests/<id>.json`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from adapters.s3 import Bucket, Conflict
from domain import keys, times
from domain.drift.drift_request import DriftRequest, RequestRecord, check_id
from domain.drift.summary import Summary
from domain.errors import BadRecord, BadWindow

Run = Callable[[DriftRequest], Sequence[Summary]]


@dataclass(frozen=True, slots=True)
class OnDemandRuns:
    """The requests in the reports bucket."""

    reports: Bucket

    def handle(self, event: Mapping[str, Any], *, now: datetime, run: Run) -> Sequence[Summary]:
        """Run what the event asks for; raises BadWindow for a request without an id.

        With an id the outcome is noted, a bad window included: nobody waits for the answer. A
        request that is done, or that another invocation is at, isn't run: events come twice, mails
        shouldn't.
        """
        detail = event.get("detail")
        if not isinstance(detail, Mapping) or "request_id" not in detail:
            return run(DriftRequest.parse(event, now=now))
        record, etag = self._record(detail, now)
        started = times.to_millis(now)
        if record.is_taken(started):
            return []
        try:
            # "Now" is when it was asked, so that a repeated event means the same last rows.
            asked = times.from_millis(record.requested_at)
            request = DriftRequest.parse(record.request, now=asked)
        except BadWindow as error:
            self._write(replace(record, status="failed", problem=str(error)))
            return []
        record = replace(record, status="running", started_at=started, problem=None)
        try:
            self.reports.put_if(keys.request(record.id), record.to_json(), etag=etag)
        except Conflict:  # the same event, delivered twice at once
            return []
        try:
            summaries = run(request)
        except Exception as error:
            problem = f"The run failed ({type(error).__name__}): the function's log says where."
            self._write(replace(record, status="failed", problem=problem))
            raise
        self._write(replace(record, status="done", run_ids=tuple(s.run_id for s in summaries)))
        return summaries

    def _record(self, detail: Mapping[str, Any], now: datetime) -> tuple[RequestRecord, str | None]:
        """As it was written when the run was asked for, with its ETag, or from the event alone."""
        request_id = check_id(detail["request_id"])
        stored = self.reports.get(keys.request(request_id))
        if stored is not None:
            with suppress(BadRecord):  # the event says the same
                return RequestRecord.from_json(stored.data), stored.etag
        request = {name: value for name, value in detail.items() if name != "request_id"}
        record = RequestRecord(id=request_id, requested_at=times.to_millis(now), request=request)
        return record, stored.etag if stored else None

    def _write(self, record: RequestRecord) -> None:
        self.reports.put(keys.request(record.id), record.to_json(), content_type="application/json")
