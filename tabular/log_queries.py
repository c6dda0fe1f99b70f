"""Read a window of the prediction log by SQL, where it has too many rows to be streamed.

Athena counts the rows and selects those of the sample. What it returns is the same as what
streaming the objects returns (`tabular.reading`), so all statistics are computed by the same code.
The conditions below are those of `tabular.rows`, in the same order. They are written so that
Athena's Trino and the emulator's DuckDB both understand them. The table holds what the stream has
written; the fallback has few rows, of any type, and is always streamed.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from adapters.athena import FRACTIONS, INTEGERS, Athena
from domain.contract.records import PREDICTION_TABLE, SAMPLE_KEYS
from domain.contract.views import NO_TEST
from tabular.log_objects import Batch
from tabular.rows import MAXIMUM_ID, MISPLACED_MS

BATCH_ROWS = 16_000


@dataclass(frozen=True, slots=True)
class Counts:
    """What a window's table holds.

    `per_key`: version → rows by `sample_key`. `malformed`: rows that can't be used, by reason.
    """

    per_key: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    malformed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Span:
    """Rows predicted in ``[start, end)`` (UTC milliseconds), in the partitions of `days`."""

    days: Sequence[date]
    start: int
    end: int

    @property
    def source(self) -> str:
        """The partitions without the predictions that somebody only tried."""
        first, last = min(self.days), max(self.days)
        return f"{PREDICTION_TABLE} WHERE dt BETWEEN '{first}' AND '{last}' AND {NO_TEST}"

    @property
    def inside(self) -> str:
        """A condition: the row belongs to the window."""
        return f"predicted_at >= {self.start} AND predicted_at < {self.end}"

    @property
    def near(self) -> str:
        """A condition: if the row is not inside, it belongs to another window."""
        first, last = self.start - MISPLACED_MS, self.end + MISPLACED_MS
        return f"predicted_at >= {first} AND predicted_at < {last}"


GOOD = {
    "prediction_id": f"length(prediction_id) BETWEEN 1 AND {MAXIMUM_ID}",
    "probability": "probability BETWEEN 0 AND 1",
    "sample_key": f"sample_key BETWEEN 0 AND {SAMPLE_KEYS - 1}",
}
"""Why a row is malformed → the condition of those that are not."""


def count_sql(span: Span, versions: Collection[str]) -> str:
    """Count good rows by version and key, and the others by the first reason against them."""
    known = ", ".join(_quote(version) for version in sorted(versions)) or "NULL"
    rules = {"predicted_at": span.inside, **GOOD, "model_version": f"model_version IN ({known})"}
    reasons = " ".join(
        f"WHEN NOT coalesce({rule}, false) THEN '{reason}'" for reason, rule in rules.items()
    )
    return f"""
SELECT reason, version, place, count(*) AS found
FROM (SELECT reason,
             CASE WHEN reason IS NULL THEN model_version END AS version,
             CASE WHEN reason IS NULL THEN sample_key END AS place
      FROM (SELECT model_version, sample_key, CASE {reasons} END AS reason
            FROM {span.source}
            AND (coalesce({span.inside}, false) OR NOT coalesce({span.near}, false))) AS judged
     ) AS named
GROUP BY reason, version, place"""  # noqa: S608 - numbers, texts of our own and quoted names


def sample_sql(span: Span, version: str, *, cutoff: int, limit: int) -> str:
    """Select a version's good rows with keys below the cutoff; of too many, those of least id."""
    rules = " AND ".join((span.inside, *GOOD.values()))
    return f"""
SELECT * FROM {span.source} AND {rules}
AND model_version = {_quote(version)} AND sample_key < {cutoff}
ORDER BY prediction_id LIMIT {limit}"""  # noqa: S608 - numbers, texts of our own and quoted names


@dataclass(frozen=True, slots=True)
class LogQueries:
    """The log as a table. Windows with more than `from_rows` rows are read through it.

    Both methods raise QueryFailed and QueryTooSlow.
    """

    athena: Athena
    from_rows: int

    def count(self, span: Span, versions: Collection[str]) -> Counts:
        """Count a window's rows; those of other than these versions are malformed."""
        found = Counts()
        _, rows = self.athena.query_columns(count_sql(span, versions))
        for reason, version, key, number in rows:
            if reason is not None:
                found.malformed[reason] += int(number or 0)
            elif version is not None and key is not None:
                none = np.zeros(SAMPLE_KEYS, dtype=np.int64)
                found.per_key.setdefault(version, none)[int(key)] += int(number or 0)
        return found

    def select(self, span: Span, version: str, *, cutoff: int, limit: int) -> Iterator[Batch]:
        """Select the rows of a version's sample."""
        sql = sample_sql(span, version, cutoff=cutoff, limit=limit)
        columns, rows = self.athena.query_columns(sql)
        kinds = [_find_kind(column.type) for column in columns]
        while chunk := list(islice(rows, BATCH_ROWS)):
            yield Batch(
                len(chunk),
                {
                    column.name: pa.array(
                        [None if text is None else parse(text) for text in texts], kind
                    )
                    for column, (kind, parse), texts in zip(
                        columns, kinds, zip(*chunk, strict=True), strict=True
                    )
                },
            )


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _find_kind(athena_type: str) -> tuple[pa.DataType, Callable[[str], object]]:
    """A column's Arrow type, and how its texts are parsed."""
    if athena_type in INTEGERS:
        return pa.int64(), int
    if athena_type.startswith(FRACTIONS):
        return pa.float64(), float
    if athena_type == "boolean":
        return pa.bool_(), "true".__eq__
    return pa.string(), str
