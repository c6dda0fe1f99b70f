"""Read and check some raw files on a worker, and cut their rows by ranges of their keys."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from adapters.s3 import Bucket, Listed, OpenBucket
from domain.contract.contract import Contract
from training_job.dataset import hashing, repeats, tables
from training_job.dataset.partitioned.pieces import Piece, cut
from training_job.dataset.raw_files import FileRows, hash_content
from training_job.dataset.validation import has_values
from training_job.errors import BadData

RANGE_BYTES = 64 * 1024 * 1024
"""How many bytes of raw files are read at a time, and become one range of rows."""
MAXIMUM_RANGES = 256
"""More ranges than workers, and so many groups of files, would cost the scheduler too much time:
each pair of them is a piece of rows."""
GROUPS_PER_WORKER = 4
"""With at least so many groups of files, workers end reading at about the same time."""


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file to read. `index`: its position among all. `has_twin`: another one is as large."""

    index: int
    key: str
    has_twin: bool


@dataclass(frozen=True, slots=True)
class FileReport:
    """What the step needs to know of a file whose rows stay on the workers.

    `file`: without its rows; None of a file that was refused for the reason `refusal`. `digest` and
    `surprise`: see `training_job.dataset.repeats`, where another file has the same size. `rows`
    are the valid ones, `positives` of them are positive. `filled`: context columns with any value.
    """

    file: FileRows | None
    refusal: str = ""
    digest: bytes = b""
    surprise: float = 0.0
    rows: int = 0
    positives: int = 0
    filled: frozenset[str] = frozenset()


def choose_size(listed: Sequence[Listed], workers: int) -> int:
    """Bytes of the files that are read at a time."""
    total = sum(entry.size for entry in listed)
    return max(min(RANGE_BYTES, total // (GROUPS_PER_WORKER * workers)), total // MAXIMUM_RANGES)


def group(listed: Iterable[Listed], size: int) -> Iterator[list[Listed]]:
    """Files in their order, of about so many bytes together; a file is never divided."""
    held: list[Listed] = []
    total = 0
    for entry in listed:
        held.append(entry)
        total += entry.size
        if total >= size:
            yield held
            held, total = [], 0
    if held:
        yield held


def group_files(listed: Sequence[Listed], size: int) -> Iterator[Sequence[RawFile]]:
    """See `group`."""
    alike, index = Counter(entry.size for entry in listed), itertools.count()
    for files in group(listed, size):
        yield [RawFile(next(index), entry.key, alike[entry.size] > 1) for entry in files]


def read_files(
    open_bucket: OpenBucket, files: Sequence[RawFile], *, contract: Contract, ranges: int
) -> tuple[list[list[Piece]], list[FileReport]]:
    """``(pieces of each range, report of each file)``."""
    bucket = open_bucket()
    pieces: list[list[Piece]] = [[] for _ in range(ranges)]
    reports = []
    for file in files:
        found, report = _read(bucket, file, contract, ranges)
        reports.append(report)
        for here, piece in zip(pieces, found, strict=False):
            here.append(piece)
    return pieces, reports


def _read(
    bucket: Bucket, raw: RawFile, contract: Contract, ranges: int
) -> tuple[list[Piece], FileReport]:
    row_id, digest = contract.context_column("row_id"), b""
    with tables.fetched(bucket, raw.key) as path:
        try:
            if raw.has_twin:
                digest = hash_content(path, raw.key, contract)
            file = FileRows.read(path, raw.key, contract, number=row_id is not None)
        except BadData as error:
            return [], FileReport(None, refusal=str(error))
    if not file.parts:
        return [], FileReport(replace(file, parts=[], numbers=[]), digest=digest)
    names = list(file.parts[0])
    columns = {name: np.concatenate([part.pop(name) for part in file.parts]) for name in names}
    keys = (
        hashing.hash_rows(columns, contract)
        if row_id is None
        else columns[row_id].astype(np.uint64, copy=False)
    )
    numbers = np.concatenate(file.numbers) if file.numbers else None
    labels, grouping = columns[contract.target], contract.segment_context
    report = FileReport(
        replace(file, parts=[], numbers=[]),
        digest=digest,
        surprise=repeats.measure_surprise(keys) if raw.has_twin else 0.0,
        rows=len(keys),
        positives=int(labels.sum()),
        filled=frozenset(f.name for f in grouping if has_values(columns[f.name], f)),
    )
    return cut(columns, keys, ranges, file=raw.index, numbers=numbers), report
