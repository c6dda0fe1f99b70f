"""A day of logged predictions, some of which get their true label."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.records import LABEL_COLUMNS
from tabular.arrow_types import ARROW_TYPES
from tabular.labelled import LabelledRows, read_labelled
from tabular.log_objects import LogObjects
from tabular.models import Models
from tests.unit.monitoring import DAY, log, publish_model, records, scored

START = times.to_millis(DAY)
END = START + times.DAY_MS
ROWS = 6_000


def send_labels(bucket: Bucket, labels: list[dict[str, Any]], *, name: str = "a") -> None:
    """Store labels as Firehose would."""
    schema = pa.schema([(n, ARROW_TYPES[kind]) for n, kind in LABEL_COLUMNS.items()])
    rows = [{n: label.get(n) for n in LABEL_COLUMNS} for label in labels]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer)
    bucket.put(f"{keys.stream('labels', DAY.date())}{name}.parquet", buffer.getvalue())


def label(prediction_id: str, value: bool, at: int = END) -> dict[str, Any]:
    return {
        "prediction_id": prediction_id, "label": value, "observed_at": at, "received_at": at,
    }  # fmt: skip


class Story:
    """A day of predictions, some of which get their true label."""

    def __init__(self, bucket: Bucket, contract: Contract, seed: int = 3) -> None:
        self.bucket, self.contract = bucket, contract
        self.version = publish_model(bucket, contract)
        self.frame = scored(ROWS, seed=seed)
        table = records(self.frame, contract, version=self.version, at=START)
        self.ids = table["prediction_id"].to_pylist()
        log(bucket, table)

    def label(self, chosen: npt.NDArray[np.bool_]) -> None:
        truth = self.frame["label"].to_numpy()
        send_labels(
            self.bucket, [label(self.ids[n], bool(truth[n])) for n in np.flatnonzero(chosen)]
        )

    def read(self, **options: Any) -> LabelledRows:
        defaults: dict[str, Any] = {"contract": self.contract, "start": START, "end": END}
        return read_labelled(
            log=LogObjects(self.bucket),
            models=Models(self.bucket),
            now=END + times.DAY_MS,
            **(defaults | options),
        )
