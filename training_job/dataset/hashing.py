"""Hash rows, vectorised: equal values have equal hashes, whatever they were read from.

A value's bits are mixed with its column's name by the finaliser of SplitMix64 (Steele, Lea and
Flood 2014), then chained over the columns. The hash depends on names and values alone: not on the
order of files, rows or categories, nor on the machine.

Numbers are rounded to float32 first, which is 24 bits or about seven digits: that is all the model
sees of them, and a decimal, a float32 and a text of one value then have one hash.
"""

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.contract import Contract
from domain.contract.feature import Feature

Hashes = npt.NDArray[np.uint64]
Sides = npt.NDArray[np.int8]
"""Per row an index into ``keys.SPLITS``: train, valid, test."""
ENOUGH_OF_A_CLASS = 40
"""With so many rows of a class, valid and test miss it under 1 of 100 salts: 2 (7/8)^40."""

BLOCK_ROWS = 65_536
"""How many rows are hashed at a time: so many fit the processor's cache."""

_EIGHTHS = np.array([2, 1, 0, 0, 0, 0, 0, 0], np.int8)
"""Eighths of the hash space: 1/8 test, 1/8 valid, 6/8 train."""


def hash_rows(columns: Mapping[str, npt.NDArray[np.generic]], contract: Contract) -> Hashes:
    """A 64-bit hash of each row's features, its label, and its subject where there is one."""
    labels = columns[contract.target]
    subject = contract.context_column("subject")
    tables = {f.name: _category_bits(f) for f in contract.features if f.kind == "category"}
    seeds = [_seed(feature.name) for feature in contract.features]
    found = np.empty(len(labels), dtype=np.uint64)
    for start in range(0, len(labels), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        hashes = np.zeros(len(labels[rows]), dtype=np.uint64)
        for feature, seed in zip(contract.features, seeds, strict=True):
            values = columns[feature.name][rows]
            if feature.kind == "category":
                bits = tables[feature.name][values.astype(np.intp) + 1]
            else:
                bits = _number_bits(values)
            hashes = _mix(hashes ^ _mix(bits ^ seed))
        hashes = _mix(hashes ^ _mix(labels[rows].astype(np.uint64) + np.uint64(1)))
        if subject is not None:
            hashes = combine(hashes, columns[subject][rows].astype(np.uint64))
        found[rows] = hashes
    return found


def hash_context(
    columns: Mapping[str, npt.NDArray[np.generic]], contract: Contract
) -> Hashes | None:
    """A hash of each row's time, weight and context columns that define segments; None without any.

    It is apart from the row's own, because the model sees none of them: they must not move a row to
    another side of the split, but for the time in a split by time.
    """
    found: Hashes | None = None
    for feature in contract.segment_context:
        if feature.name not in columns:
            continue
        values = columns[feature.name]
        if feature.kind == "category":
            bits = _category_bits(feature)[values.astype(np.intp) + 1]
        else:
            bits = _number_bits(values)
        hashed = _mix(bits ^ _seed(feature.name))
        found = hashed if found is None else combine(found, hashed)
    time = contract.training_columns.time
    if time in columns:
        hashed = _mix((columns[time].astype(np.float64) + 0.0).view(np.uint64) ^ _seed(time))
        found = hashed if found is None else combine(found, hashed)
    weight = contract.training_columns.weight
    if weight in columns:
        hashed = _mix(_number_bits(columns[weight]) ^ _seed(weight))
        found = hashed if found is None else combine(found, hashed)
    return found


def combine(hashes: Hashes, others: Hashes) -> Hashes:
    """Hashes of pairs."""
    found = np.empty(len(hashes), np.uint64)
    for start in range(0, len(hashes), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        found[rows] = _mix(hashes[rows] ^ _mix(others[rows] + np.uint64(1)))
    return found


def hash_texts(array: pa.Array) -> Hashes:
    """A 64-bit hash of each text; a null has that of ""."""
    texts = pc.cast(array, pa.large_binary())
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset :][: len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    begins = offsets[:-1]
    lengths = np.where(texts.is_null().to_numpy(zero_copy_only=False), 0, np.diff(offsets))
    hashes = _mix(lengths.astype(np.uint64))
    for word in range(0, int(lengths.max(initial=0)), 8):
        rows = np.flatnonzero(lengths > word)
        places = begins[rows, None] + word + np.arange(8)
        inside = word + np.arange(8) < lengths[rows, None]
        found = np.where(inside, data[np.minimum(places, len(data) - 1)], np.uint8(0))
        words = np.ascontiguousarray(found).view("<u8").ravel()
        hashes[rows] = combine(hashes[rows], words.astype(np.uint64))
    return hashes


def assign_sides(hashes: Hashes, salt: str) -> Sides:
    """The side of each row or person."""
    found = np.empty(len(hashes), np.int8)
    seed = _seed(salt)
    for start in range(0, len(hashes), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        found[rows] = _EIGHTHS[(_mix(hashes[rows] ^ seed) >> np.uint64(61)).astype(np.intp)]
    return found


def dataset_id(
    sorted_hashes: Hashes, contract_version: str, salt: str, context: Hashes | None = None
) -> str:
    """Name of rows under a contract and a salt, equal rows counted: 16 hex digits of a sha256.

    `context`: hashes of the rows' context columns, in the same order.
    """
    contexts = () if context is None else (context,)
    return name_parts((sorted_hashes,), contract_version, salt, contexts)


def name_parts(
    parts: Iterable[Hashes], contract_version: str, salt: str, contexts: Iterable[Hashes] = ()
) -> str:
    """The same of rows that come part by part."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part, dtype="<u8").data)
    digest.update(f"\n{contract_version}\n{salt}".encode())
    for part in contexts:
        digest.update(np.ascontiguousarray(part, dtype="<u8").data)
    return digest.hexdigest()[:16]


def _category_bits(feature: Feature) -> Hashes:
    """Bits of a missing value, then of each category."""
    return np.array([_seed(""), *map(_seed, feature.categories)], dtype=np.uint64)


def _number_bits(values: npt.NDArray[np.generic]) -> Hashes:
    with np.errstate(over="ignore"):  # what float32 has no room for is infinite to the model too
        numbers = values.astype(np.float32)
    numbers += np.float32(0)  # -0.0 becomes 0.0
    numbers[np.isnan(numbers)] = np.nan  # one NaN for all
    return numbers.view(np.uint32).astype(np.uint64)


def _seed(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))


def _mix(bits: Hashes) -> Hashes:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


NO_TEXT: np.uint64 = hash_texts(pa.array([""]))[0]
"""The hash of a text that is missing."""
