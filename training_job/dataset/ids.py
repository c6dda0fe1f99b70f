"""Ids of rows and people, as texts that don't depend on the type of the file's column."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.file_format import USUAL_MISSING

_MISSING = pa.array(sorted(USUAL_MISSING), pa.string())


def read_ids(array: pa.Array) -> pa.Array:
    """One text per row, null where the id is missing or the value can't be an id.

    A whole number is its digits, since tools write a column of whole numbers as ``12.0`` as soon as
    one of them is missing. Blanks around an id don't count.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        return read_ids(pc.cast(array, kind.value_type))
    if pa.types.is_nested(kind):
        return pa.nulls(len(array), pa.string())
    texts = _read_floats(array) if pa.types.is_floating(kind) else pc.cast(array, pa.string())
    texts = pc.utf8_trim_whitespace(texts)
    if pc.any(pc.match_substring(texts, ".0")).as_py():
        texts = pc.replace_substring_regex(texts, r"^([+-]?[0-9]+)\.0+$", r"\1")
    missing = pc.is_in(pc.utf8_lower(texts), _MISSING)
    return pc.if_else(missing, pa.scalar(None, pa.string()), texts)


def find_shortened(ids: pa.Array) -> npt.NDArray[np.bool_]:
    """Which ids are numbers that a spreadsheet wrote as ``1.23457E+11``, and so those of others."""
    if not pc.any(pc.match_substring(ids, "E+")).as_py():
        return np.zeros(len(ids), bool)
    found = pc.match_substring_regex(ids, r"^[1-9]([.,][0-9]+)?E\+[0-9]{2}$")
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), bool)


def _read_floats(array: pa.Array) -> pa.Array:
    numbers = pc.cast(
        pc.cast(array, pa.float32()) if pa.types.is_float16(array.type) else array, pa.float64()
    )
    whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), 2.0**63))
    digits = pc.cast(pc.if_else(whole, numbers, pa.scalar(None, pa.float64())), pa.int64())
    return pc.coalesce(pc.cast(digits, pa.string()), pc.cast(numbers, pa.string()))
