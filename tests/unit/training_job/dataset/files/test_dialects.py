"""Files as people really have them: each is read right, or refused by a sentence that shows why."""

import gzip
import io
import unicodedata
import uuid
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.contract.contract import Contract
from training_job.dataset.files.reading import open_raw
from training_job.dataset.validation import check
from training_job.errors import BadData

CONTRACT = """
[target]
name = "ill"

[[features]]
name = "sex"
kind = "category"
categories = ["f", "m"]
nullable = true

[[features]]
name = "blood_glucose"
kind = "number"
minimum = 40
maximum = 700
nullable = true

[[features]]
name = "smokes"
kind = "flag"

[[features]]
name = "grade"
kind = "category"
categories = ["1", "2"]
"""
EXPECTED = [(2, 0, 140.5, 0, 0, 1), (3, 1, 80.0, 1, 1, 0), (4, -1, None, 0, 0, 0)]
"""Row, then the values of sex (code), blood_glucose, smokes, grade (code), ill."""
PLAIN = "sex,blood_glucose,smokes,grade,ill\nf,140.5,0,1,1\nm,80,1,2,0\n,,0,1,0\n"


def read(
    path: Path, content: bytes, contract: str = CONTRACT, key: str = "raw/a.csv"
) -> tuple[list[tuple[Any, ...]], dict[int, str], Any]:
    """Valid rows with their numbers, reasons of the others, and the open file's description."""
    parsed = Contract.parse(contract)
    path = path / "file"
    path.write_bytes(content)
    rows: list[tuple[Any, ...]] = []
    refused: dict[int, str] = {}
    with open_raw(path, key, parsed, labelled=True) as file:
        for batch in file.batches:
            checked = check(batch.table, parsed)
            columns = [column.tolist() for column in checked.columns.values()]
            values = zip(batch.numbers[checked.valid].tolist(), *columns, strict=True)
            rows += [tuple(None if v != v else v for v in row) for row in values]  # noqa: PLR0124 - NaN differs from itself
            bad = batch.numbers[~checked.valid].tolist()
            refused |= {n: checked.reasons[w] for n, w in zip(bad, checked.why, strict=True)}
            texts = list(batch.malformed.reasons)
            found = zip(batch.malformed.numbers, batch.malformed.why, strict=True)
            refused |= {number: texts[why] for number, why in found}
    return rows, refused, file


def _with(old: str, new: str) -> bytes:
    return PLAIN.replace(old, new).encode()


def _plus(name: str, field: str, encoding: str = "utf-8") -> bytes:
    """The plain file with one more column, the same in each row."""
    header, *rows = PLAIN.splitlines()
    return "".join(
        f"{line}\n" for line in (f"{header},{name}", *(f"{r},{field}" for r in rows))
    ).encode(encoding)


def _quoted(separator: str) -> bytes:
    """The plain file with quotes around every field."""
    rows = (line.split(",") for line in PLAIN.splitlines())
    lines = (separator.join(f'"{field}"' for field in row) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def _accented(text: str, form: Literal["NFC", "NFD"]) -> bytes:
    """The plain file in which women are ``é``, written in that normal form."""
    return text.replace("\nf,", "\n" + unicodedata.normalize(form, "é") + ",").encode()


def _parquet(**changes: pa.Array) -> bytes:
    columns: dict[str, Any] = {
        "sex": ["f", "m", None],
        "blood_glucose": pa.array([140.5, 80.0, None]),
        "smokes": [0, 1, 0],
        "grade": ["1", "2", "1"],
        "ill": [1, 0, 0],
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns | changes), buffer)
    return buffer.getvalue()


