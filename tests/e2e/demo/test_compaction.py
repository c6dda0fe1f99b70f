"""A compaction through the deployed state machine: before, between and after it, who asks about the
log gets the same answer. Runs after the tests that look into the log's objects.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from domain import keys
from ops.commands.monitoring.drift import run_drift
from tests.e2e.conftest import PREDICTIONS, Circle, ops
from training_job.compaction.compact import LEAST_OBJECTS

LATER = timedelta(days=3)
"""By then the demo's day is closed, and whatever was merged meanwhile is older than 12 hours."""


@contextmanager
def started_later(circle: Circle, later: timedelta) -> Iterator[None]:
    """Give compactions a start so much later, since no test can wait twelve hours."""
    client: Any = circle.target.client("stepfunctions")
    arn = circle.target.deployment.state_machine_arn
    deployed = client.describe_state_machine(stateMachineArn=arn)["definition"]
    definition = json.loads(deployed)
    overrides = definition["States"]["Compact"]["Parameters"]["Overrides"]
    (container,) = overrides["ContainerOverrides"]
    start = {"Name": "STARTED_AT", "Value": (datetime.now(UTC) + later).isoformat()}
    others = [one for one in container["Environment"] if one["Name"] != start["Name"]]
    assert len(others) == len(container["Environment"]) - 1
    container["Environment"] = [*others, start]
    client.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))
    try:
        yield
    finally:
        client.update_state_machine(stateMachineArn=arn, definition=deployed)


def _compact(circle: Circle) -> dict[str, Any]:
    done = ops(circle.target.folder, "compact", "--json")
    assert 0 == done.returncode, done.stderr + done.stdout
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _list_log(circle: Circle) -> list[str]:
    return [entry.key for entry in circle.target.bucket("predictions").list("log/")]


def _count(circle: Circle) -> dict[str, Any]:
    """What a drift run and the dashboard count."""
    runs = [keys.RunId.parse(found["run_id"]) for (found,) in circle.figures["runs"].values()]
    window = {
        "start": min(run.start for run in runs).isoformat(),
        "end": max(run.end for run in runs).isoformat(),
    }
    (drift,) = run_drift(circle.target, window)
    stored = circle.target.bucket("reports").get(keys.summary(keys.RunId.parse(drift.run_id)))
    assert stored is not None
    _, traffic = circle.api.get("/monitoring/traffic")
    return {
        "drift": (drift.rows, drift.outcome, json.loads(stored.data)["rows"]),
        "traffic": traffic,
    }


def _look_up(circle: Circle, prediction_id: str) -> int:
    """When it was predicted."""
    done = ops(circle.target.folder, "trace", prediction_id, "--json")
    assert 0 == done.returncode, done.stderr + done.stdout
    (found,) = json.loads(done.stdout)["predictions"]
    return int(found["predicted_at"])


def test_whoever_counts_the_log_counts_the_same_before_between_and_after(circle: Circle) -> None:
    small = _list_log(circle)
    days = Counter(key.rpartition("/")[0] for key in small)
    mergeable = [key for key in small if days[key.rpartition("/")[0]] >= LEAST_OBJECTS]
    assert mergeable
    before = _count(circle)
    assert 2 * PREDICTIONS == before["drift"][0]
    assert 2 * PREDICTIONS == sum(day["predictions"] for day in before["traffic"]["days"])
    _, latest = circle.api.get("/predictions")
    wanted = latest["predictions"][0]
    with started_later(circle, LATER):
        first = _compact(circle)
        assert (len(mergeable), 0, 0) == (first["merged"], first["deleted"], first["left"])
        merged = sorted(set(_list_log(circle)) - set(small))
        assert first["objects"] == len(merged)
        assert before == _count(circle)
        last = _compact(circle)
    assert (0, len(mergeable)) == (last["merged"], last["deleted"])
    # A demo around midnight leaves the few objects of one of its days.
    assert {*merged, *small} - {*mergeable} == {*_list_log(circle)}
    assert before == _count(circle)
    assert wanted["predicted_at"] == _look_up(circle, wanted["prediction_id"])
