"""`user views`: who opened which prediction, and when."""

import time
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated

from typer import Argument, Option

from domain import keys, times
from domain.api.inspection import PredictionView
from domain.contract.records import is_prediction_id
from domain.erasure import hash_prediction
from domain.errors import BadKey, BadRecord
from domain.plural import write_count
from domain.retention import Retention
from ops.console import Answer, table
from ops.errors import OpsError
from ops.target import Target

MOST = 1_000
"""Views that are read at once, the latest ones."""


def run(
    target: Target,
    prediction_id: Annotated[
        str | None, Argument(metavar="PREDICTION_ID", help="Only views of this prediction.")
    ] = None,
    *,
    days: Annotated[int, Option(min=1, help="How far back to look.")] = 30,
) -> Answer:
    """List who opened single predictions on the dashboard, the latest view first.

    A prediction whose record was erased since is named erased; its views are found by its id.
    """
    folder = keys.PREDICTION_VIEWS
    if prediction_id is not None:
        folder += f"{_hash(prediction_id)}/"
    reports = target.bucket("reports")
    first = time.time_ns() // 1_000_000 - days * times.DAY_MS
    found = []
    for listed in reports.list(folder):
        with suppress(BadKey):  # whatever else somebody put there
            found.append((keys.parse_prediction_view(listed.key), listed.key))
    recent = sorted((one for one in found if one[0] >= first), reverse=True)
    views, damaged = [], []
    for _, key in recent[:MOST]:
        try:
            stored = reports.read(key, PredictionView.from_json)
        except BadRecord as error:
            damaged.append(f"{key}: {error}")
            continue
        if stored is not None:
            views.append(stored)
    kept_days = Retention.parse(target.deployment.retention).views
    expired = (
        [f"Records of views expire after {write_count(kept_days, 'day')}."] if kept_days else []
    )
    more = [f"Only the latest {MOST:,} are shown."] if len(recent) > MOST else []
    rows = [
        (
            f"{times.from_millis(view.viewed_at):%Y-%m-%d %H:%M:%S}",
            view.viewer,
            view.prediction,
            view.model_version,
        )
        for view in views
    ]
    header = ("when (UTC)", "who", "prediction", "version")
    nobody = f"Nobody has opened a single prediction in the last {write_count(days, 'day')}."
    return Answer(
        data={"views": [asdict(view) for view in views], "damaged": damaged},
        shown=[table(header, rows) if rows else nobody, *damaged, *more, *expired],
    )


def _hash(prediction_id: str) -> str:
    if not is_prediction_id(prediction_id):
        raise OpsError(
            "That is no prediction id, which is a UUID.", "python -m ops trace REFERENCE"
        )
    return hash_prediction(prediction_id.lower())
