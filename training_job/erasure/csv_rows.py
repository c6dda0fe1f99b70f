"""Take people's rows out of a CSV file; every other byte stays as it is.

A block of rows is looked at more closely only if the bytes of an identifier are in it.
"""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv

from domain.contract.contract import Contract
from domain.contract.file_format import FileColumn
from training_job.dataset.files.content import open_content
from training_job.dataset.files.csv_header import LONGEST_HEADER, find_header
from training_job.dataset.files.text_blocks import (
    LONGEST_ROW,
    Block,
    find_encoding,
    find_line_starts,
    read_blocks,
    read_utf8,
)
from training_job.erasure.wanted import PEOPLE_COLUMNS, Roles, Wanted

Part = tuple[bytes, int]
"""Bytes that stay, and how many rows were left out before or among them."""


def count_rows(source: Path, wanted: Wanted, contract: Contract) -> int | None:
    """How many rows are theirs; None for a file that says of no row whose it is."""
    with open_content(source, source.name) as (_, unpacked, _):
        parts = _read(unpacked, wanted, contract)
        return None if parts is None else sum(erased for _, erased in parts)


def rewrite(source: Path, target: Path, wanted: Wanted, contract: Contract) -> int:
    """Write the file without their rows; returns how many were left out."""
    erased = 0
    with open_content(source, source.name) as (_, unpacked, stored), target.open("wb") as file:
        mark, encoding = find_encoding(unpacked.read(LONGEST_HEADER), contract.files.encoding)
        unpacked.seek(0)
        sink: BinaryIO = file
        if unpacked is not stored:
            sink = cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=file, mtime=0))
        sink.write(mark)
        for data, left_out in _read(unpacked, wanted, contract) or ():
            sink.write(_encode(data, encoding))
            erased += left_out
        if sink is not file:
            sink.close()
    return erased


def _encode(data: bytes, encoding: str) -> bytes:
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        return data
    return data.decode(errors="surrogateescape").encode(encoding, errors="surrogateescape")


def _read(stream: BinaryIO, wanted: Wanted, contract: Contract) -> Iterator[Part] | None:
    """The file's bytes as UTF-8, without their rows; None without a column that says whose."""
    chunks = read_utf8(stream, contract.files.encoding)
    first = next(chunks, b"")
    while len(first) < LONGEST_HEADER and (chunk := next(chunks, b"")):
        first += chunk
    logged = [FileColumn(name, name, required=False) for name in PEOPLE_COLUMNS]
    columns = [*contract.file_columns(labelled=True), *logged]
    for separator in dict.fromkeys((contract.files.separator, "")):
        header = find_header(first, columns, separator)
        roles = Roles.of(header.names if header else (), contract)
        if header and roles.positions:
            probes = wanted.choose_probes(roles)
            finder = _Finder(roles, len(header.names), header.separator, wanted, probes)
            rest = chain([first[header.end :]], chunks)
            return chain([(first[: header.end], 0)], finder.filter_blocks(rest))
    return None