USUAL_MISSING = [
    *("NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "-nan", "NaT", "null", "NULL"),
    *("\\N", " ", '""'),
]
DIALECTS: dict[str, bytes] = {
    "plain": PLAIN.encode(),
    "no line break at the end": PLAIN.rstrip().encode() + b"",
    "CR LF": _with("\n", "\r\n"),
    "CR": _with("\n", "\r"),
    "CR CR LF": _with("\n", "\r\r\n"),
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "two byte order marks": b"\xef\xbb\xbf" * 2 + PLAIN.encode(),
    "characters of no width in names": _with("sex,blood", "\u200bsex,bl\u00adood"),
    "UTF-16": PLAIN.encode("utf-16"),
    "UTF-16 big": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "UTF-16 without a mark": PLAIN.encode("utf-16-le"),
    "UTF-16 big without a mark": PLAIN.encode("utf-16-be"),
    "UTF-32": PLAIN.encode("utf-32"),
    "semicolons": _with(",", ";"),
    "tabs": _with(",", "\t"),
    "pipes": _with(",", "|"),
    "spaces after commas": _with(",", ", "),
    "spaces before commas": _with(",", " ,"),
    "aligned columns": _with(",", "   ,   "),
    "all quoted": _quoted(","),
    "quoted after a space": _quoted(", "),
    "quoted names": _with("sex,blood_glucose", '"sex","blood_glucose"'),
    "capitals": _with("sex,blood_glucose", "SEX,Blood_Glucose"),
    "blanks for underscores": _with("blood_glucose", "Blood Glucose"),
    "points for underscores": _with("blood_glucose", "blood.glucose"),
    "blanks around names": _with("sex,blood_glucose", " sex , blood_glucose"),
    "sep line": b"sep=,\n" + PLAIN.encode(),
    "sep line with semicolons": b"sep=;\r\n" + _with(",", ";"),
    "sep line with tabs": b"sep=\t\n" + _with(",", "\t"),
    "sep line with another character": b"sep=^\n" + _with(",", "^"),
    "quoted sep line": b'"sep=;"\n' + _with(",", ";"),
    "mark and sep line": b"\xef\xbb\xbfsep=;\n" + _with(",", ";"),
    "comment": b"# exported yesterday, by hand\n" + PLAIN.encode(),
    "comments and blank lines": b"\n# one\n\n# two; three\n" + PLAIN.encode(),
    "header behind a hash": b"#" + PLAIN.encode(),
    "header behind a hash and a blank": b"# " + PLAIN.encode(),
    "blank lines": _with("\n", "\n\n"),
    "blank lines of blanks": _with("\n", "\n   \n"),
    "blank lines at the end": PLAIN.encode() + b"\n\n\r\n",
    "separators at the end": _with("\n", ",\n"),
    "separators at the end of rows only": _plus("", "").replace(b"ill,", b"ill", 1),
    "separator at the end of the header only": _with("ill\n", "ill,\n"),
    "index column": _with("\n", "\n0,").replace(b"sex", b",sex", 1)[:-2],
    "named index column": _with("\n", "\n0,").replace(b"sex", b"Unnamed: 0,sex", 1)[:-2],
    "extra column with quotes": _plus("note", '"a, ""b"""'),
    "extra column with line breaks": _plus("note", '"a\nb"'),
    "quote inside a text": _plus("note", '5" pipe'),
    "latin extra header": _plus("Größe", "x", "latin-1"),
    "bytes that are no text in an extra column": _plus("note", "\xff", "latin-1"),
    "numbers with exponents": _with("140.5", "1.405e2"),
    "numbers with signs": _with("140.5", "+140.50"),
    "quoted numbers": _with("140.5", '"140.5"'),
    "flags as words": _with("80,1,", "80,True,").replace(b"140.5,0", b"140.5,false"),
    "flags as capitals": _with("80,1,", "80,TRUE,").replace(b"140.5,0", b"140.5,FALSE"),
    "flags as floats": _with("80,1,", "80,1.0,").replace(b"140.5,0", b"140.5,0.0"),
    "codes as floats": _with("1,1\n", "1.0,1\n").replace(b"2,0\n", b"2.0,0\n"),
    "codes as decimals": _with("1,1\n", "1.00,1\n").replace(b"2,0\n", b"2.00,0\n"),
    **{f"missing as {word!r}": _with("\n,,", f"\n{word},{word},") for word in USUAL_MISSING},
    "missing number as None": _with("\n,,", "\n,None,"),
    "gzip": gzip.compress(PLAIN.encode()),
    "gzip twice": gzip.compress(gzip.compress(PLAIN.encode())),
    "gzip in two members": gzip.compress(PLAIN[:20].encode()) + gzip.compress(PLAIN[20:].encode()),
    "Hive's separator": _with(",", "\x01"),
    "sep line with a separator for each column": b"sep=;;;;\n" + _with(",", ";"),
    "name in full-width letters": _with(
        "sex", "\N{FULLWIDTH LATIN SMALL LETTER S}\N{FULLWIDTH LATIN SMALL LETTER E}x"
    ),
    "Turkish capitals": _with("ill\n", "İLL\n"),
    "a note of several lines in the header": _plus('"note\n(free, text)"', "x"),
    "number after a character of no width": _with("140.5", "\u200b140.5"),
    "number after a byte order mark": _with("140.5", "\ufeff140.5"),
    "category before a character of no width": _with("f,140", "f\u200b,140"),
    "word after a mark of direction": _with("80,1,", "80,\u200eTRUE,"),
    "missing as a character of no width": _with("\n,,", "\n\u200b,\u2060,"),
    "Japanese in UTF-16 without a mark": _plus("備考", "患者は糖尿病です。", "utf-16-le"),
    "gzip of UTF-16": gzip.compress(PLAIN.encode("utf-16")),
}


@pytest.mark.parametrize("content", DIALECTS.values(), ids=DIALECTS.keys())
def test_the_same_rows_are_read_from_every_dialect(tmp_path: Path, content: bytes) -> None:
    rows, refused, _ = read(tmp_path, content)
    assert EXPECTED == rows
    assert not refused


TYPES: dict[str, bytes] = {
    "plain": _parquet(),
    "dictionaries": _parquet(
        sex=pa.array(["f", "m", None]).dictionary_encode(),
        blood_glucose=pa.array([140.5, 80.0, None]).dictionary_encode(),
        grade=pa.array([1, 2, 1]).dictionary_encode(),
    ),
    "large texts": _parquet(sex=pa.array(["f", "m", None], pa.large_string())),
    "bytes": _parquet(
        sex=pa.array([b"f", b"m", None]), blood_glucose=pa.array([b"140.5", b"80", b""])
    ),
    "float32": _parquet(blood_glucose=pa.array([140.5, 80, None], pa.float32())),
    "float16": _parquet(blood_glucose=pa.array(np.array([140.5, 80, np.nan], np.float16))),
    "decimals": _parquet(blood_glucose=pa.array([Decimal("140.50"), Decimal("80.00"), None])),
    "texts": _parquet(blood_glucose=pa.array([" 140.5", "80", "NA"]), smokes=["0", "1", "0"]),
    "booleans": _parquet(smokes=[False, True, False], ill=[True, False, False]),
    "narrow integers": _parquet(
        smokes=pa.array([0, 1, 0], pa.uint8()), ill=pa.array([1, 0, 0], pa.int16())
    ),
    "floats for flags": _parquet(smokes=[0.0, 1.0, 0.0], ill=pa.array([1, 0, 0], pa.float32())),
    "integers for codes": _parquet(grade=[1, 2, 1]),
    "floats for codes": _parquet(grade=[1.0, 2.0, 1.0]),
    "float32 for codes": _parquet(grade=pa.array([1, 2, 1], pa.float32())),
    "decimals for codes": _parquet(
        grade=pa.array([Decimal("1.0"), Decimal("2.0"), Decimal("1.0")])
    ),
    "float16 for flags and codes": _parquet(
        smokes=pa.array(np.array([0, 1, 0], np.float16)),
        ill=pa.array(np.array([1, 0, 0], np.float16)),
        grade=pa.array(np.array([1, 2, 1], np.float16)),
    ),
    "dictionary of bytes": _parquet(sex=pa.array([b"f", b"m", None]).dictionary_encode()),
    "JSON of DuckDB": _parquet(
        smokes=pa.ExtensionArray.from_storage(pa.json_(), pa.array(["0", "1", "0"])),
        grade=pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1", "2", "1"])),
    ),
    "NaN for missing": _parquet(blood_glucose=[140.5, 80.0, float("nan")]),
}


@pytest.mark.parametrize("content", TYPES.values(), ids=TYPES.keys())
@pytest.mark.parametrize("key", ["raw/a.parquet", "raw/a.csv"])
def test_the_same_rows_are_read_from_every_type_of_parquet(
    tmp_path: Path, content: bytes, key: str
) -> None:
    rows, refused, _ = read(tmp_path, content, key=key)
    assert EXPECTED == [(row[0] + 1, *row[1:]) for row in rows]
    assert not refused


def test_a_missing_column_may_be_of_no_type(tmp_path: Path) -> None:
    rows, refused, _ = read(tmp_path, _parquet(sex=pa.nulls(3), blood_glucose=pa.nulls(3)))
    assert [(-1, None)] * 3 == [row[1:3] for row in rows]
    assert not refused


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sex": pa.array([["f"], None, ["m"]])}, "sex must be one of: f, m"),
        ({"smokes": pa.array([[0], [1], [0]])}, "smokes must be 0 or 1"),
        ({"smokes": pa.array([2, -1, 7])}, "smokes must be 0 or 1"),
        (
            {"blood_glucose": pa.array([True, None, False])},
            "blood_glucose must be a number from 40 to 700",
        ),
        (
            {"blood_glucose": pa.array([100, None, 200], pa.timestamp("ms"))},
            "blood_glucose must be a number from 40 to 700",
        ),
    ],
    ids=["lists", "lists for flags", "numbers for flags", "booleans for numbers", "times"],
)
def test_a_type_that_holds_no_such_value_is_refused_row_by_row(
    tmp_path: Path, changes: dict[str, pa.Array], reason: str
) -> None:
    _, refused, _ = read(tmp_path, _parquet(**changes))
    assert {1: reason, 3: reason} == {number: refused[number] for number in (1, 3)}


