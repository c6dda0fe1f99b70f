"""Take people's records out of JSON: lines of records, rejected records, and whole documents."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from domain.contract.contract import Contract
from training_job.erasure.wanted import Roles, Wanted

RAW_DATA = "rawData"
"""Where Firehose's error output holds the record that it could not convert, in base64."""
ERASED = "erased"
"""What stands in the place of an identifier, or of a record outside a list."""


def filter_lines(data: bytes, wanted: Wanted, contract: Contract) -> tuple[bytes, int]:
    """The lines that aren't theirs, byte for byte, and how many were."""
    if not wanted.may_be_in(data) and RAW_DATA.encode() not in data:
        return data, 0
    kept, erased = [], 0
    for line in data.splitlines(keepends=True):
        if _is_theirs(line, wanted, contract):
            erased += 1
        else:
            kept.append(line)
    return b"".join(kept), erased


def filter_document(document: Any, wanted: Wanted, contract: Contract) -> tuple[Any, int]:
    """The document without their records, and how many were left out.

    A record is an object with a field that says whose it is, or a row of a table that has a list
    ``columns`` and a list ``data``, as MLflow logs one. Elsewhere, a text that is an identifier of
    theirs is replaced.
    """
    counted = [0]
    return _filter(document, wanted, contract, counted), counted[0]


def read_people(data: bytes) -> Iterator[dict[str, pa.Array]]:
    """Subject, prediction and reference of each record of a log's text object."""
    rows = [row for line in data.splitlines() for row in [_decode(line)] if row is not None]
    if rows:
        yield {
            name: pa.array([_text(row.get(name)) for row in rows], pa.string())
            for name in ("subject", "prediction_id", "reference")
        }


def _is_theirs(line: bytes, wanted: Wanted, contract: Contract) -> bool:
    row = _decode(line)
    if row is not None:
        return _holds_theirs(row, wanted, contract)
    # A damaged record is theirs if it has an identifier of theirs as a whole text.
    texts = wanted.subject_texts | wanted.predictions | wanted.references
    damaged = _raw_data(line) or line
    return any(json.dumps(text).encode() in damaged for text in texts)


def _decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line, unpacked where Firehose rejected it; None if it is damaged."""
    try:
        row = json.loads(line)
        if isinstance(row, dict) and RAW_DATA in row:
            row = json.loads(base64.b64decode(row[RAW_DATA]))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        return None
    return row if isinstance(row, dict) else None


def _raw_data(line: bytes) -> bytes:
    try:
        return base64.b64decode(json.loads(line)[RAW_DATA])
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        return b""


def _holds_theirs(value: Any, wanted: Wanted, contract: Contract) -> bool:
    counted = [0]
    _filter(value, wanted, contract, counted)
    return counted[0] > 0


def _filter(value: Any, wanted: Wanted, contract: Contract, counted: list[int]) -> Any:
    if isinstance(value, Mapping):
        if _is_record(value, wanted, contract):
            counted[0] += 1
            return {ERASED: True}
        if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
            value = dict(value) | {"data": _filter_table(value, wanted, contract, counted)}
        return {name: _filter(v, wanted, contract, counted) for name, v in value.items()}
    if isinstance(value, list):
        kept = []
        for one in value:
            if isinstance(one, Mapping) and _is_record(one, wanted, contract):
                counted[0] += 1
            else:
                kept.append(_filter(one, wanted, contract, counted))
        return kept
    if isinstance(value, str) and value in wanted.unique_texts:
        counted[0] += 1
        return ERASED
    return value


def _is_record(fields: Mapping[str, Any], wanted: Wanted, contract: Contract) -> bool:
    names = [str(name) for name in fields]
    values = [*fields.values()]
    return bool(_match(names, [values], wanted, contract)[0])


def _filter_table(
    table: Mapping[str, Any], wanted: Wanted, contract: Contract, counted: list[int]
) -> list[Any]:
    rows, names = table["data"], [str(name) for name in table["columns"]]
    usable = [row if isinstance(row, list) else [] for row in rows]
    theirs = _match(names, usable, wanted, contract)
    counted[0] += sum(theirs)
    return [row for row, hit in zip(rows, theirs, strict=True) if not hit]


def _match(
    names: list[str], rows: list[list[Any]], wanted: Wanted, contract: Contract
) -> list[bool]:
    roles = Roles.of(names, contract)
    if not roles.positions or not rows:
        return [False] * len(rows)
    arrays = {
        place: pa.array([_text(r[place]) if len(r) > place else None for r in rows], pa.string())
        for place in roles.positions
    }
    return [bool(hit) for hit in wanted.find_rows(roles.choose(arrays), len(rows))]


def _text(value: object) -> str | None:
    """A value that may be an identifier, as a text; None for any other."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value) if not isinstance(value, str) or value.isascii() else _clean(value)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
