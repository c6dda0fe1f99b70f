"""Reduce Evidently's pictures to what may be shown: bars of groups that are large enough.

Lines over the index average a few rows each, and points are rows, so every picture that has
anything but bars is removed. Bars of groups that `domain.drift.disclosure` suppresses are emptied,
and categories that it suppresses are merged. Values at the ends of an axis belong to single people,
so `clip_for_display` clips them to a value that enough rows reach.
"""

import json
from collections.abc import Mapping, Set
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from domain.drift.disclosure import SMALLEST_GROUP, choose_suppressed
from monitoring_job.reports.safe_html import DATA_LINE
from monitoring_job.statistics.profiles import (
    VALID,
    Column,
    Group,
    find_merged_groups,
    merged_label,
)

PICTURES = frozenset({"bar", "heatmap"})
"""A heatmap is a confusion matrix; it is drawn only if each of its cells is large enough."""
Sizes = Mapping[str, tuple[int, int]]


def is_showable(reference: Column, current: Column) -> bool:
    """Whether both sides have enough values, in more than one group, to show a distribution."""
    merged_groups = find_merged_groups(reference, current)
    return all(
        len(side.present) >= 2 * SMALLEST_GROUP
        and (side.feature.kind == "number" or not side.groups.keys() <= merged_groups | {None})
        for side in (reference, current)
    )


def clip_for_display(column: Column, merged_groups: Set[Group]) -> "pd.Series[Any]":
    """Prepare values for drawing: clip numbers, merge categories.

    At least SMALLEST_GROUP rows have each extreme of the clipped numbers. Where the number of
    missing values is suppressed, a few values are left out, so that the rest does not reveal it.
    """
    if column.feature.kind == "number":
        values = column.present.astype(np.float64)
        ordered = np.sort(values.to_numpy())
        drawn = len(values) - len(values) % (
            2 * SMALLEST_GROUP if VALID in column.suppressed else 1
        )
        return values.clip(ordered[SMALLEST_GROUP - 1], ordered[-SMALLEST_GROUP]).iloc[:drawn]
    one = column.values.isin([name for name in merged_groups if name is not None])
    if None in merged_groups:
        one |= column.values.isna()
    return column.values.mask(one, merged_label(merged_groups)) if merged_groups else column.values


def keep_aggregates(page: str, sizes: Sizes) -> str:
    """Remove from the page whatever is not an aggregate.

    `sizes`: column → how many values of reference and window were drawn.
    """
    lines = page.split("\n")
    data = [i for i, line in enumerate(lines) if line.startswith(DATA_LINE)]
    for i in data:
        name, _, text = lines[i].partition(" = ")
        clean = _clean(json.loads(text.rstrip().removesuffix(";")), sizes)
        lines[i] = f"{name} = {json.dumps(clean)};"
    return "\n".join(lines)


def _clean(node: Any, sizes: Sizes) -> Any:
    if isinstance(node, list):
        kept = (_clean(entry, sizes) for entry in node if not _is_forbidden(entry))
        return list(kept)
    if not isinstance(node, dict):
        return node
    if "column_name" in node and "details" in node:
        return _clean_row(node, sizes)
    if _list_traces(node):
        _empty_small_bars(node["params"]["data"])
        _open_in_shares(node["params"])
        _fit_a_phone(node["params"]["layout"])
        return node
    return {key: _clean(value, sizes) for key, value in node.items() if not _is_forbidden(value)}


def _list_traces(widget: Any) -> list[Any]:
    """List the traces of a picture; empty for anything else."""
    params = widget.get("params") if isinstance(widget, dict) else None
    data = params.get("data") if isinstance(params, dict) else None
    if not isinstance(data, list) or not all(isinstance(trace, dict) for trace in data):
        return []
    return data if any("type" in trace for trace in data) else []


def _is_forbidden(entry: Any) -> bool:
    """Whether an entry is, or contains, a picture of anything but groups."""
    inside = entry.get("widget", entry) if isinstance(entry, dict) else entry
    return any(
        trace.get("type") not in PICTURES
        or not isinstance(trace.get("z" if trace["type"] == "heatmap" else "y"), list)
        for trace in _list_traces(inside)
    )


def _empty_small_bars(traces: list[dict[str, Any]]) -> None:
    """Empty the same bars in counts and percentages: one data set's share a name, counts first."""
    small: dict[str, frozenset[int]] = {}
    for trace in traces:
        if trace["type"] != "bar":
            continue
        empty = small.setdefault(str(trace.get("name")), _find_suppressed(trace["y"]))
        trace["y"] = [0 if i in empty else y for i, y in enumerate(trace["y"])]


def _open_in_shares(picture: Any) -> None:
    """Press the button ``perc``, where there is one: sides of different sizes compare by shares."""
    layout = picture["layout"]
    for menu in layout.get("updatemenus", ()):
        for position, button in enumerate(menu["buttons"]):
            if button["label"] != "perc":
                continue
            shown, changes = button["args"]
            menu["active"] = position
            for trace, visible in zip(picture["data"], shown["visible"], strict=True):
                trace["visible"] = visible
            layout["yaxis"]["title"] = {"text": changes["yaxis"]["title"]}


def _fit_a_phone(layout: Any) -> None:
    """Put the legend below the picture, and leave room for the bars."""
    layout["legend"] = {"orientation": "h", "y": -0.25}
    layout["margin"] = {"l": 48, "r": 8, "t": 56, "b": 48}
    for title in layout.get("annotations", ()):
        title["font"] = {**title.get("font", {}), "size": 11}


def _find_suppressed(counts: list[float]) -> frozenset[int]:
    """Find the bars of one data set that must not be shown."""
    return choose_suppressed({i: round(count) for i, count in enumerate(counts)})


def _clean_row(row: dict[str, Any], sizes: Sizes) -> dict[str, Any]:
    """Clean a column's row of the table: its small histograms and its pictures."""
    drawn = sizes.get(str(row["column_name"]), (0, 0))
    for side, rows in zip(("reference_distribution", "current_distribution"), drawn, strict=True):
        histogram = row.get(side)
        if isinstance(histogram, dict):
            histogram["y"] = _empty_small(histogram["x"], histogram["y"], rows)
    parts = [part for part in row["details"]["parts"] if part.get("title") != "DATA DRIFT"]
    return {**row, "details": {**row["details"], "parts": parts}}


def _empty_small(x: list[Any], y: list[float], rows: int) -> list[float]:
    """Empty small bars; numbers are drawn as densities between edges, categories as counts."""
    counts = y
    if len(x) != len(y):
        counts = [v * (high - low) * rows for v, (low, high) in zip(y, pairwise(x), strict=True)]
    empty = _find_suppressed(counts)
    return [0 if i in empty else v for i, v in enumerate(y)]
