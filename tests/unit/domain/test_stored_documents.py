"""Stored documents as they come back: damaged ones are refused, those of newer code are read."""

import json
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

import pytest

from domain import keys, typed_json
from domain.api.inspection import PredictionView
from domain.drift.acknowledgement import Acknowledgement
from domain.drift.alert_state import AlertState
from domain.drift.drift_request import RequestRecord
from domain.drift.label_draw import LabelDraw
from domain.drift.retraining import Decision
from domain.drift.run_index import RunIndex
from domain.drift.summary import FORMAT, Histogram, Summary
from domain.erasure import Certificate
from domain.errors import BadRecord
from domain.model.champion import Champion, LedgerEntry, ModelRef
from domain.model.consistency import Consistency
from domain.model.probation import Probation
from domain.model.proposal import Proposal

MODELS = [ModelRef.of(number, f"{number}" * 64) for number in (1, 2)]
CHAMPION = Champion.successor(
    Champion.successor(None, MODELS[0], action="promote", execution="e", now=1),
    MODELS[1],
    action="rollback",
    execution="f",
    now=2,
)
RUN = keys.RunId.parse("20240301T000000Z--20240302T000000Z--1-11111111")
HISTOGRAM = Histogram(edges=(1.0,), reference=(0.5, None), current=(0.25, 0.75))
OTHERS: list[Any] = [None, True, 3, -0.5, "x", [], {}, [None], {"x": 1}, 10**400]


def _fill(hint: Any) -> Any:  # noqa: PLR0911 - a case for each kind of type
    """A value of a type of `typed_json`, with something in everything that may be empty."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Histogram:
        return HISTOGRAM
    if is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return hint(**{field.name: _fill(hints[field.name]) for field in fields(hint)})  # type: ignore[operator]  # it is a class
    if origin in (types.UnionType, typing.Union):
        return _fill(next(part for part in arguments if part is not types.NoneType))
    if origin is tuple:
        return tuple(map(_fill, [part for part in arguments if part is not Ellipsis]))
    if origin is Mapping:
        return {"a": _fill(arguments[1])}
    if origin is Literal:
        return arguments[0]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return next(iter(hint))
    return {str: "x", int: 5, float: 0.5, bool: True}[hint]


class Stored(Protocol):
    """A document as an object."""

    def to_json(self) -> bytes:
        """Its content."""


class Kind(NamedTuple):
    """`example` is stored, and `read` reads it."""

    example: Stored
    read: Callable[[bytes], Any]


def _changed(kind: Any, **values: Any) -> Any:
    return kind(**{f.name: getattr(_fill(kind), f.name) for f in fields(kind)} | values)


KINDS: dict[str, Kind] = {
    "pointer": Kind(CHAMPION, Champion.from_json),
    "ledger entry": Kind(LedgerEntry.of(CHAMPION, ("better",)), LedgerEntry.from_json),
    "check": Kind(_fill(Consistency), Consistency.from_json),
    "alert state": Kind(_fill(AlertState), AlertState.from_json),
    "index of runs": Kind(_fill(RunIndex), RunIndex.from_json),
    "summary": Kind(_changed(Summary, run_id=str(RUN)), Summary.from_json),
    "request": Kind(
        RequestRecord(
            id="01234567-89ab-cdef-0123-456789abcdef",
            requested_at=1,
            request={"date": "2024-03-01", "deep": [{"x": None}]},
            started_at=2,
            run_ids=(str(RUN),),
            problem="p",
            owner="o",
            actor="a",
        ),
        RequestRecord.from_json,
    ),
    "acknowledgement": Kind(_fill(Acknowledgement), Acknowledgement.from_json),
    "draw": Kind(_fill(LabelDraw), LabelDraw.from_json),
    "decision": Kind(_fill(Decision), Decision.from_json),
    "certificate": Kind(_fill(Certificate), Certificate.from_json),
    "probation": Kind(_fill(Probation), Probation.from_json),
    "proposal": Kind(_fill(Proposal), Proposal.from_json),
    "view": Kind(_fill(PredictionView), PredictionView.from_json),
}


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _objects(inner)


def _damaged(document: Any) -> Iterator[tuple[str, bytes]]:
    """The document with each field of each object gone, null, or of another type."""
    for place in _objects(document):
        for name, value in list(place.items()):
            del place[name]
            yield f"without {name}", json.dumps(document).encode()
            for other in OTHERS:
                place[name] = other
                yield f"{name} = {str(other)[:9]}", json.dumps(document).encode()
            place[name] = value


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_document_comes_back_as_it_was(kind: Kind) -> None:
    assert kind.example == kind.read(kind.example.to_json())


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_field_that_is_gone_or_of_another_type_is_refused_or_makes_no_wrong_object(
    kind: Kind,
) -> None:
    """What is read from a damaged document has the types that it is declared with."""
    for what, data in _damaged(json.loads(kind.example.to_json())):
        try:
            found = kind.read(data)
        except BadRecord:
            continue
        assert typed_json.decode(type(found), typed_json.encode(found)) == found, what


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_what_newer_code_adds_is_passed_over(kind: Kind) -> None:
    document = json.loads(kind.example.to_json())
    for place in [*_objects(document)]:
        if not {"a", "deep", "x"} & set(place):  # these are entries and not fields
            place["added_by_newer_code"] = {"x": [1]}
    assert kind.example == kind.read(json.dumps(document).encode())


WRECKS = [b"", b"null", b"[]", b"{", b"{}", b'"x"', b"7", b"\xff\xfe", b"[" * 100_000, b"NaN"]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_what_is_no_such_document_is_refused(kind: Kind) -> None:
    whole = kind.example.to_json()
    cut = [whole[:place] for place in range(1, len(whole) - 1, max(len(whole) // 50, 1))]
    for data in [*WRECKS, *cut]:
        with pytest.raises(BadRecord):
            kind.read(data)


def test_a_summary_of_another_format_is_refused() -> None:
    data = KINDS["summary"].example.to_json().replace(FORMAT.encode(), b"mlops.circle/2")
    with pytest.raises(BadRecord):
        Summary.from_json(data)
