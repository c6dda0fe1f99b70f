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
        self._empty = array("f", [0.0] * len(contract.encoded_names))
        self._plan: list[tuple[int, int, dict[str, int] | None]] = []
        start = 0
        for feature in contract.features:
            stop = start + len(feature.encoded_names)
            positions = {c: start + i for i, c in enumerate(feature.categories)}
            self._plan.append((start, stop, positions if feature.kind == "category" else None))
            start = stop

    def encode(self, row: Sequence[Value]) -> "array[float]":
        """`row`: valid values in the contract's order → float32 vector of `encoded_names`."""
        vector = self._empty[:]
        for value, (start, stop, positions) in zip(row, self._plan, strict=True):
            if value is None:
                for column in range(start, stop):
                    vector[column] = NAN
            elif positions is None:
                vector[start] = value  # type: ignore[assignment]  # a valid row has a number here
            else:
                vector[positions[value]] = 1.0  # type: ignore[index]  # and a listed text here
        return vector
