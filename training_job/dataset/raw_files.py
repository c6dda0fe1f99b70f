"""Raw files as columns of valid rows, and a quarantine of the others."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from adapters.s3 import Bucket, Listed
from domain import keys
from domain.contract.contract import Contract
from domain.plural import agree, write_count
from training_job.dataset import hashing, repeats, tables
from training_job.dataset.files.headers import show_name
from training_job.dataset.files.hints import advise_rows
from training_job.dataset.files.reading import open_raw, read_partitions
from training_job.dataset.quarantine import Quarantine
from training_job.dataset.time_split import TimeKind, refuse_mixed_times
from training_job.dataset.validation import Columns, check
from training_job.errors import BadData

NAMED = 20
"""How many ignored files the log names at most; the manifest names all."""
IGNORED = f"names end with none of {', '.join(keys.FORMATS)}, or begin with a dot, underscore or ~$"
REFUSALS_SHOWN = 10
"""How many files that can't be read one refusal names at most."""


@dataclass(slots=True)
class FileRows:
    """What one file held.

    `parts`: columns of its valid rows. `numbers`: the row numbers of each part, where they were
    asked for. `labels_left_out`: of the rows in quarantine, how many have a label, and how many of
    those are positive. `rows`: good and bad ones.
    """

    key: str
    parts: list[Columns] = field(default_factory=list)
    numbers: list[npt.NDArray[np.int64]] = field(default_factory=list)
    rows: int = 0
    labels_left_out: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    quarantine: Quarantine = field(default_factory=Quarantine)
    extra: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    hints: dict[str, None] = field(default_factory=dict)
    times: set[TimeKind] = field(default_factory=set)
    skipped_lines: int = 0

    @classmethod
    def read(cls, path: Path, key: str, contract: Contract, *, number: bool) -> Self:
        """Read and check a local copy of the file; raises BadData."""
        found = cls(key)
        with open_raw(path, key, contract, labelled=True) as file:
            for batch in file.batches:
                checked = check(batch.table, contract)
                found.parts.append(checked.columns)
                if number:
                    found.numbers.append(batch.numbers[checked.valid])
                found.hints.update(dict.fromkeys(checked.hints))
                found.hints.update(dict.fromkeys(advise_rows(batch.malformed.reasons)))
                found.labels_left_out += checked.labels_left_out
                found.times |= checked.times
                found.quarantine.add_batch(key, batch, checked)
                found.rows += batch.rows
        found.extra, found.absent = list(file.extra), list(file.absent)
        found.skipped_lines = file.skipped_lines
        return found

    def describe(self) -> str:
        """A line for the log."""
        line = f"read {self.key}: {write_count(self.rows, 'row')}"
        if bad := len(self.quarantine):
            line += f", {bad:,} of them in quarantine"
        if self.skipped_lines:
            line += f", {write_count(self.skipped_lines, 'line')} before the header skipped"
        if self.extra:
            named = ", ".join(map(show_name, self.extra))
            line += f", further columns ignored: {named}"
        if self.absent:
            line += f", columns that are absent and count as missing: {', '.join(self.absent)}"
        return line


@dataclass(slots=True)
class Collected:
    """What the raw files held, column by column.

    `numbers`: the row numbers of each part, if the contract has a row id. `labels_left_out`: of the
    rows in quarantine, how many have a label, and how many of those are positive. `copies`: each
    file that was skipped, and the one of the same content. `times`: what the column of times holds.
    """

    parts: list[Columns] = field(default_factory=list)
    part_files: list[str] = field(default_factory=list)
    part_rows: list[int] = field(default_factory=list)
    numbers: list[npt.NDArray[np.int64]] = field(default_factory=list)
    labels_left_out: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    copies: dict[str, str] = field(default_factory=dict)
    quarantine: Quarantine = field(default_factory=Quarantine)
    ignored: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    extra: dict[str, list[str]] = field(default_factory=dict)
    absent: dict[str, list[str]] = field(default_factory=dict)
    hints: dict[str, None] = field(default_factory=dict)
    times: set[TimeKind] = field(default_factory=set)

    def add(self, file: FileRows) -> None:
        """Put the rows of a file in."""
        for part in file.parts:
            self.parts.append(part)
            self.part_files.append(file.key)
            self.part_rows.append(len(next(iter(part.values()))))
        self.numbers += file.numbers
        self.labels_left_out += file.labels_left_out
        self.quarantine.extend(file.quarantine)
        self.hints.update(file.hints)
        self.times |= file.times
        self.files[file.key] = file.rows
        self.extra[file.key] = file.extra
        self.absent[file.key] = file.absent

    @property
    def rows(self) -> int:
        """Rows read, good and bad."""
        return sum(self.files.values())

    def columns(self) -> Columns:
        """All valid rows; empties the parts, so that memory holds the rows about once."""
        names = list(self.parts[0])
        return {name: np.concatenate([part.pop(name) for part in self.parts]) for name in names}

    def origin(self) -> tuple[list[str], npt.NDArray[np.int64]]:
        """Files with valid rows, in order, and where the rows of each end."""
        rows: dict[str, int] = {}
        for file, count in zip(self.part_files, self.part_rows, strict=True):
            rows[file] = rows.get(file, 0) + count
        files = [file for file, count in rows.items() if count]
        return files, np.cumsum([rows[file] for file in files], dtype=np.int64)

    def quarantine_positions(
        self, positions: npt.NDArray[np.intp], reason: str, subjects: hashing.Hashes | None
    ) -> None:
        """Put valid rows into the quarantine after all; `numbers` must have been kept.

        `subjects`: a hash of the subject of every valid row, if the contract has one.
        """
        start = 0
        for file, numbers in zip(self.part_files, self.numbers, strict=True):
            here = positions[(positions >= start) & (positions < start + len(numbers))] - start
            people = None if subjects is None else subjects[here + start]
            why = np.zeros(len(here), np.intp)
            self.quarantine.add(file, numbers[here], [reason], why, people)
            start += len(numbers)


