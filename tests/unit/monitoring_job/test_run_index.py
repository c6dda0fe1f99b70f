"""A damaged or lost index of runs is rebuilt from the runs themselves, by the next run."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.drift.drift import Outcome
from domain.drift.run_index import RunIndex
from domain.errors import BadRecord
from monitoring_job import publishing
from tests.unit.monitoring import drift_summary


def _publish(bucket: Bucket, day: int) -> str:
    summary = publishing.publish_run(bucket, drift_summary(Outcome.STABLE, day=day), {})
    publishing.index_runs(bucket, [summary])
    return summary.run_id


def _index(bucket: Bucket) -> list[str]:
    stored = bucket.get(keys.RUN_INDEX)
    return [entry.run_id for entry in RunIndex.from_json(stored.data if stored else b"").entries]


def _with(**changes: object) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        document = json.loads(data)
        document["runs"][0] |= changes
        return json.dumps(document).encode()

    return change


DAMAGES: list[Callable[[bytes], bytes | None]] = [
    lambda _: None,
    lambda _: b"",
    lambda _: b"garbage",
    lambda _: b"[" * 100_000,
    lambda _: b"[]",
    lambda _: b'{"runs": [7]}',
    lambda data: data[: len(data) // 2],
    _with(end=None),
    _with(computed_at="yesterday"),
    _with(rows=1.5),
    _with(scheduled="yes"),
    _with(mail="lost"),
    _with(run_id=7),
    _with(drifted=[7]),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_rebuilt_and_fails_no_run(
    moto_bucket: Bucket, damage: Callable[[bytes], bytes | None]
) -> None:
    before = [_publish(moto_bucket, day) for day in range(3)]
    stored = moto_bucket.get(keys.RUN_INDEX)
    assert stored is not None
    content = damage(stored.data)
    if content is None:
        moto_bucket.delete(keys.RUN_INDEX)
    else:
        moto_bucket.put(keys.RUN_INDEX, content)
        with pytest.raises(BadRecord):
            RunIndex.from_json(content)
    newest = _publish(moto_bucket, 3)
    assert [newest, *reversed(before)] == _index(moto_bucket)


@pytest.mark.parametrize(
    "changes",
    [
        {"end": None},
        {"computed_at": "yesterday"},
        {"rows": {"logged": None}},
        {"mail": "lost"},
        {"reports": [7]},
        {"run_id": 7},
        None,
    ],
)
def test_a_damaged_summary_costs_its_own_entry_only(
    moto_bucket: Bucket, changes: dict[str, Any] | None
) -> None:
    first, second = (_publish(moto_bucket, day) for day in range(2))
    key = keys.summary(keys.RunId.parse(first))
    stored = moto_bucket.get(key)
    assert stored is not None
    moto_bucket.put(
        key, json.dumps(json.loads(stored.data) | changes).encode() if changes else b"{"
    )
    rebuilt = publishing.rebuild_index(moto_bucket)
    assert [second] == [entry.run_id for entry in rebuilt.entries]
