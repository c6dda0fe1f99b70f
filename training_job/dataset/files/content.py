"""What a file is, by its first bytes: a name proves nothing."""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, cast

from training_job.errors import BadData

Kind = Literal["parquet", "text"]
HEAD_BYTES = 4096
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
FOREIGN = {
    b"PK\x03\x04": "a zip archive: unpack it",
    b"PK\x05\x06": "an empty zip archive",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an Excel workbook: save it as CSV (UTF-8)",
    b"\x1f\x9d": "compressed with compress (.Z): unpack it, or compress it with gzip",
    b"BZh": "compressed with bzip2: unpack it, or compress it with gzip",
    b"\xfd7zXZ\x00": "compressed with xz: unpack it, or compress it with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it, or compress it with gzip",
    b"\x04\x22\x4d\x18": "compressed with lz4: unpack it, or compress it with gzip",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it",
    b"Rar!\x1a\x07": "a rar archive: unpack it",
    b"ORC": "an ORC file: write it as Parquet or CSV",
    b"Obj\x01": "an Avro file: write it as Parquet or CSV",
    b"PARE": "Parquet whose columns are encrypted: write it without",
    b"\xff\xff\xff\xff": "an Arrow stream: write it as Parquet or CSV",
    b"<stata_dta>": "a Stata table: export it as CSV",
    b"$FL2@(#)": "an SPSS table: export it as CSV",
    b"$FL3@(#)": "an SPSS table: export it as CSV",
    b"HEADER RECORD*******": "a SAS transport file: export the table as CSV",
    bytes(12) + b"\xc2\xea\x81\x60": "a SAS table: export it as CSV",
    b"RDX2\n": "data of R: write the table with write.csv",
    b"RDX3\n": "data of R: write the table with write.csv",
    b"X\n\x00\x00\x00": "data of R: write the table with write.csv",
    b"\x80\x04\x95": "a pickle of Python: write it as Parquet or CSV",
    b"\x80\x05\x95": "a pickle of Python: write it as Parquet or CSV",
    b"ARROW1": "an Arrow file: write it as Parquet or CSV",
    b"FEA1": "a Feather file: write it as Parquet or CSV",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file: write it as Parquet or CSV",
    b"SQLite format 3\x00": "an SQLite database: export the table as CSV",
    b"\x93NUMPY": "a NumPy array: write it as Parquet or CSV, with column names",
    b"%PDF-": "a PDF document: export the table as CSV",
    b"version https://git-lfs": "a pointer of Git LFS: fetch the file itself with git lfs pull",
}
"""First bytes of what isn't read → what it is and what to do."""
JSON = re.compile(rb"\{\s*[\"}]|\[\s*(?:[\[{\"\]0-9-]|true|false|null)")
"""How JSON begins. Column names in brackets, as in ``[age],[sex]``, don't match."""
MARKUP = (b"<!doctype", b"<html", b"<?xml")


@contextmanager
def open_content(path: Path, name: str) -> Iterator[tuple[Kind, BinaryIO, BinaryIO]]:
    """``(kind, unpacked bytes, stored bytes)`` of a local file.

    The position of the stored bytes tells how far the unpacked ones have been read. Raises BadData
    with what the file is when it is neither Parquet nor text, nor either of them in gzip.
    """
    with path.open("rb") as stored:
        unpacked: BinaryIO = stored
        layers = 0
        try:
            while (head := _peek(unpacked)).startswith(GZIP):
                unpacked = cast("BinaryIO", gzip.GzipFile(fileobj=unpacked, mode="rb"))
                layers += 1
            kind = _recognise(head, name)
            if kind == "parquet" and layers:
                raise BadData(f"{name} is Parquet packed with gzip: unpack it and upload that.")
            yield kind, unpacked, stored
        except EOFError:
            raise BadData(
                f"{name} ends in the middle of its gzip data: it was cut off; upload it again."
            ) from None
        except (gzip.BadGzipFile, zlib.error):
            raise BadData(f"{name} is damaged inside its gzip data: upload it again.") from None


def _peek(stream: BinaryIO) -> bytes:
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    return head


def _recognise(head: bytes, name: str) -> Kind:
    if head.startswith(PARQUET):
        return "parquet"
    found = next((text for magic, text in FOREIGN.items() if head.startswith(magic)), None)
    if head.startswith(b"PK") and (b"[Content_Types].xml" in head or b"xl/" in head):
        found = "an Excel workbook: save it as CSV (UTF-8)"
    if head.startswith(b"PK") and b"application/vnd.oasis.opendocument" in head:
        found = "an OpenDocument spreadsheet: save it as CSV (UTF-8)"
    if head[257:262] == b"ustar":
        found = "a tar archive: unpack it"
    narrow = head.replace(b"\x00", b"")  # western text in UTF-16 and UTF-32 is ASCII with zeros
    start = narrow.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if start.lower().startswith(MARKUP):
        found = "a web page or XML: download the data itself"
    if JSON.match(start):
        found = "JSON: write it as CSV or Parquet"
    if found:
        raise BadData(f"{name} is {found}; CSV, gzipped CSV and Parquet are read.")
    return "text"
