"""The champion pointer and the ledger's entries."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import BadRecord
from domain.model.champion import Champion, LedgerEntry, ModelRef

_SEALS = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")
_MODELS = st.builds(ModelRef.of, st.integers(1, 999), _SEALS)
FIRST = ModelRef.of(1, "a" * 64)
SECOND = ModelRef.of(2, "b" * 64)


def _pointer() -> Champion:
    return Champion.successor(None, FIRST, action="promote", execution="e1", now=10)


def test_a_model_is_named_by_its_number_and_seal() -> None:
    assert FIRST == ModelRef("1-aaaaaaaa", "serving/bundles/1-aaaaaaaa/bundle.json.gz", "a" * 64)


def test_the_first_champion_has_no_previous_one() -> None:
    assert (1, FIRST, None) == (_pointer().seq, _pointer().model, _pointer().previous)


def test_a_successor_remembers_whom_it_replaced() -> None:
    second = Champion.successor(_pointer(), SECOND, action="rollback", execution="e2", now=11)
    assert (2, SECOND, FIRST, "rollback") == (
        second.seq,
        second.model,
        second.previous,
        second.action,
    )


@given(st.lists(_MODELS, min_size=1, max_size=4), st.text(), st.integers(0, 2**42))
def test_a_pointer_and_its_entry_survive_json(
    models: list[ModelRef], execution: str, now: int
) -> None:
    champion = None
    for model in models:
        champion = Champion.successor(
            champion, model, action="promote", execution=execution, now=now
        )
    assert champion is not None
    entry = LedgerEntry.of(champion, ("Test F1 is better.",))
    assert champion == Champion.from_json(champion.to_json())
    assert entry == LedgerEntry.from_json(entry.to_json())
    assert len(models) == champion.seq


def _with(**changes: Any) -> bytes:
    second = Champion.successor(_pointer(), SECOND, action="promote", execution="e2", now=11)
    return json.dumps(json.loads(second.to_json()) | changes).encode()


ANOTHERS_KEY = "serving/bundles/1-aaaaaaaa/bundle.json.gz"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        _with(version="../x"),
        _with(version=7),
        _with(version="2-aaaaaaaa"),
        _with(version="3-bbbbbbbb"),
        _with(bundle_key=ANOTHERS_KEY),
        _with(bundle_key=None),
        _with(sha256="b" * 8),
        _with(sha256="b" * 8 + "z"),
        _with(sha256=None),
        _with(previous={}),
        _with(previous={"version": "1-aaaaaaaa", "bundle_key": ANOTHERS_KEY, "sha256": "c" * 64}),
        _with(previous={"version": "x", "bundle_key": "", "sha256": ""}),
        _with(previous=7),
        _with(seq="2"),
        _with(seq=0),
        _with(seq=True),
        _with(promoted_at=None),
        _with(promoted_at=1.5),
        _with(action="demote"),
        _with(action=[]),
        _with(execution=None),
    ],
)
def test_what_is_no_pointer_is_refused(data: bytes) -> None:
    with pytest.raises(BadRecord):
        Champion.from_json(data)


@pytest.mark.parametrize("fields", [{}, {"reasons": None}, {"reasons": 1}, {"seq": 1}])
def test_what_lacks_fields_is_no_ledger_entry(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRecord):
        LedgerEntry.from_json(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"seq": "1"},
        {"seq": 0},
        {"promoted_at": None},
        {"promoted_at": "today"},
        {"action": "demote"},
        {"action": []},
        {"version": "../x"},
        {"version": None},
        {"previous_version": 7},
        {"execution": None},
        {"reasons": [1]},
    ],
)
def test_a_field_of_another_type_is_no_ledger_entry(change: dict[str, Any]) -> None:
    entry = json.loads(LedgerEntry.of(_pointer(), ("Because.",)).to_json())
    with pytest.raises(BadRecord):
        LedgerEntry.from_json(json.dumps(entry | change).encode())


def test_an_entry_keeps_the_pointers_facts() -> None:
    pointer = replace(_pointer(), seq=12, previous=SECOND)
    entry = LedgerEntry.of(pointer, ("Because.",))
    assert "serving/ledger/00000012-promote-1-aaaaaaaa.json" == entry.key
    assert (SECOND.version, ("Because.",)) == (entry.previous_version, entry.reasons)