@dataclass(frozen=True, slots=True)
class _Finder:
    roles: Roles
    width: int
    separator: str
    wanted: Wanted
    probes: tuple[bytes, ...] | None

    def filter_blocks(self, chunks: Iterator[bytes]) -> Iterator[Part]:
        blocks = read_blocks(chunks, self.separator.encode())
        for block in blocks:
            if not block.regular:
                rest = chain([block.data], (following.data for following in blocks))
                yield from self._filter_lines(rest)
                return
            if self.probes is not None and not any(p in block.data for p in self.probes):
                yield block.data, 0
                continue
            yield self._filter(block)

    def _filter(self, block: Block) -> Part:
        """Look at the rows of a regular block that may be theirs."""
        data = block.data
        starts = find_line_starts(block)
        ends = np.append(starts[1:], len(data))
        candidates = self._candidates(block, starts)
        texts = [data[starts[row] : ends[row]] for row in candidates]
        theirs = [row for row, hit in zip(candidates, self._find(texts), strict=True) if hit]
        if not theirs:
            return data, 0
        kept, last = [], 0
        for row in theirs:
            kept.append(data[last : starts[row]])
            last = int(ends[row])
        kept.append(data[last:])
        return b"".join(kept), len(theirs)

    def _candidates(self, block: Block, starts: "np.typing.NDArray[np.intp]") -> Sequence[int]:
        """Rows that hold the bytes of an identifier, or, of many identifiers, one as a value."""
        if self.probes is None:
            return self._parse_candidates(block, len(starts))
        places = [at for probe in self.probes for at in _find_all(block.data, probe)]
        rows = np.searchsorted(starts, places, side="right") - 1
        return cast("list[int]", np.unique(rows).tolist())

    def _parse_candidates(self, block: Block, rows: int) -> Sequence[int]:
        """By pyarrow; every row of a block that it doesn't take for as many rows as it has."""
        names = [str(place) for place in range(self.width)]
        wanted = [str(place) for place in self.roles.positions]
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(block.data),
                read_options=pyarrow.csv.ReadOptions(
                    column_names=names, block_size=len(block.data) + 1, use_threads=False
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.separator, newlines_in_values=bool(len(block.quotes))
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=wanted,
                    column_types=dict.fromkeys(wanted, pa.string()),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:  # a row of another width, or bytes that aren't UTF-8
            return range(rows)
        if table.num_rows != rows:
            return range(rows)
        arrays = {
            place: table.column(str(place)).combine_chunks() for place in self.roles.positions
        }
        found = self.wanted.find_rows(self.roles.choose(arrays), rows)
        return np.flatnonzero(found).tolist()

    def _find(self, texts: Sequence[bytes]) -> list[bool]:
        """Which of these texts of one row each are theirs."""
        records = [self._parse(text) for text in texts]
        arrays = {
            place: pa.array(
                [record[place] if len(record) > place else None for record in records], pa.string()
            )
            for place in self.roles.positions
        }
        found = self.wanted.find_rows(self.roles.choose(arrays), len(records))
        # A row of another width may have its fields in the wrong places.
        known = self.wanted.subject_texts
        return [
            bool(hit) or (len(record) != self.width and any(f.strip() in known for f in record))
            for hit, record in zip(found, records, strict=True)
        ]

    def _parse(self, text: bytes) -> list[str]:
        csv.field_size_limit(LONGEST_ROW // 2)
        lines = io.StringIO(text.decode(errors="replace"), newline="")
        try:
            return next(csv.reader(lines, delimiter=self.separator, skipinitialspace=True), [])
        except csv.Error:
            return text.decode(errors="replace").split(self.separator)

    def _filter_lines(self, blocks: Iterable[bytes]) -> Iterator[Part]:
        """Rows after a stray quote, one by one, as Python's reader tells them apart."""
        used: list[str] = []

        def feed() -> Iterator[str]:
            for line in _split_lines(blocks):
                used.append(line)
                yield line

        csv.field_size_limit(LONGEST_ROW // 2)
        reader = csv.reader(feed(), delimiter=self.separator, skipinitialspace=True)
        while True:
            try:
                record = next(reader)
            except StopIteration:
                break
            except csv.Error:
                record = []
            lines, used[:] = [line.encode(errors="surrogateescape") for line in used], []
            inner = [self._parse(line) for line in lines[1:]]
            swallows = len(record) != self.width or any(len(r) == self.width for r in inner)
            rows = lines if swallows else [b"".join(lines)]
            theirs = self._find(rows)
            yield b"".join(r for r, hit in zip(rows, theirs, strict=True) if not hit), sum(theirs)
        yield "".join(used).encode(errors="surrogateescape"), 0


def _find_all(data: bytes, probe: bytes) -> Iterator[int]:
    place = data.find(probe)
    while place >= 0:
        yield place
        place = data.find(probe, place + 1)


def _split_lines(blocks: Iterable[bytes]) -> Iterator[str]:
    """Lines with their ends; a row never crosses the edge of a block."""
    for data in blocks:
        yield from io.StringIO(data.decode(errors="surrogateescape"), newline="")
