"""Content hashes of rows, vectorised: who is a duplicate, and which side a row falls on.

A value's 64 bits are mixed with its column's name by the finaliser of SplitMix64 (Steele, Lea and
Flood 2014), then chained over the columns. The hash depends on names and values alone: not on the
order of files, rows or categories, nor on the machine.
"""

import hashlib

import numpy as np
import numpy.typing as npt

from domain.contract.contract import Contract
from training_job.dataset.validation import Columns

Hashes = npt.NDArray[np.uint64]

_SIDES = ("test", "valid", "train", "train", "train", "train", "train", "train")
"""Eighths of the hash space: 1/8 test, 1/8 valid, 6/8 train."""


def feature_hashes(columns: Columns, contract: Contract) -> Hashes:
    """A 64-bit hash of each row's features."""
    rows = len(columns[contract.target])
    hashes = np.zeros(rows, dtype=np.uint64)
    for feature in contract.features:
        values = columns[feature.name]
        if feature.kind == "category":
            table = np.array([_seed(""), *map(_seed, feature.categories)], dtype=np.uint64)
            bits = table[values.astype(np.intp) + 1]
        else:
            numbers = values.astype(np.float64) + 0.0  # -0.0 becomes 0.0
            numbers[np.isnan(numbers)] = np.nan  # one NaN for all
            bits = numbers.view(np.uint64)
        hashes = _mix(hashes ^ _mix(bits ^ _seed(feature.name)))
    return hashes


def row_hashes(features: Hashes, labels: npt.NDArray[np.generic]) -> Hashes:
    """A 64-bit hash of each row, the label included."""
    return _mix(features ^ _mix(labels.astype(np.uint64) + np.uint64(1)))


def sides(features: Hashes, salt: str) -> npt.NDArray[np.str_]:
    """``train``, ``valid`` or ``test`` for each row, from its features alone.

    Rows that differ in the label only fall on the same side, so none leaks.
    """
    eighths = _mix(features ^ _seed(salt)) >> np.uint64(61)
    return np.array(_SIDES)[eighths.astype(np.intp)]


def dataset_id(sorted_hashes: Hashes, contract_version: str, salt: str) -> str:
    """Name of a set of rows under a contract and a salt: 16 hex digits of a sha256."""
    digest = hashlib.sha256(np.ascontiguousarray(sorted_hashes, dtype="<u8").tobytes())
    digest.update(f"\n{contract_version}\n{salt}".encode())
    return digest.hexdigest()[:16]


def _seed(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))


def _mix(bits: Hashes) -> Hashes:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