@pytest.mark.parametrize("extra", ["stage", "sextant_reading", "note"])
def test_a_nullable_column_may_be_absent_beside_other_names(tmp_path: Path, extra: str) -> None:
    content = f"smokes,grade,ill,{extra}\n1,2,0,x\n".encode()
    if extra == "sextant_reading":  # begins like sex, which may be another name of it
        with pytest.raises(BadData, match="Perhaps sextant_reading for sex"):
            read(tmp_path, content)
    else:
        assert ("sex", "blood_glucose") == read(tmp_path, content)[2].absent


def test_a_uuid_is_the_text_that_a_csv_has(tmp_path: Path) -> None:
    ids = [uuid.UUID(int=1), uuid.UUID(int=2), None]
    stored = pa.array([i.bytes if i else None for i in ids], pa.binary(16))
    typed = _parquet(sex=pa.ExtensionArray.from_storage(pa.uuid(), stored))
    contract = CONTRACT.replace('"f", "m"', f'"{ids[0]}", "{ids[1]}"')
    rows, refused, _ = read(tmp_path, typed, contract)
    assert [0, 1, -1] == [row[1] for row in rows]
    assert not refused


def _declared(**tables: str) -> str:
    """The contract with lines added to a feature, the target or the files."""
    text = CONTRACT
    for name, lines in tables.items():
        if name == "files":
            text = f"[files]\n{lines}\n" + text
        else:
            text = text.replace(f'name = "{name}"\n', f'name = "{name}"\n{lines}\n')
    return text


