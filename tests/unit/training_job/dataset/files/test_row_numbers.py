"""Content and number of each row survive quotes, line breaks, blocks and compression."""

import csv
import gzip
import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.contract.contract import Contract
from training_job.dataset.files import csv_reading, text_blocks
from training_job.dataset.files.reading import open_raw
from training_job.dataset.validation import check
from training_job.errors import BadData

CONTRACT = Contract.parse("""
[target]
name = "y"

[[features]]
name = "x"
kind = "number"
minimum = 0
maximum = 1e9
""")
NOTES = [
    "",
    "plain",
    "one\nbreak",
    "two\r\n\r\nbreaks",
    'with ""quotes""',
    '""',
    "a,b,c,d\ne,f",
    "\n\n\n",
    "long " * 500,
    "line\n" * 300,
    "déjà vu\n€",
]
"""Texts as they stand between quotes."""


def _read(path: Path) -> tuple[list[tuple[int, float]], list[int]]:
    """``(number, x)`` of the valid rows, and the numbers of all others."""
    good: list[tuple[int, float]] = []
    others: list[int] = []
    with open_raw(path, "raw/a.csv", CONTRACT, labelled=True) as file:
        for batch in file.batches:
            checked = check(batch.table, CONTRACT)
            values = checked.columns["x"].tolist()
            good += zip(batch.numbers[checked.valid].tolist(), values, strict=True)
            others += [*batch.numbers[~checked.valid].tolist(), *batch.malformed.numbers]
    return good, sorted(others)


def _write(notes: list[str], line_end: str, first: bool) -> bytes:
    """Rows whose x is their own number; every seventh has too few fields."""
    header = ["note", "x", "y"] if first else ["x", "y", "note"]
    lines = [",".join(header)]
    for number, note in enumerate(notes, 2):
        fields = [str(number), str(number % 2)]
        fields.insert(0 if first else 2, f'"{note}"')
        lines.append("short" if number % 7 == 0 else ",".join(fields))
    return (line_end.join(lines) + line_end).encode()


@pytest.mark.parametrize("block", [64, 1_000, 4_096, 100_000])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_rows_keep_their_numbers_whatever_lies_between_quotes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    block: int,
    line_end: str,
    first: bool,
    pack: Callable[[bytes], bytes],
) -> None:
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", block)
    monkeypatch.setattr(csv_reading, "LONGEST_HEADER", 100)
    notes = random.Random(1).choices(NOTES, k=300)
    path = tmp_path / "a"
    path.write_bytes(pack(_write(notes, line_end, first)))
    good, others = _read(path)
    numbers = range(2, 302)
    assert [(n, float(n)) for n in numbers if n % 7] == good
    assert [n for n in numbers if n % 7 == 0] == others


def test_rows_keep_their_numbers_over_blocks_of_the_real_size(tmp_path: Path) -> None:
    notes = random.Random(2).choices(NOTES, k=60_000)
    content = _write(notes, "\n", first=True)
    assert len(content) > 2 * text_blocks.BLOCK_BYTES
    path = tmp_path / "a"
    path.write_bytes(content)
    good, others = _read(path)
    assert [(n, float(n)) for n in range(2, 60_002) if n % 7] == good
    assert [n for n in range(2, 60_002) if n % 7 == 0] == others


@pytest.mark.parametrize("row", [2, 3, 500, 998])
@pytest.mark.parametrize("block", [1_000, 8_000_000])
@pytest.mark.parametrize("quoted", [True, False])
def test_a_quote_that_nothing_closes_is_refused_by_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: int, block: int, quoted: bool
) -> None:
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", block)
    monkeypatch.setattr(csv_reading, "LONGEST_HEADER", 100)
    note = '"a\nb"' if quoted else "fine"
    lines = ["x,y,note", *(f"{n},{n % 2},{note}" for n in range(2, 1_000))]
    lines[row - 1] = f'{row},{row % 2},"unfinished'
    path = tmp_path / "a"
    path.write_bytes("\n".join(lines).encode())
    with pytest.raises(BadData, match=f"raw/a.csv, row {row}: it opens a quote"):
        _read(path)


def test_a_row_that_never_ends_is_refused_before_memory_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 1_000)
    monkeypatch.setattr(csv_reading, "LONGEST_HEADER", 100)
    monkeypatch.setattr(text_blocks, "LONGEST_ROW", 20_000)
    monkeypatch.setattr(csv_reading, "LONGEST_ROW", 20_000)
    path = tmp_path / "a"
    path.write_bytes(b"x,y,note\n" + b"2,1,n\n" * 10 + b'3,1,"n\n' + b"4,1,n\n" * 20_000)
    with pytest.raises(BadData, match="row 12: it opens a quote"):
        _read(path)


_TEXT = st.text(st.sampled_from('a ,"\n\r;é'), max_size=6)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 99), _TEXT, st.booleans()), min_size=1, max_size=30),
    blank=st.integers(0, 30),
    block=st.integers(8, 200),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_every_row_that_a_writer_of_csv_wrote_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, str, bool]],
    blank: int,
    block: int,
    quoting: int,
) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=quoting)  # type: ignore[arg-type]  # one of three constants
    writer.writerow(["x", "note", "y"])
    for index, (x, note, y) in enumerate(rows):
        if index == blank:
            buffer.write("\r\n")
        writer.writerow([x, note, int(y)])
    path = tmp_path_factory.mktemp("rows") / "a"
    path.write_bytes(buffer.getvalue().encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reading, "LONGEST_HEADER", 100)
        patch.setattr(text_blocks, "BLOCK_BYTES", block)
        good, others = _read(path)
    assert [(n, float(x)) for n, (x, _, _) in enumerate(rows, 2)] == good
    assert not others


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    ("rows", "folded"),
    [
        ([b"1,2", b"3,4"], False),
        ([b'"1","2"', b'"3","4"'], False),
        ([b'"a ""b""","2"', b'"","4"'], False),
        ([b'"1","2', b'3","4"'], True),
        ([b'"1', b'2","3', b'4"'], True),
        ([b'"a ""', b'b","4"'], True),
    ],
)
def test_a_block_knows_its_lines_and_whether_one_ends_between_quotes(
    rows: list[bytes], line_end: bytes, folded: bool
) -> None:
    for last in (b"", line_end):
        data = line_end.join(rows) + last
        quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == text_blocks.QUOTE)
        block = text_blocks.Block.of(data, quotes, b",")
        assert (folded, len(rows), True) == (block.folded, block.lines, block.regular)
