"""The header line of a CSV file: where it is, and what separates its fields."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from domain.contract.file_format import SEPARATORS, FileColumn
from training_job.dataset.files.headers import count_matches

COMMENT = b"#"
LONGEST_HEADER = 1024 * 1024
LINES_SEARCHED = 100
_SEPARATOR_LINE = re.compile(rb'"?sep=([\x09\x20-\x7e])\1*"?', re.IGNORECASE)
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|$)")


@dataclass(frozen=True, slots=True)
class CsvHeader:
    """`names` may repeat and may be empty. `end`: where the first row begins, in bytes.

    `skipped`: lines before the header that are comments or name the separator.
    """

    names: tuple[str, ...]
    separator: str
    end: int
    skipped: int

    @property
    def hides_rows(self) -> bool:
        """Whether a name that goes on in further lines has rows in it, behind a stray quote."""
        least = max(len(self.names) - 1, 1)
        lines = (line for name in self.names for line in name.splitlines()[1:])
        return any(line.count(self.separator) >= least for line in lines)


def find_header(head: bytes, columns: Sequence[FileColumn], separator: str) -> CsvHeader | None:
    """The header in the first bytes of a file, or None where there is none but blank lines.

    Blank lines, a line such as ``sep=;`` and lines that begin with ``#`` may stand before it. The
    separator is the declared one, or that which finds most of the wanted columns.
    """
    head = head[:LONGEST_HEADER]
    start = skipped = 0
    announced = ""
    for line in _LINE.finditer(head):
        start, text = line.start(), line.group().strip()
        named = _SEPARATOR_LINE.fullmatch(line.group().strip(b" \r\n"))
        is_comment = text.startswith(COMMENT) and not _is_header(line.group(), columns, separator)
        if named:
            announced = named.group(1).decode()
        elif text and not is_comment:
            break
        skipped += bool(text)
    else:
        return None
    candidates = [separator] if separator else [*filter(None, [announced]), *SEPARATORS]
    found = [(*_first_record(head[start:], candidate), candidate) for candidate in candidates]
    names, used, best = max(found, key=lambda f: (count_matches(f[0], columns), len(f[0])))
    end = start + used
    row, _ = _first_record(head[end:], best)
    return CsvHeader(_without_loose_end(names, row), best, end, skipped)


def find_later_header(head: bytes, columns: Sequence[FileColumn], separator: str) -> int:
    """The number of the first line that names every column that must be there, or 0."""
    for number, line in enumerate(_LINE.finditer(head[:LONGEST_HEADER]), 1):
        if number > LINES_SEARCHED:
            break
        if _is_header(line.group(), columns, separator):
            return number
    return 0


def _without_loose_end(names: tuple[str, ...], row: tuple[str, ...]) -> tuple[str, ...]:
    """The names of as many fields as rows have, if the two differ by a separator at the end."""
    if len(row) == len(names) + 1 and not row[-1]:
        return (*names, "")
    if len(row) == len(names) - 1 and not names[-1]:
        return names[:-1]
    return names


def _is_header(head: bytes, columns: Sequence[FileColumn], separator: str) -> bool:
    """Whether a line that looks like a comment names every column that must be there."""
    required = [column for column in columns if column.required]
    for candidate in [separator] if separator else SEPARATORS:
        if head.count(candidate.encode()) < len(required) - 1:
            continue
        names, _ = _first_record(head, candidate)
        if required and count_matches(names, required) == len(required):
            return True
    return False


def _first_record(head: bytes, separator: str) -> tuple[tuple[str, ...], int]:
    """``(fields, bytes)`` of the first record; bytes that aren't UTF-8 are replaced."""
    text = io.StringIO(head.decode(errors="surrogateescape"), newline="")
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True)
    try:
        record = next(reader, [])
    except csv.Error:
        text.readline()
        record = []
    used = len(text.getvalue()[: text.tell()].encode(errors="surrogateescape"))
    names = (name.encode(errors="surrogateescape").decode(errors="replace") for name in record)
    return tuple(name.strip() for name in names), used
