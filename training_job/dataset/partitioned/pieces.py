"""Rows on their way from the files to ranges of a 64-bit key: cut on one worker, joined on another.

Keys are hashes, so equal parts of their space hold about the same number of rows.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.contract.contract import Contract
from domain.contract.feature import Kind
from training_job.dataset.hashing import Hashes
from training_job.dataset.validation import Columns, target_feature

SPACE = 2**64

Numbers = npt.NDArray[np.int64]

_TYPES: dict[Kind, type[np.generic]] = {
    "category": np.int16,
    "flag": np.int8,
    "number": np.float64,
}


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of one file whose keys are in one range: ascending, equal keys as in the file.

    `file`: its position among all files. `numbers`: of the rows in the file, where the contract has
    a row id.
    """

    file: int
    keys: Hashes
    columns: Columns
    numbers: Numbers


def cut(
    columns: Columns, keys: Hashes, ranges: int, *, file: int = 0, numbers: Numbers | None = None
) -> list[Piece]:
    """One piece per range."""
    order = np.argsort(keys, kind="stable")
    starts = [np.uint64(SPACE * index // ranges) for index in range(1, ranges)]
    ends = np.searchsorted(keys, starts, sorter=order).tolist()
    return [
        Piece(
            file,
            keys[rows],
            {name: values[rows] for name, values in columns.items()},
            np.empty(0, np.int64) if numbers is None else numbers[rows],
        )
        for rows in (order[a:b] for a, b in itertools.pairwise((0, *ends, len(keys))))
    ]


def join(pieces: Sequence[Piece], empty: Columns) -> Piece:
    """The rows of all pieces in their order, with the columns of `empty`; `file` means nothing."""
    return Piece(
        0,
        np.concatenate([np.empty(0, np.uint64), *(piece.keys for piece in pieces)]),
        {
            name: np.concatenate([values, *(piece.columns[name] for piece in pieces)])
            for name, values in empty.items()
        },
        np.concatenate([np.empty(0, np.int64), *(piece.numbers for piece in pieces)]),
    )


def make_empty(contract: Contract) -> Columns:
    """No rows, with the columns and types that the checked rows of every file have."""
    features = (*contract.features, target_feature(contract), *contract.segment_context)
    columns: Columns = {f.name: np.empty(0, _TYPES[f.kind]) for f in features}
    columns |= {name: np.empty(0, np.float64) for name in contract.training_columns.names}
    return columns | {entry.name: np.empty(0, np.uint64) for entry in contract.identifying_context}
