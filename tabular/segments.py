"""Which rows of a table belong to which segment of the contract."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.contract import Contract
from domain.contract.feature import Feature, Segment

NO_GROUP = -1


def list_values(feature: Feature) -> tuple[str, ...]:
    """The values of a category or flag, in the order of its segments' labels."""
    return feature.categories if feature.kind == "category" else ("0", "1")


def assign_groups(
    values: pa.Array | pa.ChunkedArray, segment: Segment, feature: Feature
) -> npt.NDArray[np.int64]:
    """The position of each row's group in ``segment.labels(feature)``.

    Rows without a valid value are NO_GROUP. A band contains its lower bound but not its upper one.
    """
    if segment.bounds:
        numbers = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        return np.where(np.isnan(numbers), NO_GROUP, np.digitize(numbers, segment.bounds))
    texts = pc.cast(values, pa.string())
    codes = pc.index_in(texts, value_set=pa.array(list_values(feature), pa.string()))
    return np.asarray(pc.fill_null(codes, NO_GROUP).to_numpy(zero_copy_only=False))


def segment_masks(table: pa.Table, contract: Contract) -> dict[str, npt.NDArray[np.bool_]]:
    """Which rows belong to each segment, by the segment's name; a missing value belongs to none.

    `table`: columns by the contract's own names. Segments by a context column that the table lacks
    are left out.
    """
    masks: dict[str, npt.NDArray[np.bool_]] = {}
    for segment, feature, labels in contract.segment_groups:
        if segment.feature not in table.column_names:
            continue
        codes = assign_groups(table.column(segment.feature), segment, feature)
        masks |= {name: codes == code for code, name in enumerate(labels)}
    return masks
