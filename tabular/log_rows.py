"""Find single rows of the prediction log, with every column that they have."""

import io
import json
from collections import deque
from collections.abc import Iterator, Mapping, Set
from datetime import date

import pyarrow.compute as pc
import pyarrow.parquet as pq

from domain.contract.feature import Value
from tabular.footers import BAD_DATA
from tabular.log_objects import LogObjects
from tabular.merged_objects import ListedMerged

Row = Mapping[str, Value | bool]


def find_rows(log: LogObjects, day: date, ids: Set[str]) -> Iterator[Row]:
    """Every stored copy of these predictions in one day's folders, by column name.

    The columns are those of the object, so they are there even if the table has lost them. Objects
    that can't be read are left out.
    """
    wanted = pc.field("prediction_id").isin(sorted(ids))
    entries = deque(log.list_objects([day]))
    while entries:
        entry = entries.popleft()
        stored = log.bucket.get(entry.key)
        data = stored.data if stored else b""
        try:
            if entry.key.endswith(".jsonl"):
                rows = [json.loads(line) for line in data.splitlines()]
                yield from (row for row in rows if row["prediction_id"] in ids)
            else:
                yield from pq.read_table(io.BytesIO(data), filters=wanted).to_pylist()
        except (*BAD_DATA, OSError, KeyError):
            if isinstance(entry, ListedMerged):
                entries.extendleft(entry.sources)
