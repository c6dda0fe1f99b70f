"""Rows of a file before the contract's rules, with the number of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Numbers = npt.NDArray[np.int64]


@dataclass(slots=True)
class Malformed:
    """Rows of a batch that aren't rows: their numbers, and for each an index into `reasons`."""

    numbers: list[int] = field(default_factory=list)
    why: list[int] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, reason: str) -> None:
        """Note one."""
        self.numbers.append(number)
        self.why.append(self.reasons.setdefault(reason, len(self.reasons)))


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Some rows of one file: the wanted columns, and each row's number in the file.

    `malformed`: rows between these that can't be read. `share`: of the file's bytes or rows that
    have been read so far.
    """

    table: pa.Table
    numbers: Numbers
    malformed: Malformed
    share: float

    @property
    def rows(self) -> int:
        """Rows that could be read and rows that couldn't."""
        return len(self.numbers) + len(self.malformed.numbers)


def make_batch(
    columns: Mapping[str, pa.Array],
    numbers: Numbers,
    malformed: Malformed,
    share: float,
    encoding: str = "",
) -> RawBatch:
    """A batch of columns in which bytes are texts; a row with undecodable bytes is malformed."""
    texts: dict[str, pa.Array] = {}
    undecodable: dict[str, npt.NDArray[np.bool_]] = {}
    for name, column in columns.items():
        array = texts[name] = _plain(column)
        if _is_text(array.type):
            try:
                texts[name] = pc.cast(pc.cast(array, pa.binary()), pa.string())
            except pa.ArrowInvalid:
                values = pc.cast(array, pa.binary()).to_pylist()
                undecodable[name] = np.array([not _is_utf8(value) for value in values])
                texts[name] = pa.array(
                    [v if _is_utf8(v) else None for v in values], pa.binary()
                ).cast(pa.string())
    table = pa.table(texts)
    if undecodable:
        bad = np.logical_or.reduce([*undecodable.values()])
        for place in np.flatnonzero(bad):
            name = next(name for name, mask in undecodable.items() if mask[place])
            known = encoding or "UTF-8"
            malformed.add(int(numbers[place]), f"{name} holds bytes that are not {known} text")
        table, numbers = table.filter(pa.array(~bad)), numbers[~bad]
    return RawBatch(table, numbers, malformed, share)


def _plain(array: pa.Array) -> pa.Array:
    """The array as one of Arrow's own types; of its dictionaries only texts that are valid."""
    if isinstance(array, pa.ExtensionArray):
        if isinstance(array.type, pa.UuidType):
            ids = [None if value is None else str(value) for value in array.to_pylist()]
            return pa.array(ids, pa.string())
        return _plain(array.storage)
    if pa.types.is_dictionary(array.type) and _is_text(array.type.value_type):
        try:
            words = pc.cast(pc.cast(array.dictionary, pa.binary()), pa.string())
        except pa.ArrowInvalid:
            return pc.take(array.dictionary, array.indices)
        return pa.DictionaryArray.from_arrays(array.indices, words)
    return array


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _is_utf8(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
