"""One record of the prediction log with all its columns, and the label that counts for it."""

from dataclasses import dataclass
from datetime import date

from adapters.athena import Athena
from domain import times
from domain.contract import views
from domain.contract.feature import Value
from domain.contract.records import PREDICTION_TABLE, read_time

Row = dict[str, Value | bool]
"""Column → value, without the day of its folder."""


@dataclass(frozen=True, slots=True)
class Label:
    """What turned out to be true, and when (UTC milliseconds)."""

    value: bool
    observed_at: int


@dataclass(frozen=True, slots=True)
class PredictionLog:
    """The log, queried through Athena; columns that the table has lost are not found."""

    athena: Athena

    def find(self, prediction_id: str) -> Row | None:
        """The record with that id, which must be a UUID; of several copies the earliest.

        Where the id says when it was made, that day and its neighbours are searched first, because
        Firehose files an object under the day of its oldest record.
        """
        made_at = read_time(prediction_id)
        if made_at is not None:
            day = times.from_millis(made_at).date()
            found = self._search(
                prediction_id, f" AND dt BETWEEN '{day - times.DAY}' AND '{day + times.DAY}'"
            )
            if found is not None:
                return found
        return self._search(prediction_id, "")

    def _search(self, prediction_id: str, days: str) -> Row | None:
        copies = []
        for table in (PREDICTION_TABLE, f"{PREDICTION_TABLE}_fallback"):
            columns, rows = self.athena.query_columns(
                f"SELECT * FROM {table} WHERE prediction_id = '{prediction_id}'{days}"  # noqa: S608 - a UUID
                " ORDER BY predicted_at, model_version LIMIT 1"
            )
            for row in rows:
                pairs = zip(columns, row, strict=True)
                found = {column.name: column.parse(text) for column, text in pairs}
                found.pop("dt", None)
                copies.append(found)
        return min(copies, key=lambda row: int(row["predicted_at"] or 0), default=None)

    def find_label(
        self, prediction_id: str, reference: str | None, *, predicted_at: int
    ) -> Label | None:
        """The label sent for the id or the reference: observed last, of those received last."""
        first: date = times.from_millis(predicted_at).date() - times.DAY
        whose = f"prediction_id = '{prediction_id}'"
        if reference is not None:
            whose += " OR reference = '{}'".format(reference.replace("'", "''"))
        _, rows = self.athena.query(
            f"SELECT label, observed_at FROM {views.LABELS}"  # noqa: S608 - the quotes are doubled
            f" WHERE dt >= '{first.isoformat()}' AND ({whose})"
            " ORDER BY observed_at DESC, received_at DESC, label DESC LIMIT 1"
        )
        for label, observed_at in rows:
            if label is not None and observed_at is not None:
                return Label(label.lower() == "true", int(observed_at))
        return None
