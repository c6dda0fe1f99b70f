"""CSV, whatever its dialect, as batches of text columns with each row's exact number.

pyarrow parses one block at a time, and no row crosses the edge of a block, where pyarrow's own
reader of whole files miscounts. Once a block has quotes that aren't those of regular CSV, the rest
of the file goes through Python's `csv` module, which is slower and strict about unclosed quotes.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv

from domain.contract.file_format import FileColumn, FileFormat
from training_job.dataset.files.csv_header import (
    LONGEST_HEADER,
    CsvHeader,
    find_header,
    find_later_header,
)
from training_job.dataset.files.headers import Matched, count_matches, match_columns
from training_job.dataset.files.hints import UNMATCHED_QUOTES
from training_job.dataset.files.raw_batch import Malformed, RawBatch, make_batch
from training_job.dataset.files.text_blocks import (
    LONGEST_ROW,
    Block,
    count_rows,
    find_inner_lines,
    read_blocks,
    read_utf8,
)
from training_job.errors import BadData

FIRST_ROW = 2
"""Row 1 is the header. Blank lines, and lines before the header, are not rows."""
BATCH_ROWS = 50_000
OPEN_QUOTE = (
    " A quote (\") that is opened in that line isn't closed there: remove it, unless a name goes on"
    " in the next line."
)
NO_HEADER = (
    f"has no header line that ends within its first {LONGEST_HEADER // 1024**2} MiB: the column"
    " names must come first, after a few comments at most."
)
NO_SEPARATOR = (
    " That line has nothing that separates names: the header must come first, with commas,"
    ' semicolons, tabs or "|" between its names and without quotes around all of it.'
)

HoldsRow = Callable[[Sequence[Sequence[str]]], bool]
"""Whether one of these lists of fields, in the header's order, is a valid row."""