DECLARED: dict[str, tuple[bytes, str]] = {
    "names": (
        _with("sex", "geschlecht").replace(b"blood_glucose", b"blood-glucose (mg/dl)"),
        _declared(sex='source = "geschlecht"', blood_glucose='source = "blood-glucose (mg/dl)"'),
    ),
    "name in other capitals": (
        _with("sex", "Geschlecht"),
        _declared(sex='source = "geschlecht"'),
    ),
    "source beside a column of the contract's name": (
        _plus("SEX", "?").replace(b"sex,", b"gender,", 1),
        _declared(sex='source = "gender"'),
    ),
    "target": (_with("ill\n", "Outcome\n"), _declared(ill='source = "Outcome"')),
    "yes and no": (
        _with("80,1,", "80,Yes,").replace(b",0,1,", b",No,1,"),
        _declared(smokes='true = ["yes"]\nfalse = ["no"]'),
    ),
    "Turkish words": (
        _with("80,1,", "80,HAYIR,").replace(b",0,1,", b",EVET,1,"),
        _declared(smokes='true = ["hay\u0131r"]\nfalse = ["evet"]'),
    ),
    "words with accents as characters of their own": (
        _with("80,1,", "80,OUI,").replace(b",0,1,", ",PASSE\u0301,1,".encode()),
        _declared(smokes='true = ["oui"]\nfalse = ["passé"]'),
    ),
    "name with accents as characters of their own": (
        _with("sex", unicodedata.normalize("NFD", "größe")),
        _declared(sex='source = "größe"'),
    ),
    "category with accents as characters of their own": (
        _accented(PLAIN, "NFD"),
        CONTRACT.replace('"f"', '"é"'),
    ),
    "category with accents as characters of the letter": (
        _accented(PLAIN, "NFC"),
        CONTRACT.replace('"f"', '"e\u0301"'),
    ),
    "true and false the other way round": (
        _with("80,1,", "80,False,").replace(b",0,1,", b",TRUE,1,"),
        _declared(smokes='true = ["false"]\nfalse = ["true"]'),
    ),
    "booleans the other way round": (
        _parquet(smokes=[True, False, True]),
        _declared(smokes='true = ["false"]\nfalse = ["true"]'),
    ),
    "another separator": (_with(",", ":"), _declared(files='separator = ":"')),
    "UTF-16 without a mark or its order": (
        PLAIN.encode("utf-16-le"),
        _declared(files='encoding = "utf-16"'),
    ),
    "UTF-16 big without its order": (
        PLAIN.encode("utf-16-be"),
        _declared(files='encoding = "UTF16"'),
    ),
    "UTF-32 without a mark": (PLAIN.encode("utf-32-le"), _declared(files='encoding = "utf-32"')),
    "words of the target": (
        b"sex,blood_glucose,smokes,grade,ill\nf,140.5,0,1,diabetic\nm,80,1,2,healthy\n,,0,1,healthy\n",
        _declared(ill='true = ["diabetic"]\nfalse = ["healthy"]'),
    ),
    "one and two": (
        _with("80,1,", "80,1.0,").replace(b",0,1,", b",2,1,"),
        _declared(smokes="true = [1]\nfalse = [2]"),
    ),
    **{
        f"missing as {word!r}": (
            _with("\n,,", f"\n{word},{word},"),
            _declared(sex=f"missing = ['{word}']", blood_glucose=f"missing = ['{word}']"),
        )
        for word in ("?", ".", "-", "Unknown", "-999", "None", "not asked")
    },
    "missing as -999.0": (_with("\n,,", "\n,-999.0,"), _declared(blood_glucose="missing = [-999]")),
    "missing in another type": (
        _parquet(blood_glucose=pa.array([140.5, 80, -999]))[:],
        _declared(blood_glucose="missing = [-999]"),
    ),
    "decimal commas": (
        _with(",", ";").replace(b"140.5", b"140,5"),
        _declared(files='decimal = ","'),
    ),
    "quoted decimal commas": (_with("140.5", '"140,5"'), _declared(files='decimal = ","')),
    "separator": (_with(",", ";"), _declared(files='separator = ";"')),
    "encoding": (
        PLAIN.replace("sex", "göschlecht").encode("cp1252"),
        _declared(files='encoding = "cp1252"', sex='source = "göschlecht"'),
    ),
    "UTF-16": (PLAIN.encode("utf-16-le"), _declared(files='encoding = "utf-16-le"')),
    "an encoding that the mark contradicts": (
        b"\xef\xbb\xbf" + PLAIN.encode(),
        _declared(files='encoding = "cp1252"'),
    ),
}


