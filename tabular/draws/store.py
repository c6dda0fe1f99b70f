"""Draws as they lie in the predictions bucket: `draw.json`, and the drawn predictions as Parquet.

The table has one line for each drawn prediction: `prediction_id` and `reference`, its `band` (the
position in `draw.json`), `inclusion_probability` and `probability`, and its chance to be positive
in the three worlds of `tabular.draws.bands`. A line that is removed counts as a label that never
came.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from domain import keys
from domain.drift.label_draw import DrawnBand, LabelDraw
from domain.errors import BadKey, BadRecord
from domain.keys import DrawId
from tabular.draws.bands import Worlds
from tabular.draws.frame import Frame
from tabular.footers import BAD_DATA

CHANCES = ("chance", "chance_if_missed", "chance_if_false")


@dataclass(frozen=True)
class StoredDraw:
    """A draw and its predictions."""

    draw: LabelDraw
    table: pa.Table

    @property
    def worlds(self) -> Worlds:
        """The imagined worlds of the drawn predictions; their F1 is that of the whole frame."""
        return Worlds(np.nan, *(self.table[name].to_numpy() for name in CHANCES))


def draw_predictions(frame: Frame, draw_id: DrawId, *, drawn_at: int, power: float) -> StoredDraw:
    """Draw as the id says; the same id and frame give the same draw."""
    random = np.random.default_rng(draw_id.seed)
    bands = frame.cut(draw_id.count)
    rows = [band.draw(random) for band in bands]
    drawn = np.concatenate(rows)
    scores = frame.table["probability"].to_numpy()
    numbers = np.repeat(np.arange(len(bands)), [len(part) for part in rows])
    shares = np.array([band.wanted / len(band.rows) for band in bands])
    worlds = frame.worlds.take(drawn)
    table = frame.table.select(["prediction_id", "reference", "probability"]).take(drawn)
    columns = {
        "band": numbers,
        "inclusion_probability": shares[numbers],
        **dict(zip(CHANCES, (worlds.same, worlds.missed, worlds.false), strict=True)),
    }
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    return StoredDraw(
        LabelDraw(
            draw_id=str(draw_id),
            drawn_at=drawn_at,
            power=power,
            bands=tuple(
                DrawnBand(
                    called_positive=band.called_positive,
                    rows=len(band.rows),
                    drawn=band.wanted,
                    lowest=float(scores[band.rows].min()),
                    highest=float(scores[band.rows].max()),
                )
                for band in bands
            ),
        ),
        table,
    )


def write_draw(bucket: Bucket, drawn: StoredDraw) -> None:
    """Write the predictions, then the draw; until that is there, the draw does not exist."""
    draw_id = DrawId.parse(drawn.draw.draw_id)
    buffer = io.BytesIO()
    pq.write_table(drawn.table, buffer)
    bucket.put(keys.drawn_predictions(draw_id), buffer.getvalue())
    bucket.put(keys.label_draw(draw_id), drawn.draw.to_json(), content_type="application/json")


def list_draws(bucket: Bucket) -> Iterator[DrawId]:
    """Every draw, also an unfinished one, in the order of windows."""
    for folder in bucket.folders(keys.LABEL_DRAWS):
        try:
            yield DrawId.parse(folder.removeprefix(keys.LABEL_DRAWS).rstrip("/"))
        except BadKey:
            continue


def read_draw(bucket: Bucket, draw_id: DrawId) -> StoredDraw | None:
    """A draw; None if it is unfinished or damaged."""
    draw, rows = bucket.get(keys.label_draw(draw_id)), bucket.get(keys.drawn_predictions(draw_id))
    if draw is None or rows is None:
        return None
    try:
        found = StoredDraw(LabelDraw.from_json(draw.data), pq.read_table(io.BytesIO(rows.data)))
        numbers = found.table["band"].to_numpy()
        return found if numbers.max(initial=0) < len(found.draw.bands) else None
    except (BadRecord, KeyError, OSError, *BAD_DATA):
        return None
