"""Rows that can't be used: where each of them lies, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.contract.records import SUBJECT_KEY
from training_job.dataset.files.raw_batch import RawBatch
from training_job.dataset.hashing import NO_TEXT, Hashes
from training_job.dataset.validation import Checked

TOP_REASONS = 5

Codes = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.int64]


@dataclass(slots=True)
class Quarantine:
    """A few bytes per row, not a text, so that even a file of bad rows alone can be reported."""

    files: list[Codes] = field(default_factory=list)
    numbers: list[Numbers] = field(default_factory=list)
    why: list[Codes] = field(default_factory=list)
    subjects: list[Hashes] = field(default_factory=list)
    file_codes: dict[str, int] = field(default_factory=dict)
    reason_codes: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self.numbers))

    def add(
        self,
        file: str,
        numbers: npt.ArrayLike,
        reasons: Sequence[str],
        why: npt.ArrayLike,
        subjects: Hashes | None = None,
    ) -> None:
        """Put rows of a file in: their numbers, and per row an index into `reasons`.

        `subjects`: a hash of each row's subject, where it is known.
        """
        found = np.asarray(numbers, np.int64)
        if not len(found):
            return
        codes = [self.reason_codes.setdefault(text, len(self.reason_codes)) for text in reasons]
        code = self.file_codes.setdefault(file, len(self.file_codes))
        self.files.append(np.full(len(found), code, np.int32))
        self.numbers.append(found)
        self.why.append(np.asarray(codes, np.int32)[np.asarray(why, np.intp)])
        unknown = np.broadcast_to(np.uint64(NO_TEXT), len(found))  # takes no memory
        self.subjects.append(unknown if subjects is None else subjects)

    def add_batch(self, file: str, batch: RawBatch, checked: Checked) -> None:
        """Put in what is wrong with a batch."""
        self.add(
            file, batch.numbers[~checked.valid], checked.reasons, checked.why, checked.subjects
        )
        malformed = batch.malformed
        self.add(file, malformed.numbers, list(malformed.reasons), malformed.why)

    def extend(self, other: "Quarantine") -> None:
        """Put in all rows of another one, in its order."""
        names, reasons = list(other.file_codes), list(other.reason_codes)
        rows = zip(other.files, other.numbers, other.why, other.subjects, strict=True)
        for files, numbers, why, subjects in rows:
            self.add(names[files[0]], numbers, reasons, why, subjects)  # an entry is of one file

    def reasons(self) -> dict[str, int]:
        """The most frequent reasons, each with the number of its rows, the first the largest."""
        counts = np.bincount(_joined(self.why, np.int32), minlength=len(self.reason_codes))
        texts = list(self.reason_codes)
        first = np.argsort(-counts, kind="stable")[:TOP_REASONS]
        return {texts[i]: int(counts[i]) for i in first}

    def table(self) -> pa.Table:
        """A row per row: file, row, reason, and a hash of the subject where any is known."""
        files, why = _joined(self.files, np.int32), _joined(self.why, np.int32)
        columns = {
            "file": _coded(files, self.file_codes),
            "row": _joined(self.numbers, np.int64),
            "reason": _coded(why, self.reason_codes),
        }
        subjects = _joined(self.subjects, np.uint64)
        if (subjects != NO_TEXT).any():
            columns[SUBJECT_KEY] = pa.array(subjects, mask=subjects == NO_TEXT)
        return pa.table(columns)


def _joined(parts: Sequence[npt.NDArray[np.generic]], kind: type) -> npt.NDArray[np.generic]:
    return np.concatenate([np.empty(0, kind), *parts])


def _coded(codes: npt.NDArray[np.generic], texts: dict[str, int]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(texts, pa.string()))
