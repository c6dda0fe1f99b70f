"""Labels reach their predictions by id or by reference, in whatever order they arrive."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from domain.contract.records import LABEL_COLUMNS, PREDICTION_COLUMNS
from ops.sql_views import expand_views
from tabular.arrow_types import ARROW_TYPES
from tabular.labels import UNKNOWN, join_labels
from tabular.log_objects import Batch, Damage

STORIES = 10_000
NOW = 1_000_000


@dataclass
class FakeLog:
    """The labels as batches; each batch is an object."""

    batches: Sequence[Batch]

    def list_days(self, _: str) -> list[date]:
        return [date(1970, 1, 1)]

    def list_objects(self, days: Iterable[date], **_: Any) -> Sequence[Batch]:
        return self.batches if list(days) else ()

    def read_batches(self, entries: Sequence[Batch], *_: Any, **__: Any) -> Iterator[Batch]:
        yield from entries


def _stories(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, int]]:
    """Predictions, labels in the order of their arrival, and the right label of each prediction.

    In each story one to three predictions share a reference, or have none, and up to five labels
    name the reference or one of the ids. Times repeat, so that ties occur.
    """
    rng = np.random.default_rng(seed)
    predictions: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    expected: dict[str, int] = {}
    for story in range(STORIES):
        reference = f"r{story}" if rng.random() < 0.8 else None
        ids = [f"p{story}-{n}" for n in range(rng.integers(1, 4))]
        predictions += [{"prediction_id": i, "reference": reference} for i in ids]
        mine: list[dict[str, Any]] = []
        for _ in range(rng.integers(0, 6)):
            by_reference = reference is not None and rng.random() < 0.6
            observed, received = (int(t) for t in rng.integers(1, 4, size=2))
            mine.append(
                {
                    "prediction_id": None if by_reference else str(rng.choice(ids)),
                    "reference": reference if by_reference else None,
                    "label": bool(rng.random() < 0.5),
                    "observed_at": observed,
                    "received_at": received,
                }
            )
        labels += mine
        for i in ids:
            ours = [x for x in mine if x["prediction_id"] == i or x["reference"]]
            found = max(ours, key=_place, default=None)
            expected[i] = int(found["label"]) if found else UNKNOWN
    labels.append(labels[0] | {"prediction_id": None, "reference": "nobody's"})
    order = rng.permutation(len(labels))
    return predictions, [labels[n] for n in order], expected


def _place(label: dict[str, Any]) -> tuple[int, int, bool]:
    return label["observed_at"], label["received_at"], label["label"]


def _table(rows: list[dict[str, Any]], columns: dict[str, str]) -> pa.Table:
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
    return pa.Table.from_pylist(rows, schema=schema)


def _batches(rows: list[dict[str, Any]], seed: int) -> list[Batch]:
    """Objects of random size; half of them as Parquet has them, half as lines of JSON."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, len(rows), size=200))
    batches = []
    for part in np.split(np.arange(len(rows)), cuts):
        some = [rows[n] for n in part]
        columns: dict[str, Any] = {name: [row[name] for row in some] for name in LABEL_COLUMNS}
        if rng.random() < 0.5:
            table = _table(some, LABEL_COLUMNS)
            columns = {name: table[name].combine_chunks() for name in LABEL_COLUMNS}
        batches.append(Batch(len(some), columns))
    return batches


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_thousand_random_orders_of_predictions_labels_and_relabels(seed: int) -> None:
    predictions, labels, expected = _stories(seed)
    log: Any = FakeLog(_batches(labels, seed))
    damage = Damage()
    columns = {"prediction_id": "string", "reference": "string"}
    rows = {"1-aaaaaaaa": _table(predictions, columns)}
    found = join_labels(rows, log=log, start=NOW, now=NOW, damage=damage)["1-aaaaaaaa"]
    ids = [prediction["prediction_id"] for prediction in predictions]
    assert expected == dict(zip(ids, found.tolist(), strict=True))
    assert not damage.malformed


def test_the_views_say_the_same_of_ten_thousand_orders() -> None:
    predictions, labels, expected = _stories(3)
    own = _table([p | {"predicted_at": 1} for p in predictions], PREDICTION_COLUMNS)
    half = len(labels) // 2
    with duckdb.connect() as connection:
        for name, table in (
            ("prediction_log", own.slice(0, 9_000)),
            ("prediction_log_fallback", own.slice(9_000)),
            ("labels", _table(labels[:half], LABEL_COLUMNS)),
            ("labels_fallback", _table(labels[half:], LABEL_COLUMNS)),
        ):
            connection.register(name, table.append_column("dt", pa.array(["d"] * len(table))))
        found = connection.execute(expand_views("SELECT prediction_id, label FROM outcomes"))
        rows = found.fetchall()
        coverage = connection.execute(expand_views("label_coverage")).fetchall()
    labelled = {i: label for i, label in expected.items() if label != UNKNOWN}
    assert labelled == {i: int(label) for i, label in rows if i is not None}
    assert len(labelled) + 1 == len(rows)
    assert [(len(expected), len(labelled), 1)] == [(row[1], row[2], row[5]) for row in coverage]
