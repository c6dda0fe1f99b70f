"""Five threads at once write the same object, and S3's conditional writes decide between them.

moto checks a condition and writes in two steps, so this needs the emulator.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from adapters.s3 import Bucket
from domain import keys, times
from domain.drift.drift import Outcome
from domain.drift.drift_request import DriftRequest, RequestRecord
from domain.drift.summary import Summary
from lambdas.drift.requested import OnDemandRuns
from monitoring_job.alerts.alerting import Alerting
from tests.unit.monitoring import Channels, drift_summary

THREADS = 5
NOW = datetime(2026, 2, 1, 14, tzinfo=UTC)


def at_once(do: Callable[[int], object]) -> None:
    """Call it with each thread's number, in all threads at the same moment."""
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> None:
        barrier.wait()
        do(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_updates_lose_nothing(bucket: Bucket) -> None:
    at_once(lambda number: bucket.update("a", lambda found: (found or b"") + bytes([number])))
    stored = bucket.get("a")
    assert list(range(THREADS)) == sorted(stored.data if stored else b"")


def test_one_event_is_one_run(bucket: Bucket) -> None:
    asked = RequestRecord(
        id="0f8fad5b-d9cb-469f-a165-70867728950e",
        requested_at=times.to_millis(NOW) - 60_000,
        request={"last_rows": 5},
    )
    bucket.put(keys.request(asked.id), asked.to_json())
    event = {"detail-type": "DriftRequested", "detail": asked.detail}
    runs = []

    def run(request: DriftRequest) -> Sequence[Summary]:
        runs.append(request)
        return [drift_summary(Outcome.STABLE)]

    at_once(lambda _: OnDemandRuns(bucket).handle(event, now=NOW, run=run))
    assert 1 == len(runs)


def test_runs_of_one_window_make_one_mail(bucket: Bucket) -> None:
    channels = Channels()

    def announce(_: int) -> None:
        alerting = Alerting(
            reports=bucket,
            notifier=channels.notifier(),
            target="diabetes",
            clock=lambda: 10**13,
        )
        alerting.handle_scheduled([drift_summary(Outcome.DATA_DRIFT, "age")])

    at_once(announce)
    assert 1 == len(channels.mails)
