"""Stations of the loop that `demo` and `smoke` both pass."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain import times
from domain.contract import views
from domain.model.champion import Champion
from domain.typed_json import Json
from ops.api import Api
from ops.commands.data import query
from ops.commands.data.simulate import Sent, simulate
from ops.errors import OpsError
from ops.local.demo_figures import RowsSent
from ops.local.processes import wait_until
from ops.samples.scenarios import Disturbance
from ops.target import Target

CHAMPION_CACHE_SECONDS = 60
"""How long a warm predictor may serve the previous champion."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Predictions of one kind, answered between two whole seconds."""

    sent: Sent
    start: datetime
    end: datetime

    @property
    def window(self) -> dict[str, Json]:
        """The drift request for exactly these predictions."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}


def await_champion(target: Target) -> Champion:
    """The champion, once the API serves it."""
    champion = target.champion()
    if champion is None:
        raise OpsError(
            "The gate refused the model, and no other serves yet, so nothing can be predicted.",
            "Read the reasons in python -m ops status. Give more rows or more --trials, change the "
            "limit that refused it under [gate] of the contract, or let the model serve all the "
            "same: python -m ops promote VERSION --reason TEXT",
        )
    if champion.previous is not None:
        since = time.time() - champion.promoted_at / 1000
        time.sleep(max(0.0, CHAMPION_CACHE_SECONDS + 1 - since))
    api = Api(target.deployment.api_url, target.api_key())
    served = lambda: api.get("/health")[1].get("version") == champion.version  # noqa: E731
    if not wait_until(served, seconds=30, pause=1):
        raise OpsError(f"The API doesn't serve {champion.version}.", "python -m ops status")
    return champion


def predict(target: Target, wanted: Disturbance, *, predictions: int, seed: int) -> Batch:
    """Send rows and wait for the next whole second, so that two windows don't overlap."""
    start = datetime.now(UTC).replace(microsecond=0)
    sent = simulate(target, rows=predictions, rate=500, batch=5, wanted=wanted, seed=seed)
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()))
    return Batch(sent, start, end)


def count_logged(target: Target, rows: int, batch: Batch) -> RowsSent:
    """Rows sent and answered, and rows that Athena finds in the log."""
    days = sorted({batch.start.date().isoformat(), batch.end.date().isoformat()})
    _, found = query.query(
        target,
        f"SELECT count(*), count(DISTINCT prediction_id) FROM {views.LOG}"  # noqa: S608 - texts and numbers of our own
        f" WHERE dt IN ({', '.join(repr(day) for day in days)})"
        f" AND predicted_at >= {times.to_millis(batch.start)}"
        f" AND predicted_at < {times.to_millis(batch.end)}",
    )
    logged, distinct = (int(cell or 0) for cell in found[0])
    return RowsSent(sent=rows, answered=batch.sent.answered, logged=logged, distinct=distinct)