@pytest.mark.parametrize(("content", "contract"), DECLARED.values(), ids=DECLARED.keys())
def test_what_the_contract_declares_about_files_is_followed(
    tmp_path: Path, content: bytes, contract: str
) -> None:
    rows, refused, _ = read(tmp_path, content, contract)
    shift = 1 if content.startswith(b"PAR1") else 0
    assert EXPECTED == [(row[0] + shift, *row[1:]) for row in rows]
    assert not refused


def _zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", PLAIN)
    return buffer.getvalue()


def _workbook() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "")
        archive.writestr("xl/workbook.xml", "")
    return buffer.getvalue()


LONG = gzip.compress(PLAIN.encode() + b"f,1,0,1,0\n" * 100_000)
REFUSED: dict[str, tuple[bytes, str]] = {
    "zip": (_zipped(), "raw/a.csv is a zip archive: unpack it"),
    "Excel": (_workbook(), "raw/a.csv is an Excel workbook: save it as CSV"),
    "OpenDocument": (
        b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
        "an OpenDocument spreadsheet: save it as CSV",
    ),
    "compress": (b"\x1f\x9d\x90" + bytes(50), "compressed with compress (.Z)"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Excel workbook"),
    "bzip2": (b"BZh91AY", "compressed with bzip2"),
    "xz": (b"\xfd7zXZ\x00", "compressed with xz"),
    "zstd": (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    "tar in gzip": (gzip.compress(bytes(257) + b"ustar" + bytes(300)), "is a tar archive"),
    "Parquet in gzip": (gzip.compress(_parquet()), "unpack it"),
    "web page": (b"<!DOCTYPE html><html>", "a web page"),
    "JSON in UTF-16": ('[{"sex": "f"}]'.encode("utf-16"), "is JSON"),
    "XML in UTF-16": ('<?xml version="1.0"?>'.encode("utf-16-be"), "a web page or XML"),
    "JSON": (b'[{"sex": "f"}]', "is JSON"),
    "JSON line by line": (b'{"sex": "f"}\n{"sex": "m"}\n', "is JSON"),
    "JSON of numbers": (b"[\n  [1, 2]\n]", "is JSON"),
    "names in brackets": (
        b"[blood_glucose],[smokes],[grade],[ill]\n1,0,1,1\n",
        "Perhaps [blood_glucose] for blood_glucose, [smokes] for smokes, [grade] for grade",
    ),
    "encrypted Parquet": (b"PARE" + bytes(50), "Parquet whose columns are encrypted"),
    "Arrow stream": (b"\xff\xff\xff\xff" + bytes(50), "an Arrow stream"),
    "SPSS": (b"$FL2@(#) SPSS DATA FILE", "an SPSS table"),
    "SAS": (bytes(12) + b"\xc2\xea\x81\x60" + bytes(50), "a SAS table"),
    "Stata": (b"<stata_dta><header>", "a Stata table"),
    "data of R": (gzip.compress(b"X\n\x00\x00\x00\x03"), "data of R"),
    "pickle": (b"\x80\x04\x95" + bytes(8), "a pickle of Python"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
    "gzip cut off": (LONG[:-20], "ends in the middle of its gzip data"),
    "gzip damaged": (LONG[:-8] + bytes(4) + LONG[-4:], "damaged inside its gzip data"),
    "Parquet cut off": (_parquet()[:-30], "begins as Parquet"),
    "a comment that fills the first MiB": (
        b"# " + b"x" * 2**20 + b"\n" + PLAIN.encode(),
        "no header line that ends within its first 1 MiB",
    ),
    "comments that fill the first MiB": (
        b"# exported\n" * 2**17 + PLAIN.encode(),
        "no header line that ends within its first 1 MiB",
    ),
    "a header longer than a MiB": (
        _plus(",".join(f"lab_value_{n}" for n in range(2**17)), "," * (2**17 - 1)),
        "no header line that ends within its first 1 MiB",
    ),
    "rows in a name of the header": (
        _plus('"note', "x").replace(b"2,0,x", b'2,0,"'),
        "rows are part of a name in its header. A quote",
    ),
    "a nullable column's name in escaped quotes": (
        _with("sex", '\\"sex\\"'),
        "lacks the column sex",
    ),
    "Hive's names of table and column": (
        _with("sex,blood_glucose", "patients.sex,patients.blood_glucose"),
        "Perhaps patients.sex for sex, patients.blood_glucose for blood_glucose",
    ),
    "no such columns": (b"a,b\n1,2\n", "columns smokes, grade, ill. Its header has a, b."),
    "no header": (PLAIN.split("\n", 1)[1].encode(), "holds values instead of column names"),
    "another name": (_with("smokes", "smoker"), "Perhaps smoker for smokes"),
    "a nullable column by another name": (
        _with("blood_glucose", "blood_glucose_mgdl"),
        "lacks the column blood_glucose. Its header has sex, blood_glucose_mgdl",
    ),
    "twice": (_with("sex,", "smokes,"), "may be smokes (smokes, smokes): remove one of them"),
    "twice but for capitals": (
        _with("sex,blood", "SMOKES,blood").replace(b"smokes", b"Smokes"),
        "more than one column that may be smokes (SMOKES, Smokes)",
    ),
    "encoding of names": (
        PLAIN.replace("smokes", "smökes").encode("cp1252"),
        "It isn't in UTF-8: declare its encoding",
    ),
    "a quote before everything": (
        b'"' + PLAIN.encode(),
        'Its header has sex,blood_glucose,smokes,grade,ill. A quote (") that is opened',
    ),
    "a quote in the header": (
        _with("smokes", '"smokes'),
        'A quote (") that is opened in that line',
    ),
    "blanks between names": (
        PLAIN.replace(",", " ").encode(),
        "That line has nothing that separates names",
    ),
    "quotes around each line": (
        "".join(f'"{line}"\n' for line in PLAIN.splitlines()).encode(),
        "without quotes around all of it",
    ),
    "values without names, blanks between": (b"f 140.5 0 1 1\n", "holds values instead of"),
    "open quote": (_with("m,80", '"m,80'), 'raw/a.csv, row 3: it opens a quote (")'),
    "open quote before quotes": (
        _with("m,80", '"m,80').replace(b"\n,,", b'\n"f","90",'),
        "row 3: it opens a quote",
    ),
    "two stray quotes around rows": (
        _plus("note", "x").replace(b"1,x\nm", b'1,"x\nm').replace(b"0,x\n,", b'0,x"\n,'),
        "row 2: it opens a quote",
    ),
    "two stray quotes around many rows": (
        _plus("note", "x").replace(b"1,x\nm", b'1,"x\nm')
        + b"m,80,1,2,0,x\n" * 5
        + b'm,80,1,2,0,x"\n',
        "row 2: it opens a quote",
    ),
    "a title above the header": (
        b"Patients of 2024\n" + PLAIN.encode(),
        "Its header has Patients of 2024. Line 2 has these names: remove the lines above it.",
    ),
}


@pytest.mark.parametrize(
    ("values", "categories", "kind"),
    [
        ([True, False, True], '"true", "false"', pa.bool_()),
        ([True, False, True], '"True", "False"', pa.bool_()),
        ([1.1, 2, 1.1], '"1.1", "2"', pa.float32()),
        ([1.1, 2, 1.1], '"1.1", "2.0"', pa.float64()),
    ],
)
def test_a_category_is_the_same_from_text_and_from_a_typed_column(
    tmp_path: Path, values: list[Any], categories: str, kind: pa.DataType
) -> None:
    contract = CONTRACT.replace('"1", "2"', categories)
    frame = pd.read_csv(io.StringIO(PLAIN)).assign(grade=values)
    for content in (frame.to_csv(index=False).encode(), _parquet(grade=pa.array(values, kind))):
        rows, refused, _ = read(tmp_path, content, contract)
        assert [0, 1, 0] == [row[4] for row in rows]
        assert not refused


@pytest.mark.parametrize(("content", "part"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_read_is_refused_by_what_was_found(
    tmp_path: Path, content: bytes, part: str
) -> None:
    with pytest.raises(BadData) as raised:
        read(tmp_path, content)
    assert part in str(raised.value)


SPOILT: dict[str, tuple[bytes, str, str]] = {
    "a byte that is no UTF-8": (
        b"m\xe4,80",
        CONTRACT,
        "sex holds bytes that are not UTF-8 text",
    ),
    "a byte that the encoding lacks": (
        b"m\x81,80",
        _declared(files='encoding = "cp1252"'),
        "sex holds bytes that are not cp1252 text",
    ),
    "too few fields": (b"m80", CONTRACT, "has 4 fields, and the header has 5"),
    "too many fields": (b"m,8,0", CONTRACT, "has 6 fields, and the header has 5"),
    "quotes that don't match": (b'"m"x,80', CONTRACT, "has quotes that don't match"),
    "a thousands separator": (
        b'm,"1,080"',
        CONTRACT,
        "blood_glucose must be a number from 40 to 700",
    ),
    "a decimal comma": (b'm,"80,5"', CONTRACT, "blood_glucose must be a number from 40 to 700"),
    "a point beside decimal commas": (
        b"m,80.5",
        _declared(files='decimal = ","'),
        "blood_glucose must be a number from 40 to 700",
    ),
    "an infinity": (b"m,inf", CONTRACT, "blood_glucose must be a number from 40 to 700"),
    "NaN with a payload": (b"m,nan(1)", CONTRACT, "blood_glucose must be a number from 40 to 700"),
    "another category": (b"M,80", CONTRACT, "sex must be one of: f, m"),
    "a word in a column of words": (b"None,80", CONTRACT, "sex must be one of: f, m"),
}


@pytest.mark.parametrize(("field", "contract", "reason"), SPOILT.values(), ids=SPOILT.keys())
def test_a_spoilt_row_costs_one_row(
    tmp_path: Path, field: bytes, contract: str, reason: str
) -> None:
    content = PLAIN.replace("140.5", "140").encode().replace(b"m,80", field)
    rows, refused, _ = read(tmp_path, content, contract)
    assert [2, 4] == [row[0] for row in rows]
    assert {3: reason} == refused


def test_numbers_other_than_those_declared_are_no_flags(tmp_path: Path) -> None:
    contract = _declared(smokes="true = [1]\nfalse = [2]")
    rows, refused, _ = read(tmp_path, PLAIN.encode(), contract)
    assert [3] == [row[0] for row in rows]
    assert dict.fromkeys((2, 4), "smokes must be 0 or 1") == refused


PARTITIONED = "sex,blood_glucose,grade,ill\nf,140.5,1,1\n"


@pytest.mark.parametrize(
    ("folder", "value"),
    [
        ("smokes=1", 1),
        ("Smokes=1", 1),
        ("smokes=true", 1),
        ("year=2024/smokes=0/part=1", 0),
        ("smokes=0.0", 0),
    ],
)
def test_a_partition_column_comes_from_the_name_of_a_folder(
    tmp_path: Path, folder: str, value: int
) -> None:
    contract = _declared(files='partition_columns = ["smokes"]')
    rows, _, _ = read(tmp_path, PARTITIONED.encode(), contract, f"raw/{folder}/a.csv")
    assert [(2, 0, 140.5, value, 0, 1)] == rows


@pytest.mark.parametrize("content", [PLAIN.encode(), _parquet()], ids=["CSV", "Parquet"])
def test_a_folder_and_a_column_may_not_both_say_a_value(tmp_path: Path, content: bytes) -> None:
    contract = _declared(files='partition_columns = ["smokes"]')
    with pytest.raises(BadData, match="a column smokes, which its folder names too: take smokes"):
        read(tmp_path, content, contract, "raw/smokes=1/a.csv")


def test_a_partition_may_be_missing_and_is_unescaped(tmp_path: Path) -> None:
    contract = _declared(files='partition_columns = ["sex"]').replace('"m"]', '"m / x"]')
    content = PLAIN.split("\n", maxsplit=1)[0][4:] + "\n80,1,2,0\n"
    for folder, code in (("sex=__HIVE_DEFAULT_PARTITION__", -1), ("sex=m%20%2F%20x", 1)):
        rows, _, _ = read(tmp_path, content.encode(), contract, f"raw/{folder}/a.csv")
        assert [(2, code, 80.0, 1, 1, 0)] == rows


@pytest.mark.parametrize(
    ("contract", "key", "part"),
    [
        (
            _declared(smokes="nullable = true"),
            "raw/smokes=1/a.csv",
            "lacks the column smokes. A folder is named after smokes",
        ),
        (
            _declared(files='partition_columns = ["smokes"]'),
            "raw/smokes=1/smokes=0/a.csv",
            "lies in two folders smokes=... that say different things",
        ),
        (CONTRACT, "raw/smokes=1/a.csv", 'write partition_columns = ["smokes"] under [files]'),
        (
            _declared(files='partition_columns = ["smokes"]'),
            "raw/a.csv",
            "lies in no folder smokes=",
        ),
    ],
)
def test_folders_and_declared_partitions_must_agree(
    tmp_path: Path, contract: str, key: str, part: str
) -> None:
    with pytest.raises(BadData) as raised:
        read(tmp_path, PARTITIONED.encode(), contract, key)
    assert part in str(raised.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", gzip.compress(b""), b"\xef\xbb\xbf"],
    ids=["nothing", "blank lines", "empty gzip", "byte order mark"],
)
def test_an_empty_file_has_no_rows(tmp_path: Path, content: bytes) -> None:
    assert ([], {}) == read(tmp_path, content)[:2]


def test_a_parquet_file_without_columns_has_no_rows(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pd.DataFrame().to_parquet(buffer)
    assert ([], {}) == read(tmp_path, buffer.getvalue(), key="raw/a.parquet")[:2]


def test_what_a_file_has_and_lacks_besides_rows_is_told(tmp_path: Path) -> None:
    content = b"# a comment\nsmokes,grade,ill,note\n1,2,0,x\n"
    rows, _, file = read(tmp_path, content)
    assert [(2, -1, None, 1, 1, 0)] == rows
    assert (("note",), ("sex", "blood_glucose"), 1) == (
        file.extra,
        file.absent,
        file.skipped_lines,
    )
