"""What a contract may say about files, and what is refused."""

import json
from typing import Any

import pytest

from domain.contract.contract import Contract
from domain.contract.file_format import ColumnFormat, FileFormat
from domain.contract.file_values import CodedText
from domain.errors import BadContract

FULL = """
[target]
name = "ill"
source = "Outcome (0/1)"
true = ["yes"]
false = ["no"]

[files]
separator = ";"
decimal = ","
encoding = "cp1252"
partition_columns = ["sex"]

[[features]]
name = "sex"
kind = "category"
categories = ["f", "m"]
nullable = true
missing = ["?"]

[[features]]
name = "age"
kind = "number"
minimum = 0
maximum = 120
nullable = true
source = "âge"
missing = [-999, "."]

[[features]]
name = "smokes"
kind = "flag"
true = [1]
false = [2]
missing = [9]
"""


def _changed(table: str, **keys: Any) -> dict[str, Any]:
    """The full contract with keys added to one table, or to a feature of that name."""
    document = Contract.parse(FULL).to_dict()
    tables = {f["name"]: f for f in document["features"]}
    tables |= {"files": document["files"], "target": document["target"]}
    tables[table].update(keys)
    return document


def test_a_contract_says_how_files_write_its_columns() -> None:
    contract = Contract.parse(FULL)
    assert FileFormat(
        separator=";", decimal=",", encoding="cp1252", partition_columns=("sex",)
    ) == (contract.files)
    assert ColumnFormat(source="âge", missing=("-999", ".")) == contract.feature("age").in_files
    assert ColumnFormat(true=("1",), false=("2",), missing=("9",)) == (
        contract.feature("smokes").in_files
    )
    assert ["sex", "âge", "smokes", "Outcome (0/1)"] == [
        column.source for column in contract.file_columns(labelled=True)
    ]
    assert [False, False, True, True] == [
        column.required for column in contract.file_columns(labelled=True)
    ]


def test_how_files_are_written_survives_json_and_leaves_the_version_alone() -> None:
    contract = Contract.parse(FULL)
    document = contract.to_dict()
    assert contract == Contract.from_dict(json.loads(json.dumps(document)))
    about_files = {"source", "missing", "true", "false"}
    for table in (document["target"], *document["features"]):
        for key in about_files & set(table):
            del table[key]
    del document["files"]
    assert contract.version == Contract.from_dict(document).version


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown key of the target": ("target", {"positive": "yes"}, "[target]: unknown key positive"),
    "unknown key of [files]": ("files", {"quote": "'"}, "[files]: unknown key quote"),
    "unknown key of a category": ("sex", {"titel": "x"}, "sex: unknown key titel"),
    "unknown key of a number": ("age", {"unti": "a"}, "age: unknown key unti"),
    "words of a category": ("sex", {"true": ["f"]}, "sex: unknown key true"),
    "separator of two characters": (
        "files",
        {"separator": ", "},
        "separator must be one character",
    ),
    "separator that is a list": ("files", {"separator": [","]}, "separator must be one character"),
    "empty separator": ("files", {"separator": ""}, "separator must be one character"),
    "separator that is a letter": ("files", {"separator": "x"}, "separator must be one character"),
    "separator that is a quote": ("files", {"separator": '"'}, "separator must be one character"),
    "separator that is a point": ("files", {"separator": "."}, "separator must be one character"),
    "decimal mark": ("files", {"decimal": "·"}, "decimal must be '.' or ','"),
    "decimal mark that separates": ("files", {"separator": ","}, "must differ"),
    "encoding that nobody knows": ("files", {"encoding": "klingon"}, "encoding must be one"),
    "encoding that is none of text": ("files", {"encoding": "base64"}, "encoding must be one"),
    "encoding of host names": ("files", {"encoding": "idna"}, "encoding must be one"),
    "encoding of escapes": ("files", {"encoding": "punycode"}, "encoding must be one"),
    "encoding that is a number": ("files", {"encoding": 1252}, "encoding must be one"),
    "partitions that are no list": ("files", {"partition_columns": "sex"}, "partition_columns"),
    "unknown partition": ("files", {"partition_columns": ["town"]}, "partition_columns must list"),
    "source that is a number": ("age", {"source": 1}, "age: source must be"),
    "blank source": ("age", {"source": " "}, "age: source must be"),
    "two columns of one source": ("age", {"source": "smokes"}, "two columns have this source"),
    "missing that is a text": ("age", {"missing": "?"}, "age: missing must be a list"),
    "missing that is empty": ("age", {"missing": []}, "age: missing must be a list"),
    "missing that is a boolean": ("age", {"missing": [True]}, "age: missing must be a list"),
    "missing that is a category": ("sex", {"missing": ["f"]}, "is a category too"),
    "missing that is a category's number": (
        "sex",
        {"categories": ["1", "2"], "missing": ["1.0"]},
        "sex: a word of missing is a category too",
    ),
    "missing that is one of a flag's numbers": (
        "target",
        {"missing": ["0"]},
        "ill: a word of missing is a value of the flag too",
    ),
    "missing that is the word true": ("smokes", {"missing": ["TRUE"]}, "smokes: a word of missing"),
    "missing that is a value": ("age", {"missing": [99]}, "would be a valid value"),
    "true without false": ("smokes", {"false": []}, "smokes: false must be a list"),
    "a word for both": ("smokes", {"false": ["1", "2"]}, "true and false share a word"),
    "a word in other capitals": ("target", {"false": ["YES"]}, "true and false share a word"),
    "a number written in two ways": (
        "smokes",
        {"true": [1], "false": ["1.0"]},
        "true and false share a word",
    ),
    "the word false for true": (
        "smokes",
        {"true": ["false"], "false": ["no"]},
        "smokes: the words true and false would both mean the same",
    ),
    "the word true for false": (
        "target",
        {"true": ["healthy"], "false": ["TRUE"]},
        "[target]: the words true and false would both mean the same",
    ),
    "a word that is missing": ("smokes", {"missing": ["1"]}, "true and missing share a word"),
}


