"""From a row of the contract to the model's input vector, one row at a time.

`training_job.model.encoding` does the same for whole columns; a test compares the two.
"""

from array import array
from collections.abc import Sequence

from domain.contract.contract import Contract
from domain.contract.feature import Value

NAN = float("nan")


class Encoder:
    """Numbers and flags as they are, categories one-hot in the contract's order.

    A missing value is NaN in each of the feature's columns, so that trees send it along
    their learned default direction.
    """

    def __init__(self, contract: Contract) -> None:
        missing: list[tuple[float, ...]] = []
        tables: list[dict[str, tuple[float, ...]] | None] = []
        for feature in contract.features:
            width = len(feature.encoded_names)
            missing.append((NAN,) * width)
            tables.append(
                {c: _one_hot(i, width) for i, c in enumerate(feature.categories)}
                if feature.kind == "category"
                else None
            )
        self._plan = tuple(zip(tables, missing, strict=True))

    def encode(self, row: Sequence[Value]) -> "array[float]":
        """`row`: valid values in the contract's order → float32 vector of `encoded_names`."""
        values: list[float] = []
        for value, (table, missing) in zip(row, self._plan, strict=True):
            if value is None:
                values += missing
            elif table is None:
                values.append(value)  # type: ignore[arg-type]  # a valid row has a number here
            else:
                values += table[value]  # type: ignore[index]  # and a listed text here
        return array("f", values)


def _one_hot(index: int, width: int) -> tuple[float, ...]:
    return tuple(1.0 if position == index else 0.0 for position in range(width))
