"""What the labels of drawn predictions say about the model versions of a window."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.s3 import Bucket
from domain import times
from domain.drift.disclosure import choose_suppressed, round_interval, round_significant
from domain.drift.drawn_performance import (
    ENOUGH_LABELLED,
    EXPIRY_DAYS,
    DrawnPerformance,
    is_dropped,
)
from domain.interval import Interval
from domain.keys import DrawId
from monitoring_job.statistics.performance import may_be_shown
from tabular.classification import FIGURES
from tabular.draws.change import find_p_value
from tabular.draws.estimate import BandCounts, Bounds, estimate_figures
from tabular.draws.store import StoredDraw, list_draws, read_draw
from tabular.labels import UNKNOWN, Labels, join_labels
from tabular.log_objects import Damage, LogObjects

ALL_LABELLED = 0.9
"""From this coverage on among predictions that were not drawn, labels do not depend on a draw."""


@dataclass(frozen=True)
class DrawnLabels:
    """A version's draws with the labels that have arrived, the newest window first.

    `draws`: those that speak for the run. `others`: those whose predictions are in its window.
    """

    draws: tuple[tuple[StoredDraw, Labels], ...] = ()
    others: tuple[StoredDraw, ...] = ()

    def estimate(self, test: Mapping[str, Interval]) -> DrawnPerformance | None:
        """The newest estimate with enough labels for a verdict, or else the newest at all.

        `test`: the version's figures on its test rows. None without a draw.
        """
        found = [estimate_performance(draw, labels, test) for draw, labels in self.draws]
        return next((one for one in found if one.has_enough_labels), found[0] if found else None)

    def forget(self, table: pa.Table, labels: Labels) -> Labels:
        """Leave out the labels of drawn predictions from those of a window's rows.

        Uncertain predictions are drawn more often than others, so that figures of all labelled ones
        would be worse than the model is. Nothing is left out where nearly all have a label.
        """
        drawn = [
            draw.table["prediction_id"] for draw in (*(d for d, _ in self.draws), *self.others)
        ]
        if not drawn:
            return labels
        is_drawn = pc.is_in(
            table["prediction_id"], value_set=pa.chunked_array(drawn).combine_chunks()
        )
        others = labels[~np.asarray(is_drawn)]
        if np.count_nonzero(others != UNKNOWN) >= ALL_LABELLED * len(others):
            return labels
        return np.where(is_drawn, UNKNOWN, labels).astype(np.int8)


def load_drawn_labels(
    bucket: Bucket, *, versions: Iterable[str], start: int, end: int, now: int
) -> dict[str, DrawnLabels]:
    """Load the draws of each version that matter for a run over ``[start, end)`` (UTC ms).

    A draw that can't be read is left out: no other verdict depends on it.
    """
    wanted = set(versions)
    near = [
        draw_id
        for draw_id in list_draws(bucket)
        if draw_id.frame.version in wanted
        and (_speaks_for(draw_id, end) or _overlaps(draw_id, start, end))
    ]
    read = {draw_id: read_draw(bucket, draw_id) for draw_id in near}
    found = {draw_id: stored for draw_id, stored in read.items() if stored is not None}
    if not found:
        return {}
    labels = join_labels(
        {str(draw_id): stored.table for draw_id, stored in found.items()},
        log=LogObjects(bucket),
        start=min(times.to_millis(draw_id.frame.start) for draw_id in found),
        now=now,
        damage=Damage(),
    )
    newest = sorted(found, key=lambda d: (d.frame.end, found[d].draw.drawn_at), reverse=True)
    return {
        version: DrawnLabels(
            draws=tuple(
                (found[draw_id], labels[str(draw_id)])
                for draw_id in newest
                if draw_id.frame.version == version and _speaks_for(draw_id, end)
            ),
            others=tuple(
                found[draw_id]
                for draw_id in newest
                if draw_id.frame.version == version and not _speaks_for(draw_id, end)
            ),
        )
        for version in wanted
    }


def _speaks_for(draw_id: DrawId, end: int) -> bool:
    """Whether the draw's window ends before the run's does, and not long before."""
    age = end - times.to_millis(draw_id.frame.end)
    return 0 <= age < EXPIRY_DAYS * times.DAY_MS


def _overlaps(draw_id: DrawId, start: int, end: int) -> bool:
    frame = draw_id.frame
    return times.to_millis(frame.start) < end and start < times.to_millis(frame.end)


def estimate_performance(
    stored: StoredDraw, labels: Labels, test: Mapping[str, Interval]
) -> DrawnPerformance:
    """Estimate a draw's figures; `labels`: one for each of its predictions."""
    draw, known = stored.draw, labels != UNKNOWN
    draw_id = DrawId.parse(draw.draw_id)
    bands, truth = stored.table["band"].to_numpy()[known], labels[known] == 1
    called_positive = np.array([band.called_positive for band in draw.bands])
    counts = BandCounts(
        rows=np.array([float(band.rows) for band in draw.bands]),
        called_positive=called_positive,
        labelled=np.bincount(bands, minlength=len(draw.bands)).astype(np.float64),
    )
    labelled = int(np.count_nonzero(known))
    may_show_labelled = not choose_suppressed(
        {"labelled": labelled, "unlabelled": draw.drawn - labelled}
    )
    found = DrawnPerformance(
        draw=draw.draw_id,
        start=times.to_millis(draw_id.frame.start),
        end=times.to_millis(draw_id.frame.end),
        drawn=draw.drawn,
        labelled=labelled if may_show_labelled else None,
        test={name: figure.value for name, figure in test.items() if name in FIGURES},
    )
    if not np.all(counts.labelled):
        return found
    figures = estimate_figures(
        counts, np.bincount(bands, truth, minlength=len(draw.bands)).astype(np.float64)
    )
    f1, p_value = (
        float(figures.f1.value),
        find_p_value(truth, stored.worlds.take(known.nonzero()[0])),
    )
    enough = labelled >= ENOUGH_LABELLED * draw.drawn and "f1" in test and not np.isnan(f1)
    shown = may_be_shown(truth, called_positive[bands])
    return replace(
        found,
        figures={name: _round(getattr(figures, name)) if shown else None for name in FIGURES},
        p_value=round_significant(p_value),
        has_enough_labels=enough,
        dropped=enough and is_dropped(f1=f1, test=test["f1"].value, p_value=p_value),
    )


def _round(bounds: Bounds) -> Interval | None:
    """The figure as it may be published; None where it is undefined."""
    value = float(bounds.value)
    if np.isnan(value):
        return None
    low, high = max(float(bounds.low), 0.0), min(float(bounds.high), 1.0)
    return round_interval(Interval(value, low, high))
