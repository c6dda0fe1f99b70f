"""One object without some people's rows, whatever its format; the content decides what it is."""

import gzip
import html
import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from domain import keys
from domain.contract.contract import Contract
from training_job.dataset.files.content import GZIP, PARQUET
from training_job.erasure import csv_rows, json_records, parquet
from training_job.erasure.json_records import ERASED
from training_job.erasure.wanted import Wanted
from training_job.errors import BadData

HEAD_BYTES = 4096
LARGEST_TEXT = 512 * 1024 * 1024
"""Texts are read as a whole, unless they are CSV."""
SEALED = "/bundle.json.gz"
"""A trained model: it holds no row, and its bytes are sealed by their hash."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is theirs in an object: `rows`, or `whole` where nothing says whose its rows are.

    `problem`: why it may hold a row and can't be rewritten.
    """

    rows: int = 0
    whole: bool = False
    problem: str = ""

    def __bool__(self) -> bool:
        return bool(self.rows or self.whole)


def examine(source: Path, key: str, wanted: Wanted, contract: Contract) -> Found:
    """Look for their rows in an object that was copied into a file."""
    try:
        return _examine(source, key, wanted, contract)
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        return Found(problem=f"it can't be read to its end ({type(error).__name__})")
    except BadData:
        return _search_bytes(source, wanted)


def rewrite(source: Path, target: Path, key: str, wanted: Wanted, contract: Contract) -> int:
    """Write the object without their rows; returns how many were left out."""
    head = _read_head(source)
    if head.startswith(PARQUET):
        return parquet.rewrite(source, target, wanted, contract)
    if _is_csv(key):
        return csv_rows.rewrite(source, target, wanted, contract)
    packed = head.startswith(GZIP)
    data, erased = _filter_text(_read_text(source), key, wanted, contract)
    target.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return erased


def _examine(source: Path, key: str, wanted: Wanted, contract: Contract) -> Found:
    head = _read_head(source)
    if key.endswith(SEALED) or not head:
        return Found()
    if head.startswith(PARQUET):
        return Found(parquet.count_rows(source, wanted, contract))
    if _is_csv(key):
        return _examine_csv(source, key, wanted, contract)
    if source.stat().st_size > LARGEST_TEXT:
        return Found(problem="it is too large to be read as a text")
    data = _read_text(source)
    if b"\x00" in data[:HEAD_BYTES]:
        return _search_bytes(source, wanted)
    return Found(_filter_text(data, key, wanted, contract)[1])


def _examine_csv(source: Path, key: str, wanted: Wanted, contract: Contract) -> Found:
    rows = csv_rows.count_rows(source, wanted, contract)
    if rows is not None:
        return Found(rows)
    if key.startswith(keys.ATHENA):
        return Found(whole=True)
    return _search_bytes(source, wanted)


def _filter_text(data: bytes, key: str, wanted: Wanted, contract: Contract) -> tuple[bytes, int]:
    if data.lstrip()[:1] in (b"{", b"["):
        document = _decode(data) if key.removesuffix(".gz").endswith(".json") else None
        if document is None:
            return json_records.filter_lines(data, wanted, contract)
        if not wanted.may_be_in(data):
            return data, 0
        found, erased = json_records.filter_document(document, wanted, contract)
        return (json.dumps(found, indent=2).encode(), erased) if erased else (data, 0)
    return _replace(data, wanted)


def _replace(data: bytes, wanted: Wanted) -> tuple[bytes, int]:
    """A page or a text with other words for the identifiers that are in it."""
    if not wanted.unique or not wanted.may_be_in(data):
        return data, 0
    spelt = {form for text in wanted.unique for form in (text, html.escape(text))}
    ordered = sorted(spelt, key=lambda text: (-len(text), text))
    pattern = b"|".join(re.escape(text.encode()) for text in ordered)
    return re.subn(rb"(?<![\w-])(?:" + pattern + rb")(?![\w-])", ERASED.encode(), data)


def _search_bytes(source: Path, wanted: Wanted) -> Found:
    """What can't be decoded is searched for identifiers that no bytes hold by chance."""
    data = source.read_bytes() if source.stat().st_size <= LARGEST_TEXT else b""
    if any(text.encode() in data for text in wanted.unique):
        return Found(problem="it names one of them, in a format that can't be rewritten")
    return Found()


def _decode(data: bytes) -> object:
    """The one JSON document that the text is; None for lines of several, or none."""
    try:
        document: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return document


def _read_text(source: Path) -> bytes:
    data = source.read_bytes()
    return gzip.decompress(data) if data.startswith(GZIP) else data


def _read_head(source: Path) -> bytes:
    with source.open("rb") as file:
        return file.read(HEAD_BYTES)


def _is_csv(key: str) -> bool:
    name = key.lower()
    return name.endswith((".csv", ".csv.gz")) or (
        name.startswith((keys.RAW, keys.SCORING)) and keys.is_table(name)
    )
