"""Views over the logs, as texts that Athena (Trino) and the emulator's DuckDB both understand.

They are common table expressions, which `ops query` puts before a query that reads them: nothing
has to be created, and they are always those of this version of the code.

- ``predictions``: every prediction once, from the stream and the fallback; of a repeated id the
  earliest. Those that somebody only tried (source ``test``) are left out. Its columns are the log's
  own; features and other context columns are read from ``prediction_log``.
- ``outcomes``: one row per labelled prediction, whether its labels were sent by its id or by its
  reference: the label observed last, and of those the one received last. Labels for an id or a
  reference that no prediction has are there too, one row for each of these.
- ``labelled``: predictions joined with their outcomes.
- ``label_coverage``: per day (UTC) the predictions, how many have a label, the share, how many of
  these the model got right, and labels received that day for ids and references that no prediction
  has.
"""

from collections.abc import Iterable
from datetime import date

from domain.contract.records import LABEL_COLUMNS, PREDICTION_COLUMNS, TEST

LATER_COLUMNS = ("reference", "subject")
"""Texts that records from before have not."""


def _whole(table: str, columns: dict[str, str], where: str = "") -> str:
    """Both parts of a log; the emulator guesses types of JSON, so they are said.

    The emulator knows only the columns that some object has. Where a part has no `LATER_COLUMNS`,
    their names mean those of the outer row of nulls.
    """
    types = {"string": "varchar"}
    inner = {c: f"{c}_here" if c in LATER_COLUMNS else c for c in columns}
    casts = ", ".join(f"CAST({c} AS {types.get(t, t)}) AS {inner[c]}" for c, t in columns.items())
    names = ", ".join(f"part.{inner[c]} AS {c}" for c in columns)
    absent = ", ".join(f"CAST(NULL AS varchar) AS {c}" for c in LATER_COLUMNS)
    return " UNION ALL ".join(
        f"SELECT part.dt, {names} FROM (SELECT {absent}) AS absent"  # noqa: S608 - texts of our own
        f" CROSS JOIN LATERAL (SELECT dt, {casts} FROM {part}{where}) AS part"
        for part in (table, f"{table}_fallback")
    )


def _first(rows: str, columns: Iterable[str], order: str, by: str = "prediction_id") -> str:
    """One row for each value of `by`: the first in this order. `rows`: a query."""
    names = ", ".join(columns)
    return (
        f"SELECT dt, {names} FROM (SELECT dt, {names}, row_number() OVER "  # noqa: S608 - texts of our own
        f"(PARTITION BY {by} ORDER BY {order}) AS place "
        f"FROM ({rows}) AS whole) AS ordered WHERE place = 1"
    )


def _predictions(where: str = "") -> str:
    rows = _whole("prediction_log", PREDICTION_COLUMNS, where)
    return _first(rows, PREDICTION_COLUMNS, "predicted_at, dt, model_version")


def _outcomes() -> str:
    """The labels with the ids that they are for, then the one that counts of each.

    A label by reference becomes one for each prediction with it. Without any, it keeps no id.
    """
    labels = _whole("labels", LABEL_COLUMNS)
    rows = f"""
        SELECT l.dt, CASE WHEN l.reference IS NULL THEN l.prediction_id ELSE p.prediction_id END
               AS prediction_id, l.reference, l.label, l.observed_at, l.received_at
        FROM ({labels}) AS l
        LEFT JOIN (SELECT prediction_id, reference FROM predictions WHERE reference IS NOT NULL)
               AS p ON p.reference = l.reference"""  # noqa: S608 - texts of our own
    order = "observed_at DESC, received_at DESC, label DESC"
    unknown = "CASE WHEN prediction_id IS NULL THEN reference END"
    return _first(rows, LABEL_COLUMNS, order, by=f"prediction_id, {unknown}")


LOG = f"({_whole('prediction_log', PREDICTION_COLUMNS)}) AS log"
"""Every stored prediction record, copies included, for a FROM."""


LABELS = f"({_whole('labels', LABEL_COLUMNS)}) AS labels_log"
"""Every stored label, for a FROM."""


def predictions_between(first: date, last: date) -> str:
    """The view `predictions` over the folders of these days only, for a FROM.

    Copies of a record may be in folders that lie some time apart: take more days than you want.
    """
    where = f" WHERE dt BETWEEN '{first.isoformat()}' AND '{last.isoformat()}'"
    return f"({_predictions(where)}) AS log"


NO_TEST = f"coalesce(source, '') <> '{TEST}'"
"""A condition that leaves out predictions which somebody only tried."""

VIEWS = {
    "predictions": f"SELECT * FROM ({_predictions()}) AS log WHERE {NO_TEST}",  # noqa: S608 - texts of our own
    "outcomes": _outcomes(),
    "labelled": """
        SELECT p.dt, p.prediction_id, p.predicted_at, p.model_version, p.probability, p.threshold,
               p.predicted, p.reference, o.label, o.observed_at, o.received_at
        FROM predictions p JOIN outcomes o ON p.prediction_id = o.prediction_id""",
    "label_coverage": """
        SELECT coalesce(p.dt, o.dt) AS day,
               count(p.prediction_id) AS predictions,
               count(CASE WHEN p.prediction_id = o.prediction_id THEN 1 END) AS labelled,
               round(CAST(count(CASE WHEN p.prediction_id = o.prediction_id THEN 1 END) AS double)
                     / nullif(count(p.prediction_id), 0), 4) AS coverage,
               count(CASE WHEN p.predicted = o.label THEN 1 END) AS right_answers,
               count(CASE WHEN p.prediction_id IS NULL THEN 1 END) AS unknown_labels
        FROM predictions p FULL OUTER JOIN outcomes o ON p.prediction_id = o.prediction_id
        GROUP BY coalesce(p.dt, o.dt)""",
}
"""Name → statement; a view may use those before it."""