def list_raw(
    bucket: Bucket, raw_prefix: str, say: Callable[[str], None]
) -> tuple[list[Listed], list[str]]:
    """``(files to read, keys that are ignored)`` under `raw_prefix`; raises BadData without any."""
    listed, ignored = tables.find(bucket, raw_prefix)
    if not listed:
        raise BadData(
            f"There is no {', '.join(keys.FORMATS)} file under {raw_prefix}; upload one first."
            f"{tables.describe_others(ignored)}"
        )
    if ignored:
        others = f" and {len(ignored) - NAMED:,} more" if len(ignored) > NAMED else ""
        say(f"ignored, since {IGNORED}: {', '.join(ignored[:NAMED])}{others}")
    return listed, ignored


def collect(
    *, contract: Contract, bucket: Bucket, raw_prefix: str, say: Callable[[str], None]
) -> Collected:
    """Read every file under `raw_prefix`; raises BadData when there is none, or no row in them."""
    listed, ignored = list_raw(bucket, raw_prefix, say)
    first = _Contents(listed, contract)
    collected = Collected(ignored=ignored)
    number = contract.context_column("row_id") is not None
    refusals: list[str] = []
    for entry in listed:
        try:
            with tables.fetched(bucket, entry.key) as path:
                original = first.find(entry, path)
                if original and _is_copy(collected, original, contract, len(listed)):
                    collected.copies[entry.key] = original
                    say(describe_copy(entry.key, original))
                    continue
                file = FileRows.read(path, entry.key, contract, number=number)
        except BadData as error:
            refusals.append(str(error))
        else:
            collected.add(file)
            say(file.describe())
    refuse_files(collected, refusals, raw_prefix, contract)
    return collected


def describe_copy(key: str, original: str) -> str:
    """A line for the log about a file that is skipped."""
    return f"skipped {key}: it is a copy of {original}"


def refuse_files(
    collected: Collected, refusals: Sequence[str], raw_prefix: str, contract: Contract
) -> None:
    """Raise BadData when files can't be read, hold no row, or their times have no common order."""
    if refusals:
        more = len(refusals) - REFUSALS_SHOWN
        shown = "\n".join(refusals[:REFUSALS_SHOWN])
        if more > 0:
            shown += f"\n{write_count(more, 'more file')} {agree(more, 'was', 'were')} refused."
        raise BadData(shown)
    if not collected.rows:
        raise BadData(f"No file under {raw_prefix} holds any row: {', '.join(collected.files)}.")
    refuse_mixed_times(collected.times, contract.training_columns.time)


class _Contents:
    """Which files have the content of an earlier one; only files of equal size are hashed."""

    def __init__(self, listed: Sequence[Listed], contract: Contract) -> None:
        self._contract = contract
        self._sizes = Counter(entry.size for entry in listed)
        self._first: dict[bytes, str] = {}

    def find(self, entry: Listed, path: Path) -> str | None:
        """The first file of this content, if it is another one."""
        if self._sizes[entry.size] < 2 or not entry.size:
            return None
        digest = hash_content(path, entry.key, self._contract)
        first = self._first.setdefault(digest, entry.key)
        return None if first == entry.key else first


def hash_content(path: Path, key: str, contract: Contract) -> bytes:
    """A sha256 of a file and of what its folders say about its rows; raises BadData."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    columns = contract.file_columns(labelled=True)
    digest.update(repr(sorted(read_partitions(key, contract, columns).items())).encode())
    return digest.digest()


def _is_copy(collected: Collected, original: str, contract: Contract, files: int) -> bool:
    """Whether a file of the original's content is a copy of it, and not equal by chance."""
    parts = zip(collected.parts, collected.part_files, strict=True)
    hashes = [hashing.hash_rows(part, contract) for part, file in parts if file == original]
    return bool(hashes) and repeats.is_copy(np.concatenate(hashes), files)


def refuse_bad_rows(collected: Collected, bad_row_share: float, bucket: Bucket, key: str) -> None:
    """Raise BadData when more than that share is bad, or all are; they are listed under `key`."""
    bad, rows = len(collected.quarantine), collected.rows
    if bad <= bad_row_share * rows and bad < rows:
        return
    tables.store(collected.quarantine.table(), bucket, key)
    top = collected.quarantine.reasons()
    reasons = ". ".join(f"{write_count(rows, 'row')}: {reason}" for reason, rows in top.items())
    raise BadData(
        f"{bad:,} of {write_count(rows, 'row')} {agree(bad, 'breaks', 'break')} the contract, more "
        f"than the allowed share of {bad_row_share:.1%}. {reasons}. Each of them is listed in "
        f"{bucket.uri(key)}." + "".join(f" {hint}" for hint in collected.hints)
    )
