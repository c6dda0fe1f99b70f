"""Typical values of a reference sample, column by column: together they are no person's row."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from domain.contract.contract import Contract
from domain.contract.feature import Feature
from domain.drift.disclosure import SMALLEST_GROUP
from domain.model.typical import TypicalValue


def find_typical(reference: pa.Table, contract: Contract) -> tuple[TypicalValue, ...]:
    """The median of each number, to two digits, and the commonest value of each other column.

    A value that fewer than eleven rows share is left out, and a number that has fewer values.
    """
    return tuple(_find(reference, contract))


def _find(reference: pa.Table, contract: Contract) -> Iterator[TypicalValue]:
    for feature in contract.features:
        values = reference.column(feature.column).drop_null()
        if feature.kind == "number":
            if len(values) >= SMALLEST_GROUP:
                yield TypicalValue(feature=feature.name, number=_round_median(values, feature))
            continue
        counts = values.combine_chunks().value_counts().to_pylist()
        commonest = max(counts, key=lambda entry: entry["counts"], default=None)
        if commonest is None or commonest["counts"] < SMALLEST_GROUP:
            continue
        value = commonest["values"]
        if feature.kind == "flag":
            yield TypicalValue(feature=feature.name, number=int(value))
        else:
            yield TypicalValue(feature=feature.name, text=str(value))


def _round_median(values: pa.ChunkedArray, feature: Feature) -> float:
    median = float(f"{np.median(values.to_numpy()):.2g}")
    return min(max(median, feature.minimum), feature.maximum)