@dataclass(slots=True)
class CsvFile:
    """An open CSV file, read as far as its header."""

    name: str
    header: CsvHeader
    matched: Matched
    encoding: str
    chunks: Iterator[bytes]
    next_row: int = FIRST_ROW

    @classmethod
    def open(
        cls,
        stream: BinaryIO,
        name: str,
        columns: Sequence[FileColumn],
        files: FileFormat,
        hint: str = "",
    ) -> "CsvFile | None":
        """Read the header; None if the file is empty.

        Raises BadData; `hint` ends the refusal of a header.
        """
        chunks = read_utf8(stream, files.encoding)
        first = next(chunks, b"")
        while len(first) < LONGEST_HEADER and (chunk := next(chunks, b"")):
            first += chunk
        header = find_header(first, columns, files.separator)
        if len(first) > LONGEST_HEADER and (header is None or header.end >= LONGEST_HEADER):
            raise BadData(f"{name} {NO_HEADER}{OPEN_QUOTE if header else ''}")
        if header is None:
            return None
        if "\N{REPLACEMENT CHARACTER}" in "".join(header.names):
            hint += " It isn't in UTF-8: declare its encoding under [files] in the contract."
        if any(len(text.splitlines()) > 1 for text in header.names):
            hint = OPEN_QUOTE + hint
        elif len(header.names) == 1 < len(columns):
            hint = NO_SEPARATOR + hint
        required = [column for column in columns if column.required]
        if count_matches(header.names, required) < len(required):
            later = find_later_header(first, columns, files.separator)
            hint = f" Line {later} has these names: remove the lines above it." if later else hint
        matched = match_columns(header.names, columns, name, hint)
        if header.hides_rows:
            raise BadData(f"{name}: rows are part of a name in its header.{OPEN_QUOTE}")
        rest = chain([first[header.end :]], chunks)
        return cls(name, header, matched, files.encoding, rest)

    def read(self, holds_row: HoldsRow, share: Callable[[], float]) -> Iterator[RawBatch]:
        """All rows in batches; `share` tells how much of the file has been read.

        `holds_row` tells a note of several lines from rows that lie between two stray quotes.
        Raises BadData where a quote swallows rows.
        """
        separator = self.header.separator.encode()
        blocks = read_blocks(self.chunks, separator)
        for block in blocks:
            batch = None
            if block.regular and not self._swallows_rows(block, holds_row):
                batch = self._parse(block, share())
            if batch is None:
                data = chain([block.data], (following.data for following in blocks))
                yield from self._read_exactly(data, holds_row, share)
                return
            yield batch

    def _swallows_rows(self, block: Block, holds_row: HoldsRow) -> bool:
        width, separator = len(self.header.names), self.header.separator
        lines = find_inner_lines(block, separator.encode(), width)
        texts = (line.decode(errors="replace") for line in lines)
        return bool(lines) and holds_row(list(csv.reader(texts, delimiter=separator)))

    def _parse(self, block: Block, share: float) -> RawBatch | None:
        """The block's rows by pyarrow; None if it found another number of them than there are."""
        width = len(self.header.names)
        blank: list[int] = []
        short: list[tuple[int, int]] = []

        def note(row: pyarrow.csv.InvalidRow) -> str:
            if row.text.strip():
                short.append((row.number, row.actual_columns))
            else:
                blank.append(row.number)
            return "skip"

        names = [str(place) for place in range(width)]
        wanted = {name: str(place) for name, place in self.matched.positions.items()}
        table = pyarrow.csv.read_csv(
            pa.BufferReader(block.data),
            read_options=pyarrow.csv.ReadOptions(
                column_names=names, block_size=len(block.data) + 1, use_threads=False
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=self.header.separator,
                newlines_in_values=bool(len(block.quotes)),
                invalid_row_handler=note,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(wanted.values()),
                column_types=dict.fromkeys(wanted.values(), pa.binary()),
                strings_can_be_null=False,
            ),
        )
        parsed = table.num_rows + len(short)
        if parsed != count_rows(block, parsed + len(blank)) - len(blank):
            return None
        malformed = Malformed()
        numbers = np.arange(self.next_row, self.next_row + parsed, dtype=np.int64)
        if short or blank:
            places = np.arange(1, parsed + len(blank) + 1)
            number_of = dict(
                zip(places[~np.isin(places, blank)].tolist(), numbers.tolist(), strict=True)
            )
            for place, fields in short:
                malformed.add(number_of[place], _ragged(fields, width))
            numbers = numbers[~np.isin(numbers, malformed.numbers)]
        self.next_row += parsed
        columns = {name: _joined(table.column(place)) for name, place in wanted.items()}
        return make_batch(columns, numbers, malformed, share, self.encoding)

    def _read_exactly(
        self, data: Iterator[bytes], holds_row: HoldsRow, share: Callable[[], float]
    ) -> Iterator[RawBatch]:
        csv.field_size_limit(LONGEST_ROW // 2)
        text = io.TextIOWrapper(
            io.BufferedReader(_Chunks(data)), "utf-8", errors="surrogateescape", newline=""
        )
        reader = csv.reader(
            text, delimiter=self.header.separator, skipinitialspace=True, strict=True
        )
        width = len(self.header.names)
        rows: list[list[str]] = []
        numbers: list[int] = []
        malformed = Malformed()
        while True:
            line = reader.line_num
            try:
                record = next(reader)
            except StopIteration:
                break
            except csv.Error:
                if reader.line_num > line + 1:
                    raise BadData(self._describe_open_quote()) from None
                malformed.add(self.next_row, UNMATCHED_QUOTES)
                self.next_row += 1
                continue
            if not record or (width > 1 and len(record) == 1 and not record[0].strip()):
                continue
            if reader.line_num > line + 1 and self._hides_rows(record, holds_row):
                raise BadData(self._describe_open_quote())
            if len(record) == width:
                rows.append(record)
                numbers.append(self.next_row)
            else:
                malformed.add(self.next_row, _ragged(len(record), width))
            self.next_row += 1
            if len(rows) + len(malformed.numbers) >= BATCH_ROWS:
                yield self._batch(rows, numbers, malformed, share())
                rows, numbers, malformed = [], [], Malformed()
        if rows or malformed.numbers:
            yield self._batch(rows, numbers, malformed, share())

    def _hides_rows(self, record: Sequence[str], holds_row: HoldsRow) -> bool:
        lines = [line for text in record for line in io.StringIO(text, newline=None)][1:]
        fields = csv.reader(lines, delimiter=self.header.separator)
        rows = [row for row in fields if len(row) == len(self.header.names)]
        return bool(rows) and holds_row(rows)

    def _describe_open_quote(self) -> str:
        return (
            f"{self.name}, row {self.next_row}: it opens a quote (\") that its field doesn't"
            " close, so the rows after it would be read as one text. Remove the quote or close it."
        )

    def _batch(
        self, rows: list[list[str]], numbers: list[int], malformed: Malformed, share: float
    ) -> RawBatch:
        columns = {
            name: pa.array(
                [row[place].encode(errors="surrogateescape") for row in rows], pa.binary()
            )
            for name, place in self.matched.positions.items()
        }
        return make_batch(columns, np.array(numbers, np.int64), malformed, share, self.encoding)


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a readable stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # always called with one
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)


def _ragged(fields: int, width: int) -> str:
    return f"has {fields} field{'s'[: fields != 1]}, and the header has {width}"


def _joined(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
