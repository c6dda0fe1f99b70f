"""Values of a column, whatever type the file gives it: codes, numbers, times and weights.

What a text means is said by `domain.contract.file_values`.
"""

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.feature import LARGEST, Feature
from domain.contract.file_format import Decimal
from domain.contract.file_values import (
    MISSING,
    NUMBER,
    UNREADABLE,
    CodedText,
    NumberText,
    parse_number,
    parse_time,
)
from training_job.dataset import row_weights
from training_job.dataset.time_split import TimeKind


def read_times(
    array: pa.Array, decimal: Decimal
) -> tuple[npt.NDArray[np.float64], frozenset[TimeKind]]:
    """``(times, kinds)``: seconds since 1970 of dates, numbers as they are, NaN for neither."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return read_times(pc.cast(array, kind.value_type), decimal)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone = kind.tz if pa.types.is_timestamp(kind) else None
        micros = pc.cast(array, pa.timestamp("us", zone), safe=False).cast(pa.int64())
        values = np.asarray(micros.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        return values / 1e6, _name_kinds("dates", values)
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        values = _as_doubles(array)
        values = np.where(np.isfinite(values), values, np.nan)
        return values, _name_kinds("numbers", values)
    if not pa.types.is_string(kind):
        return np.full(len(array), np.nan), frozenset()
    encoded = array.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    numbers = [parse_number(text, decimal) for text in texts]
    read = [n if n is not None else parse_time(t) for t, n in zip(texts, numbers, strict=True)]
    found = np.array([*(np.nan if n is None or math.isinf(n) else n for n in read), np.nan])
    values = found[pc.fill_null(encoded.indices, len(texts)).to_numpy(zero_copy_only=False)]
    is_number = np.array([n is not None for n in numbers], bool)
    return values, (
        _name_kinds("numbers", found[:-1][is_number]) | _name_kinds("dates", found[:-1][~is_number])
    )


def read_weights(
    array: pa.Array, decimal: Decimal
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """``(weights, bad)``; rounded to float32, which is all that XGBoost takes."""
    weight = Feature(name="weight", kind="number", minimum=-LARGEST, maximum=LARGEST)
    numbers, unreadable = read_numbers(array, NumberText(weight, decimal))
    with np.errstate(over="ignore"):
        values = numbers.astype(np.float32).astype(np.float64)
    return values, unreadable | ~((values > 0) & (values <= row_weights.LARGEST))


def _name_kinds(kind: TimeKind, values: npt.NDArray[np.float64]) -> frozenset[TimeKind]:
    return frozenset([kind]) if np.isfinite(values).any() else frozenset()


def read_codes(array: pa.Array, texts: CodedText, categories: int) -> npt.NDArray[np.int16]:
    """Codes of a category or a flag, each distinct value read once."""
    if pa.types.is_boolean(array.type) and not categories:
        truths = np.array([texts.code("false"), texts.code("true"), MISSING], np.int16)
        places = pc.fill_null(pc.cast(array, pa.int8()), 2).to_numpy(zero_copy_only=False)
        return np.asarray(truths.take(places))
    if pa.types.is_nested(array.type):
        missing = array.is_null().to_numpy(zero_copy_only=False)
        return np.where(missing, np.int16(MISSING), np.int16(UNREADABLE))
    if pa.types.is_float16(array.type):
        array = pa.array(_as_doubles(array))
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    values = encoded.dictionary
    if pa.types.is_floating(values.type):
        values = pa.array(_as_doubles(values))
    codes = [texts.code(_as_text(value)) for value in values.to_pylist()]
    places = pc.fill_null(encoded.indices, len(codes)).to_numpy(zero_copy_only=False)
    return np.asarray(np.array([*codes, MISSING], np.int16).take(places))


def _as_text(value: object) -> str:
    """A typed value as a file of texts would have it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def read_numbers(
    array: pa.Array, texts: NumberText
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """``(values, unreadable)``: NaN where a value is missing or unreadable.

    A decimal or a narrow float becomes the double that its shortest text is, so that the same
    number has the same bits in CSV and in every type of Parquet.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        values, unreadable = read_numbers(array.dictionary, texts)
        places = pc.fill_null(array.indices, len(values)).to_numpy(zero_copy_only=False)
        return np.append(values, np.nan)[places], np.append(unreadable, False)[places]
    if pa.types.is_string(kind):
        values, unreadable = _parse_numbers(array, texts)
    elif pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        values = _as_doubles(array)
        unreadable = np.zeros(len(values), bool)
    else:
        values = np.full(len(array), np.nan)
        unreadable = ~array.is_null().to_numpy(zero_copy_only=False)
    if texts.missing_numbers:
        values = np.where(np.isin(values, texts.missing_numbers), np.nan, values)
    return values, unreadable


def _as_doubles(array: pa.Array) -> npt.NDArray[np.float64]:
    kind = array.type
    if pa.types.is_float16(kind):
        shortest = [None if value is None else str(value) for value in array.to_numpy(False)]
        array = pa.array(shortest, pa.string(), mask=array.is_null().to_numpy(False))
    elif pa.types.is_float32(kind) or pa.types.is_decimal(kind):
        array = pc.cast(array, pa.string())
    numbers = pc.cast(array, pa.float64(), safe=False)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64)


def _parse_numbers(
    array: pa.Array, texts: NumberText
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The same of texts: plain numbers all at once, each other distinct text by itself."""
    plain = array
    if texts.decimal == ",":
        clean = pc.utf8_trim_whitespace(array)
        clean = pc.if_else(pc.match_substring(clean, "."), None, clean)
        plain = pc.replace_substring(clean, ",", ".")
    try:
        numbers = pc.cast(plain, pa.float64())
    except pa.ArrowInvalid:
        plain = pc.utf8_trim_whitespace(plain)
        plain = pc.if_else(pc.match_substring_regex(plain, f"^({NUMBER})$"), plain, None)
        numbers = pc.cast(plain, pa.float64())
    values = np.array(numbers.to_numpy(zero_copy_only=False), np.float64)
    unreadable = np.zeros(len(values), bool)
    # Arrow takes "inf" for a number, and the contract may call it missing.
    others = np.flatnonzero(~np.isfinite(values) & array.is_valid().to_numpy(zero_copy_only=False))
    if len(others):
        encoded = array.take(pa.array(others)).dictionary_encode()
        read = [texts.number(text) for text in encoded.dictionary.to_pylist()]
        places = encoded.indices.to_numpy()
        values[others] = np.array([np.nan if n is None else n for n in read])[places]
        unreadable[others] = np.array([n is None for n in read])[places]
    return values, unreadable
