"""Raw files as columns of valid rows, and a quarantine of the others."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from adapters.s3 import Bucket, Listed
from domain import keys
from domain.contract.contract import Contract
from training_job.dataset import hashing, repeats, tables
from training_job.dataset.files.headers import show_name
from training_job.dataset.files.hints import advise_rows
from training_job.dataset.files.reading import open_raw
from training_job.dataset.quarantine import Quarantine
from training_job.dataset.validation import Columns, check
from training_job.errors import BadData

NAMED = 20
"""So many ignored files are named in the log; the manifest names all."""
IGNORED = f"names end with none of {', '.join(keys.FORMATS)}, or begin with a dot, underscore or ~$"
REFUSALS_SHOWN = 10
"""So many files that can't be read are named at once."""


@dataclass(slots=True)
class Collected:
    """What the raw files held, column by column.

    `numbers`: the row numbers of each part, if the contract has a row id. `labels_left_out`: of the
    rows in quarantine, how many have a label, and how many of those are positive. `copies`: each
    file that was skipped, and the one of the same content.
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


def collect(
    *, contract: Contract, bucket: Bucket, raw_prefix: str, say: Callable[[str], None]
) -> Collected:
    """Read every file under `raw_prefix`; raises BadData when there is none, or no row in them."""
    listed, ignored = tables.find(bucket, raw_prefix)
    if not listed:
        raise BadData(
            f"There is no {', '.join(keys.FORMATS)} file under {raw_prefix}; upload one first."
            f"{tables.describe_others(ignored)}"
        )
    first = _Contents(listed)
    collected = Collected(ignored=ignored)
    if ignored:
        others = f" and {len(ignored) - NAMED:,} more" if len(ignored) > NAMED else ""
        say(f"ignored, since {IGNORED}: {', '.join(ignored[:NAMED])}{others}")
    refusals: list[str] = []
    for entry in listed:
        try:
            with tables.fetched(bucket, entry.key) as path:
                original = first.find(entry, path)
                if original and _is_copy(collected, original, contract, len(listed)):
                    collected.copies[entry.key] = original
                    say(f"skipped {entry.key}: it is a copy of {original}")
                    continue
                say(_collect_file(collected, path, entry.key, contract))
        except BadData as error:
            refusals.append(str(error))
    if refusals:
        more = len(refusals) - REFUSALS_SHOWN
        shown = "\n".join(refusals[:REFUSALS_SHOWN])
        raise BadData(shown + (f"\n{more:,} more files were refused." if more > 0 else ""))
    if not collected.rows:
        raise BadData(f"No file under {raw_prefix} holds any row: {', '.join(collected.files)}.")
    return collected


class _Contents:
    """Which files have the content of an earlier one; only files of equal size are hashed."""

    def __init__(self, listed: Sequence[Listed]) -> None:
        self._sizes = Counter(entry.size for entry in listed)
        self._first: dict[bytes, str] = {}

    def find(self, entry: Listed, path: Path) -> str | None:
        """The first file of this content, if it is another one."""
        if self._sizes[entry.size] < 2 or not entry.size:
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        first = self._first.setdefault(digest, entry.key)
        return None if first == entry.key else first


def _is_copy(collected: Collected, original: str, contract: Contract, files: int) -> bool:
    """Whether a file of the original's content is a copy of it, and not equal by chance."""
    parts = zip(collected.parts, collected.part_files, strict=True)
    hashes = [hashing.hash_rows(part, contract) for part, file in parts if file == original]
    return bool(hashes) and repeats.is_copy(np.concatenate(hashes), files)


def _collect_file(collected: Collected, path: Path, key: str, contract: Contract) -> str:
    """Read one file; returns a line for the log."""
    bad_before, rows = len(collected.quarantine), 0
    with open_raw(path, key, contract, labelled=True) as file:
        for batch in file.batches:
            checked = check(batch.table, contract)
            collected.parts.append(checked.columns)
            collected.part_files.append(key)
            collected.part_rows.append(len(checked.columns[contract.target]))
            if contract.context_column("row_id"):
                collected.numbers.append(batch.numbers[checked.valid])
            collected.hints.update(dict.fromkeys(checked.hints))
            collected.hints.update(dict.fromkeys(advise_rows(batch.malformed.reasons)))
            collected.labels_left_out += checked.labels_left_out
            collected.quarantine.add_batch(key, batch, checked)
            rows += batch.rows
    collected.files[key] = rows
    collected.extra[key] = list(file.extra)
    collected.absent[key] = list(file.absent)
    line = f"read {key}: {rows:,} rows"
    if bad := len(collected.quarantine) - bad_before:
        line += f", {bad:,} of them in quarantine"
    if file.skipped_lines:
        line += f", {file.skipped_lines:,} lines before the header skipped"
    if file.extra:
        line += f", further columns ignored: {', '.join(map(show_name, file.extra))}"
    if file.absent:
        line += f", columns that are absent and count as missing: {', '.join(file.absent)}"
    return line


def refuse_bad_rows(collected: Collected, bad_row_share: float, bucket: Bucket, key: str) -> None:
    """Raise BadData when more than that share is bad, or all are; they are listed under `key`."""
    bad, rows = len(collected.quarantine), collected.rows
    if bad <= bad_row_share * rows and bad < rows:
        return
    tables.store(collected.quarantine.table(), bucket, key)
    top = collected.quarantine.reasons()
    reasons = ". ".join(f"{rows:,} rows: {reason}" for reason, rows in top.items())
    raise BadData(
        f"{bad:,} of {rows:,} rows break the contract, more than the allowed share of "
        f"{bad_row_share:.1%}. {reasons}. Each of them is listed in {bucket.uri(key)}."
        + "".join(f" {hint}" for hint in collected.hints)
    )
