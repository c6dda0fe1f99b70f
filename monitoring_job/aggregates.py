"""What of Evidently's pictures may be shown: bars of groups that are large enough.

Lines over the index average a handful of rows each, and points are rows, so pictures that aren't
bars alone are taken out; bars of fewer than `SMALLEST_GROUP` rows are emptied. Values at the edge
of an axis belong to somebody too: `shown` pulls them in to a value that enough rows lie beyond.
"""

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from domain.drift import SMALLEST_GROUP
from monitoring_job.profiles import Column
from monitoring_job.safe_html import DATA_LINE

PICTURES = frozenset({"bar", "heatmap"})
"""A heatmap is a confusion matrix, drawn only when each of its cells is large enough."""
Sizes = Mapping[str, tuple[int, int]]


def is_showable(column: Column) -> bool:
    """Whether there are values enough to show a distribution."""
    return len(column.present) >= 2 * SMALLEST_GROUP


def shown(column: Column) -> "pd.Series[Any]":
    """The values, numbers clipped so that at least SMALLEST_GROUP rows hold each extreme."""
    if column.feature.kind != "number":
        return column.values
    ordered = np.sort(column.present.to_numpy(dtype=np.float64))
    return column.values.clip(ordered[SMALLEST_GROUP - 1], ordered[-SMALLEST_GROUP])


def only_aggregates(page: str, sizes: Sizes) -> str:
    """The page without what is more than an aggregate.

    `sizes`: column → how many values of reference and window were drawn.
    """
    lines = page.split("\n")
    data = [i for i, line in enumerate(lines) if line.startswith(DATA_LINE)]
    for i in data:
        name, _, text = lines[i].partition(" = ")
        cleaned = _cleaned(json.loads(text.rstrip().removesuffix(";")), sizes)
        lines[i] = f"{name} = {json.dumps(cleaned)};"
    return "\n".join(lines)


def _cleaned(node: Any, sizes: Sizes) -> Any:
    if isinstance(node, list):
        kept = (_cleaned(entry, sizes) for entry in node if not _is_forbidden(entry))
        return list(kept)
    if not isinstance(node, dict):
        return node
    if "column_name" in node and "details" in node:
        return _row(node, sizes)
    if _traces(node):
        _empty_small_bars(node["params"]["data"])
        return node
    return {key: _cleaned(value, sizes) for key, value in node.items() if not _is_forbidden(value)}


def _traces(widget: Any) -> list[Any]:
    """The traces of a picture; empty for anything else."""
    params = widget.get("params") if isinstance(widget, dict) else None
    data = params.get("data") if isinstance(params, dict) else None
    if not isinstance(data, list) or not all(isinstance(trace, dict) for trace in data):
        return []
    return data if any("type" in trace for trace in data) else []


def _is_forbidden(entry: Any) -> bool:
    """A picture, or a tab that holds one, of anything but groups."""
    inside = entry.get("widget", entry) if isinstance(entry, dict) else entry
    return any(
        trace.get("type") not in PICTURES
        or not isinstance(trace.get("z" if trace["type"] == "heatmap" else "y"), list)
        for trace in _traces(inside)
    )


def _empty_small_bars(traces: list[dict[str, Any]]) -> None:
    """Counts and percentages of one data set bear the same name; counts come first."""
    small: dict[str, list[bool]] = {}
    for trace in traces:
        if trace["type"] != "bar":
            continue
        counts = small.setdefault(
            str(trace.get("name")), [0 < y < SMALLEST_GROUP for y in trace["y"]]
        )
        trace["y"] = [0 if hide else y for y, hide in zip(trace["y"], counts, strict=True)]


def _row(row: dict[str, Any], sizes: Sizes) -> dict[str, Any]:
    """A column's line of the table: its small histograms, and its pictures but the line."""
    drawn = sizes.get(str(row["column_name"]), (0, 0))
    for side, rows in zip(("reference_distribution", "current_distribution"), drawn, strict=True):
        histogram = row.get(side)
        if isinstance(histogram, dict):
            histogram["y"] = _without_small(histogram["x"], histogram["y"], rows)
    parts = [part for part in row["details"]["parts"] if part.get("title") != "DATA DRIFT"]
    return {**row, "details": {**row["details"], "parts": parts}}


def _without_small(x: list[Any], y: list[float], rows: int) -> list[float]:
    """Numbers are drawn as densities between edges, categories as counts."""
    if len(x) == len(y):
        return [0 if v < SMALLEST_GROUP else v for v in y]
    widths = [high - low for low, high in pairwise(x)]
    return [
        0.0 if v * width * rows < SMALLEST_GROUP - 0.5 else v
        for v, width in zip(y, widths, strict=True)
    ]