@pytest.mark.parametrize(("table", "keys", "part"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_contract_says_wrongly_about_files_is_refused_by_name(
    table: str, keys: dict[str, Any], part: str
) -> None:
    with pytest.raises(BadContract) as raised:
        Contract.from_dict(_changed(table, **keys))
    assert part in str(raised.value)


MISLEADING: dict[str, tuple[str, dict[str, Any], str]] = {
    "category with a blank": ("sex", {"categories": ["f ", "m"]}, "sex: a category begins or ends"),
    "category with a character of no width": (
        "sex",
        {"categories": ["\u200bf", "m"]},
        "sex: a category begins or ends",
    ),
    "maximum beyond float32": ("age", {"maximum": 1e39}, "age: minimum and maximum must lie"),
    "minimum beyond float32": ("age", {"minimum": -1e300}, "age: minimum and maximum must lie"),
}


@pytest.mark.parametrize(("table", "keys", "part"), MISLEADING.values(), ids=MISLEADING.keys())
def test_values_that_files_or_models_cannot_hold_are_refused(
    table: str, keys: dict[str, Any], part: str
) -> None:
    with pytest.raises(BadContract) as raised:
        Contract.from_dict(_changed(table, **keys))
    assert part in str(raised.value)


def test_a_bad_name_is_the_only_problem_that_it_makes() -> None:
    with pytest.raises(BadContract) as raised:
        Contract.from_dict(_changed("age", name="a b"))
    assert "[split]" not in str(raised.value)
    assert "weight" not in str(raised.value)


def test_two_segments_with_one_group_are_refused() -> None:
    document = Contract.parse(FULL).to_dict() | {"segments": [{"feature": "sex"}] * 2}
    with pytest.raises(BadContract, match="two segments have the same group"):
        Contract.from_dict(document)


@pytest.mark.parametrize("text", ["\ufeff" + FULL, FULL.replace("\n", "\r\n")])
def test_a_contract_that_windows_wrote_is_the_same(text: str) -> None:
    assert Contract.parse(FULL) == Contract.parse(text)


@pytest.mark.parametrize("number", ["9" * 5_000, "[" * 5_000], ids=["digits", "lists"])
def test_toml_that_python_cannot_hold_is_refused(number: str) -> None:
    with pytest.raises(BadContract, match="not valid TOML"):
        Contract.parse(FULL.replace("-999", number))


@pytest.mark.parametrize("text", ["\u200be", "E\u0301".lower(), "\u00e9\u00a0"])
def test_a_collected_category_is_one_however_it_is_written(text: str) -> None:
    document = _changed("sex", categories=["\u00e9", "e"], other=True)
    feature = Contract.from_dict(document).feature("sex")
    expected = "e" if text == "\u200be" else "\u00e9"
    assert feature.accepts(text)
    assert expected == feature.cast(text)
    assert feature.categories.index(expected) == CodedText(feature).code(text)
