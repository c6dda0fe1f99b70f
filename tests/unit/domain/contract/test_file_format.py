"""What a contract may say about files, and what is refused."""

import json
from typing import Any

import pytest

from domain.contract.contract import Contract
from domain.contract.file_format import ColumnFormat, FileFormat
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
    "separator of two characters": ("files", {"separator": ", "}, "separator must be one of"),
    "separator that is a list": ("files", {"separator": [","]}, "separator must be one of"),
    "empty separator": ("files", {"separator": ""}, "separator must be one of"),
    "decimal mark": ("files", {"decimal": "·"}, "decimal must be '.' or ','"),
    "decimal mark that separates": ("files", {"separator": ","}, "must differ"),
    "encoding that nobody knows": ("files", {"encoding": "klingon"}, "encoding must be one"),
    "encoding that is none of text": ("files", {"encoding": "base64"}, "encoding must be one"),
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
    "missing that is a value": ("age", {"missing": [99]}, "would be a valid value"),
    "true without false": ("smokes", {"false": []}, "smokes: false must be a list"),
    "a word for both": ("smokes", {"false": ["1", "2"]}, "true and false share a word"),
    "a word in other capitals": ("target", {"false": ["YES"]}, "true and false share a word"),
    "a word that is missing": ("smokes", {"missing": ["1"]}, "true and missing share a word"),
}


@pytest.mark.parametrize(("table", "keys", "part"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_contract_says_wrongly_about_files_is_refused_by_name(
    table: str, keys: dict[str, Any], part: str
) -> None:
    with pytest.raises(BadContract) as raised:
        Contract.from_dict(_changed(table, **keys))
    assert part in str(raised.value)
