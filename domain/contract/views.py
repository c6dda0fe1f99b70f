"""Views over the logs, as texts that Athena (Trino) and the emulator's DuckDB both understand.

They are common table expressions, which `ops query` puts before a query that reads them: nothing
has to be created, and they are always those of this version of the code.

- ``predictions``: every prediction once, from the stream and the fallback; of a repeated id the
  earliest. Its columns are the log's own; features are read from ``prediction_log``.
- ``outcomes``: one row per labelled id, from both too: the label observed last, and of those the
  one received last.
- ``labelled``: predictions joined with their outcomes.
- ``label_coverage``: per day (UTC) the predictions, how many have a label, the share, how many of
  these the model got right, and labels received that day for ids that no prediction has.
"""

from datetime import date

from domain.contract.records import LABEL_COLUMNS, PREDICTION_COLUMNS


def _whole(table: str, columns: dict[str, str], where: str = "") -> str:
    """Both parts of a log; the emulator guesses types of JSON, so they are said."""
    types = {"string": "varchar"}
    names = ", ".join(f"CAST({c} AS {types.get(t, t)}) AS {c}" for c, t in columns.items())
    parts = (table, f"{table}_fallback")
    return " UNION ALL ".join(f"SELECT dt, {names} FROM {part}{where}" for part in parts)  # noqa: S608 - texts of our own


def _first(table: str, columns: dict[str, str], order: str, where: str = "") -> str:
    """One row per prediction_id: the first in this order."""
    names = ", ".join(columns)
    return (
        f"SELECT dt, {names} FROM (SELECT dt, {names}, row_number() OVER "  # noqa: S608 - texts of our own
        f"(PARTITION BY prediction_id ORDER BY {order}) AS place "
        f"FROM ({_whole(table, columns, where)}) AS whole) AS ordered WHERE place = 1"
    )


_EARLIEST = "predicted_at, dt, model_version"

LOG = f"({_whole('prediction_log', PREDICTION_COLUMNS)}) AS log"
"""Every stored prediction record, copies included, for a FROM."""


def predictions_between(first: date, last: date) -> str:
    """The view `predictions` over the folders of these days only, for a FROM.

    Copies of a record may be in folders that lie some time apart: take more days than you want.
    """
    where = f" WHERE dt BETWEEN '{first.isoformat()}' AND '{last.isoformat()}'"
    return f"({_first('prediction_log', PREDICTION_COLUMNS, _EARLIEST, where)}) AS log"


VIEWS = {
    "predictions": _first("prediction_log", PREDICTION_COLUMNS, _EARLIEST),
    "outcomes": _first("labels", LABEL_COLUMNS, "observed_at DESC, received_at DESC, label DESC"),
    "labelled": """
        SELECT p.dt, p.prediction_id, p.predicted_at, p.model_version, p.probability, p.threshold,
               p.predicted, o.label, o.observed_at, o.received_at
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
