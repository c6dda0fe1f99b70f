"""Every change of a contract is named, with who must do something about it."""

import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from domain.contract.contract import Contract
from domain.contract_difference import compare, find_unretired
from tests.repository import CONTRACT_TOML

Change = Callable[[dict[str, Any]], object]
FLAG = {"name": "smoker", "kind": "flag"}


def _change(change: Change) -> Contract:
    document = tomllib.loads(CONTRACT_TOML.read_text())
    change(document)
    return Contract.from_dict(document)


def _feature(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(f for f in document["features"] if f["name"] == name)


def _drop(document: dict[str, Any], name: str) -> None:
    document["features"] = [f for f in document["features"] if f["name"] != name]


def _retire(document: dict[str, Any], name: str) -> None:
    kind = _feature(document, name)["kind"]
    _drop(document, name)
    document["retired"] = [{"name": name, "kind": kind}]


@pytest.mark.parametrize(
    ("change", "effect", "words"),
    [
        (lambda d: d["features"].append(FLAG), "callers", "smoker is new and required"),
        (
            lambda d: d["features"].append(FLAG | {"nullable": True}),
            "training",
            "smoker is new and may be missing",
        ),
        (lambda d: _drop(d, "bmi"), "refused", "bmi is gone"),
        (lambda d: _retire(d, "bmi"), "training", "bmi is retired"),
        (lambda d: d["features"].reverse(), "training", "another order"),
        (
            lambda d: _feature(d, "hypertension").update(kind="number", minimum=0, maximum=9),
            "refused",
            "hypertension is a number and was a flag",
        ),
        (lambda d: _feature(d, "bmi").update(nullable=False), "callers", "no longer be missing"),
        (lambda d: _feature(d, "age").update(nullable=True), "training", "age may be missing"),
        (lambda d: _feature(d, "age").update(maximum=90), "callers", "0 to 90"),
        (lambda d: _feature(d, "age").update(maximum=130), "training", "0 to 130"),
        (lambda d: _feature(d, "gender")["categories"].pop(), "callers", "no longer has Other"),
        (lambda d: _feature(d, "gender")["categories"].append("X"), "training", "also be X"),
        (
            lambda d: _feature(d, "gender").update(other=True),
            "training",
            "gender may also be any other text, which counts as __other__, once",
        ),
        (lambda d: _feature(d, "age").update(unit="months"), "nothing", "described in other words"),
        (lambda d: _feature(d, "age").update(source="Age"), "nothing", "write age in another way"),
        (
            lambda d: _feature(d, "age").update(monotone="increasing"),
            "training",
            "age in increasing direction only",
        ),
        (
            lambda d: _feature(d, "age").update(drift={"distance": 0.5}),
            "nothing",
            "limits of drift",
        ),
        (lambda d: d["segments"].pop(), "training", "other segments"),
        (lambda d: d["target"].update(minimum_recall=0.9), "training", "another objective"),
        (lambda d: d.update(split={"time": "at"}), "callers", "[split] time names at: the next"),
        (lambda d: d["target"].update(weight="w"), "callers", "[target] weight names w: uploaded"),
        (lambda d: d.update(gate={"minimum_f1": 0.1}), "training", "The gate has other limits"),
        (lambda d: d.update(files={"separator": ";"}), "nothing", "written in another way"),
        (
            lambda d: d.update(context=[{"name": "visit", "role": "reference"}]),
            "callers",
            "visit is new and required",
        ),
        (
            lambda d: d.update(context=[{"name": "visit", "nullable": True}]),
            "nothing",
            "visit is new and may be missing",
        ),
        (lambda d: d["target"].update(name="stroke"), "refused", "The target is stroke"),
    ],
)
def test_a_change_is_named_with_its_effect(change: Change, effect: str, words: str) -> None:
    (found,) = compare(_change(lambda _: None), _change(change))
    assert effect == found.effect
    assert words in found.sentence


def test_a_feature_that_is_retired_no_longer_is_refused() -> None:
    old = _change(lambda d: d.update(retired=[{"name": "waist", "kind": "number"}]))
    (found,) = compare(old, _change(lambda _: None))
    assert ("callers", True) == (found.effect, "waist is no longer retired" in found.sentence)


def test_the_same_contract_differs_in_nothing(contract: Contract) -> None:
    assert [] == compare(contract, _change(lambda _: None))


def test_a_time_and_a_weight_that_go_concern_the_next_training_only() -> None:
    old = _change(lambda d: (d.update(split={"time": "at"}), d["target"].update(weight="w")))
    renamed = _change(lambda d: (d.update(split={"time": "b"}), d["target"].update(weight="w")))
    gone = [(d.effect, d.sentence[:24]) for d in compare(old, _change(lambda _: None))]
    assert [
        ("training", "[split] time is gone: th"),
        ("training", "[target] weight is gone:"),
    ] == gone
    (found,) = compare(old, renamed)
    assert "callers" == found.effect
    assert "[split] time names b instead of at" in found.sentence


def test_a_feature_that_collects_the_rest_may_lose_categories() -> None:
    old = _change(lambda d: _feature(d, "gender").update(other=True))
    fewer = _change(
        lambda d: _feature(d, "gender").update(other=True, categories=["Female", "Male"])
    )
    (found,) = compare(old, fewer)
    assert ("training", True) == (found.effect, "counts Other as __other__" in found.sentence)
    (found,) = compare(old, _change(lambda _: None))
    assert ("callers", True) == (found.effect, "no longer collects other texts" in found.sentence)


def test_the_gravest_change_comes_first() -> None:
    def change(document: dict[str, Any]) -> None:
        _feature(document, "age").update(maximum=130, source="Age")
        _feature(document, "gender")["categories"].pop()
        _drop(document, "bmi")

    found = compare(_change(lambda _: None), _change(change))
    assert ["refused", "callers", "training", "nothing"] == [d.effect for d in found]


def test_a_context_column_that_goes_or_changes_concerns_callers_at_once() -> None:
    def old(document: dict[str, Any]) -> None:
        document["context"] = [{"name": "site"}, {"name": "visit", "nullable": True}]

    def new(document: dict[str, Any]) -> None:
        document["context"] = [{"name": "visit", "nullable": False}]

    found = compare(_change(old), _change(new))
    assert ["callers"] * 2 == [d.effect for d in found]
    assert ["site", "visit"] == sorted(d.sentence.split()[3] for d in found)


def test_features_without_a_column_are_found(contract: Contract) -> None:
    assert ["bmi"] == [f.name for f in find_unretired(contract, _change(lambda d: _drop(d, "bmi")))]
    assert [] == find_unretired(contract, _change(lambda d: _retire(d, "bmi")))
