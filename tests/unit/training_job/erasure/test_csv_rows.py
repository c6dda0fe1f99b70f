"""Rows are taken out of CSV byte by byte, whatever its dialect."""

import csv
import gzip
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.training_job.erasure.world import CONTRACT
from training_job.dataset.files import text_blocks
from training_job.erasure import csv_rows
from training_job.erasure.wanted import PROBED, Wanted

HEADER = ["age", "Patient", "note"]
FEW = Wanted(frozenset({"p-1", 'o"hara', "12"}))
MANY = Wanted(frozenset({"p-1", 'o"hara', "12", *(f"x-{n}" for n in range(PROBED))}))
PEOPLE = st.sampled_from(["p-1", "p-10", "p-2", 'o"hara', "12", "12.0", " 12 ", "112", "x-1", ""])
NOTES = st.sampled_from(
    ["", "plain", "p-1", 'he said "p-1"', "two\nlines", "a,b;c", "p-2\r\np-1,p-1"]
)
ROWS = st.lists(st.tuples(st.sampled_from(["40", "51.5", ""]), PEOPLE, NOTES), max_size=30)
THEIRS = {"p-1", 'o"hara', "12", "12.0", " 12 "}


def _write(rows: list[tuple[str, str, str]], separator: str, end: str, quoting: int) -> list[str]:
    """The text of each row."""
    lines = []
    for row in rows:
        sink = io.StringIO(newline="")
        csv.writer(sink, delimiter=separator, lineterminator=end, quoting=quoting).writerow(row)  # type: ignore[arg-type]  # a constant of csv
        lines.append(sink.getvalue())
    return lines


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    rows=ROWS,
    separator=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    packed=st.booleans(),
    block=st.sampled_from([40, 8 * 1024 * 1024]),
    wanted=st.sampled_from([FEW, MANY]),
)
def test_every_other_byte_stays(
    *,
    tmp_path: Path,
    rows: list[tuple[str, str, str]],
    separator: str,
    end: str,
    quoting: int,
    packed: bool,
    block: int,
    wanted: Wanted,
) -> None:
    (header,) = _write([("age", "Patient", "note")], separator, end, csv.QUOTE_MINIMAL)
    lines = _write(rows, separator, end, quoting)
    theirs = THEIRS | ({"x-1"} if wanted is MANY else set())
    kept = [line for row, line in zip(rows, lines, strict=True) if row[1] not in theirs]
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    content = (header + "".join(lines)).encode()
    source.write_bytes(gzip.compress(content) if packed else content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_blocks, "BLOCK_BYTES", block)
        assert len(lines) - len(kept) == csv_rows.count_rows(source, wanted, CONTRACT)
        csv_rows.rewrite(source, target, wanted, CONTRACT)
    found = target.read_bytes()
    assert (header + "".join(kept)).encode() == (gzip.decompress(found) if packed else found)


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")],
)
def test_a_file_keeps_its_encoding_and_its_mark(tmp_path: Path, encoding: str, mark: bytes) -> None:
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    rows = ["age,Patient\r\n", "40,p-1\r\n", "41,jörg\r\n"]
    source.write_bytes(mark + "".join(rows).encode(encoding))
    assert 1 == csv_rows.rewrite(source, target, FEW, CONTRACT)
    assert mark + (rows[0] + rows[2]).encode(encoding) == target.read_bytes()


def test_a_file_without_a_mark_gets_none_though_the_contract_names_a_marked_encoding(
    tmp_path: Path,
) -> None:
    contract = replace(CONTRACT, files=replace(CONTRACT.files, encoding="utf-8-sig"))
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    rows = ["age,Patient\r\n", "40,p-1\r\n", "41,jörg\r\n"]
    source.write_bytes("".join(rows).encode())
    assert 1 == csv_rows.rewrite(source, target, FEW, contract)
    assert (rows[0] + rows[2]).encode() == target.read_bytes()


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        # A stray quote makes the rest of the file irregular.
        (['40,p-2,5" tall\n', "41,p-1,x\n", "42,p-3,y\n"], [0, 2]),
        # A field that is missing or too many puts the subject elsewhere.
        (["p-1\n", "41,p-1\n", "42,x,p-1,y\n", "43,p-2,z\n"], [3]),
        (["\n", "40,p-1,x\n", "\n", "41,p-2,y"], [0, 2, 3]),
    ],
)
def test_rows_that_are_no_rows_are_looked_at_too(
    tmp_path: Path, lines: list[str], kept: list[int]
) -> None:
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_text("age,Patient,note\n" + "".join(lines), newline="")
    assert len(lines) - len(kept) == csv_rows.rewrite(source, target, FEW, CONTRACT)
    expected = "age,Patient,note\n" + "".join(lines[n] for n in kept)
    assert expected.encode() == target.read_bytes()


def test_a_file_without_a_column_that_says_whose_its_rows_are_is_not_rewritten(
    tmp_path: Path,
) -> None:
    source = tmp_path / "a.csv"
    source.write_text("age,bmi\n40,25\n")
    assert csv_rows.count_rows(source, FEW, CONTRACT) is None
