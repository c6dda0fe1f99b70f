"""The contract: what it refuses, what it derives, and that it comes back as it went."""

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.api.openapi import build_document
from domain.contract.context import CONTEXT
from domain.contract.contract import Contract
from domain.contract.feature import Feature, Segment
from domain.contract.gate_limits import GateLimits
from domain.contract.objective import Cost, Objective
from domain.contract.records import LABEL_COLUMNS, PREDICTION_COLUMNS, SAMPLING_WEIGHT, SUBJECT_KEY
from domain.contract.reserved_names import RESERVED_COLUMNS, RESERVED_FIELDS
from domain.errors import BadContract
from tests.unit.contracts import contracts, instances, read_value

VALID = {
    "gender": "Female",
    "age": 54,
    "hypertension": 0,
    "heart_disease": 1,
    "smoking_history": "never",
    "bmi": 27.3,
    "HbA1c_level": 6.6,
    "blood_glucose_level": 140,
}


def test_the_shipped_contract_names_the_features_of_the_kaggle_data_set(
    contract: Contract,
) -> None:
    assert tuple(VALID) == tuple(feature.name for feature in contract.features)
    assert "diabetes" == contract.target


def test_the_shipped_features_that_may_be_missing(contract: Contract) -> None:
    nullable = {feature.name for feature in contract.features if feature.nullable}
    assert {"smoking_history", "bmi", "HbA1c_level", "blood_glucose_level"} == nullable


def test_the_log_columns_are_lower_case_and_typed(contract: Contract) -> None:
    expected = {
        "gender": "string",
        "age": "double",
        "hypertension": "bigint",
        "heart_disease": "bigint",
        "smoking_history": "string",
        "bmi": "double",
        "hba1c_level": "double",
        "blood_glucose_level": "double",
    }
    assert expected == contract.log_columns()


def test_a_retired_feature_is_a_column_and_nothing_else(contract: Contract) -> None:
    retired = [{"name": "Weight", "kind": "number"}, {"name": "town", "kind": "category"}]
    changed = Contract.from_dict(contract.to_dict() | {"retired": retired})
    assert {"weight": "double", "town": "string"} == changed.retired_columns()
    assert (contract, contract.version, contract.log_columns()) == (
        changed,
        changed.version,
        changed.log_columns(),
    )
    assert contract.to_dict() == changed.to_dict()
    assert ["#/Weight"] == [p.pointer for p in changed.validate(VALID | {"Weight": 70})]


def test_context_names_a_row_and_a_person_and_is_never_scored(contract: Contract) -> None:
    context = [{"name": "visit", "role": "row_id"}, {"name": "Patient", "role": "subject"}]
    changed = Contract.from_dict(contract.to_dict() | {"context": context})
    assert "visit" == changed.context_column("row_id")
    assert "Patient" == changed.context_column("subject")
    assert contract.context_column("subject") is None
    assert (contract, contract.version) == (changed, changed.version)
    assert contract.to_dict() == changed.to_dict()
    assert ["#/Patient"] == [p.pointer for p in changed.validate(VALID | {"Patient": "p1"})]


def test_a_long_list_of_categories_is_counted_in_a_sentence_and_not_printed() -> None:
    feature = Feature(name="town", kind="category", categories=tuple(map(str, range(5_000))))
    assert "must be one of the contract's 5,000 categories" == feature.expectation


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({}, []),
        ({"age": {"name": "years"}}, ["age"]),
        ({"age": {"kind": "flag", "minimum": None, "maximum": None, "unit": None}}, ["age"]),
        ({"age": {"maximum": 130}, "bmi": {"nullable": False}}, []),
        ({"HbA1c_level": {"name": "hba1c_LEVEL"}}, []),
        ({"gender": {"name": "sex"}, "bmi": {"name": "mass"}}, ["gender", "bmi"]),
    ],
)
def test_columns_that_a_newer_contract_forgets_are_named(
    contract: Contract, change: dict[str, Any], lost: list[str]
) -> None:
    document = contract.to_dict() | {"segments": []}
    entries = [f | change.get(f["name"], {}) for f in document["features"]]
    document["features"] = [{k: v for k, v in f.items() if v is not None} for f in entries]
    newer = Contract.from_dict(document)
    assert lost == newer.lost_columns(contract)
    kinds = {feature.name: feature.kind for feature in contract.features}
    taken = {feature.column for feature in newer.features}
    retired = [{"name": n, "kind": kinds[n]} for n in lost if n not in taken]
    kept = Contract.from_dict(document | {"retired": retired})
    assert [n for n in lost if n in taken] == kept.lost_columns(contract)


def test_the_reserved_names_are_those_of_logs_and_answers(contract: Contract) -> None:
    schemas = build_document(contract)["components"]["schemas"]
    fields = {*schemas["Prediction"]["properties"], *schemas["Label"]["properties"]}
    fields |= {"labels", "reference"}
    assert RESERVED_COLUMNS == {
        *PREDICTION_COLUMNS,
        *LABEL_COLUMNS,
        SUBJECT_KEY,
        SAMPLING_WEIGHT,
        "dt",
        "instances",
        CONTEXT,
    }
    assert RESERVED_FIELDS == fields - {contract.target}


def test_a_valid_instance_has_no_problem(contract: Contract) -> None:
    assert [] == contract.validate(VALID)


@pytest.mark.parametrize("name", ["smoking_history", "bmi", "HbA1c_level", "blood_glucose_level"])
def test_a_nullable_feature_may_be_null_or_absent(contract: Contract, name: str) -> None:
    absent = {key: value for key, value in VALID.items() if key != name}
    assert [] == contract.validate(VALID | {name: None}) + contract.validate(absent)
    assert contract.row(absent) == contract.row(VALID | {name: None})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gender", "female"),
        ("gender", ""),
        ("gender", None),
        ("gender", 0),
        ("gender", ["Female"]),
        ("gender", {"Female": 1}),
        ("age", -0.001),
        ("age", 120.001),
        ("age", "54"),
        ("age", True),
        ("age", None),
        ("age", math.nan),
        ("age", math.inf),
        ("age", -math.inf),
        ("age", 10**400),
        ("age", [54]),
        ("hypertension", 2),
        ("hypertension", -1),
        ("hypertension", 0.5),
        ("hypertension", True),
        ("hypertension", "0"),
        ("hypertension", None),
        ("bmi", 9.99),
        ("bmi", "27.3"),
        ("HbA1c_level", 2.99),
        ("blood_glucose_level", 701),
        ("smoking_history", "No info"),
    ],
)
def test_a_value_outside_the_contract_is_named_and_not_repeated(
    contract: Contract, field: str, value: object
) -> None:
    problems = contract.validate(VALID | {field: value}, "#/instances/3")
    assert [(f"#/instances/3/{field}", field)] == [(p.pointer, p.field) for p in problems]
    assert contract.feature(field).expectation == problems[0].detail


def test_every_problem_is_listed_at_once(contract: Contract) -> None:
    problems = contract.validate({"age": 121, "gender": "?", "colour": "blue", "bmi": None})
    expected = ["#/colour", "#/gender", "#/age", "#/hypertension", "#/heart_disease"]
    assert expected == [problem.pointer for problem in problems]
    assert "is required and must be 0 or 1" == problems[-1].detail


@pytest.mark.parametrize("instance", [None, 1, "x", [], [VALID], True])
def test_an_instance_that_is_no_object_is_refused(contract: Contract, instance: object) -> None:
    assert ["#/instances/0"] == [p.pointer for p in contract.validate(instance, "#/instances/0")]


def test_an_unknown_name_is_escaped_and_cut(contract: Contract) -> None:
    problems = contract.validate(VALID | {"a/b~c" + "x" * 100: 1})
    assert "#/a~1b~0c" + "x" * 59 == problems[0].pointer
    assert "" == problems[0].field


def test_a_row_has_the_types_of_the_log(contract: Contract) -> None:
    row = contract.row(VALID | {"hypertension": 1.0, "bmi": None})
    assert ("Female", 54.0, 1, 1, "never", None, 6.6, 140.0) == row
    assert [str, float, int, int, str, type(None), float, float] == [type(v) for v in row]


@given(st.data())
def test_any_valid_instance_of_any_contract_is_accepted_and_becomes_a_row(
    data: st.DataObject,
) -> None:
    contract = data.draw(contracts())
    instance = data.draw(instances(contract))
    assert [] == contract.validate(instance)
    expected = tuple(read_value(f, instance.get(f.name)) for f in contract.features)
    assert expected == contract.row(instance)


@given(contracts(), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_validation_never_fails_whatever_is_sent(contract: Contract, value: Any) -> None:
    anything = {feature.name: value for feature in contract.features} | {"~/": value}
    assert len(contract.validate(anything)) >= 1


@given(contracts())
def test_a_contract_survives_json(contract: Contract) -> None:
    again = Contract.from_dict(json.loads(json.dumps(contract.to_dict())))
    assert contract == again
    assert contract.version == again.version


def test_the_shipped_contract_survives_json_with_its_segments(contract: Contract) -> None:
    assert contract == Contract.from_dict(json.loads(json.dumps(contract.to_dict())))
    assert ("gender", "age") == tuple(segment.feature for segment in contract.segments)


def _changed(contract: Contract, **fields: Any) -> Contract:
    return Contract.from_dict(contract.to_dict() | fields)


def test_the_version_hashes_what_changes_the_model_and_nothing_else(contract: Contract) -> None:
    plain = contract.to_dict()
    features = plain["features"]
    assert contract.version == _changed(contract, segments=[]).version
    changes = [
        _changed(contract, target={"name": "disease"}),
        _changed(contract, features=features[::-1], segments=[]),
        _changed(contract, features=[*features[:-1], features[-1] | {"maximum": 701}]),
        _changed(contract, features=[*features[:-1], features[-1] | {"nullable": False}]),
        _changed(contract, features=[*features[:-1], features[-1] | {"name": "glucose"}]),
        _changed(
            contract, features=[features[0] | {"categories": ["Male", "Female"]}, *features[1:]]
        ),
    ]
    versions = {changed.version for changed in changes}
    assert len(changes) == len(versions - {contract.version})


def test_bands_and_groups_are_named_in_order(contract: Contract) -> None:
    age, gender = contract.feature("age"), contract.feature("gender")
    assert (
        "age under 30",
        "age 30 to under 50",
        "age 50 and over",
    ) == Segment("age", (30, 50)).labels(age)
    assert ("gender=Female", "gender=Male", "gender=Other") == Segment("gender").labels(gender)
    assert ("f=0", "f=1") == Segment("f").labels(Feature(name="f", kind="flag"))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "[target] needs a name"),
        ("x = ", "not valid TOML"),
        ("features = 3", "features must be written"),
        ('[target]\nname = "y"', "at least one"),
        ('[extra]\n[target]\nname = "y"', "unknown table [extra]"),
        ('[[features]]\nname = "a b"\nkind = "flag"', "needs a name"),
        ('[[features]]\nname = "a"\nkind = "text"', "kind must be one of"),
        ('[[features]]\nname = "a"\nkind = "number"\nmaximum = "9"', "a: minimum must be a number"),
        (
            '[[features]]\nname = "mean radius"\nkind = "number"',
            'and "mean radius" is none: if files call it that, add source = "mean radius"',
        ),
        ('[target]\nname = "y"\ncategories = ["a", "b", "c"]', "regression and several classes"),
        ('[target]\nname = "y"\nkind = "number"', "regression and several classes"),
        ('[[features]]\nname = "a"\nkind = "flag"\nminimum = 1', "unknown key minimum"),
        ('[[features]]\nname = "a"\nkind = "number"\nminimum = 2\nmaximum = 1', "below maximum"),
        ('[[features]]\nname = "a"\nkind = "number"\nminimum = nan\nmaximum = 1', "below maximum"),
        (
            f'[[features]]\nname = "a"\nkind = "number"\nminimum = 0\nmaximum = 1{"0" * 400}',
            "below maximum",
        ),
        ('[[features]]\nname = "a"\nkind = "category"\ncategories = ["x"]', "two categories"),
        ('[[features]]\nname = "a"\nkind = "category"\ncategories = ["x", "x"]', "different"),
        ('[[features]]\nname = "a"\nkind = "flag"\nnullable = 1', "nullable must be"),
        ('[[features]]\nname = "Threshold"\nkind = "flag"', "already has a column threshold"),
        ('[[features]]\nname = "instances"\nkind = "flag"', "already has a column instances"),
        (
            '[[features]]\nname = "a"\nkind = "flag"\n[[features]]\nname = "A"\nkind = "flag"',
            "already has a column a",
        ),
        ('[target]\nname = "a"\n[[features]]\nname = "A"\nkind = "flag"', "name a is taken"),
        ('[target]\nname = "probability"', "name probability is taken"),
        ('[[features]]\nname = "label"\nkind = "flag"', "already has a column label"),
        ('[[features]]\nname = "Observed_at"\nkind = "flag"', "already has a column observed_at"),
        ('[[features]]\nname = "a"\nkind = "flag"\nmonotone = ["x"]', "a: monotone must be"),
        ('[[features]]\nname = "a"\nkind = "flag"\nmonotone = {}', "a: monotone must be"),
        ('[[features]]\nname = "a"\nkind = ["flag"]', "a: kind must be one of"),
        ('[[features]]\nname = ["a"]\nkind = "flag"', "features[0] needs a name"),
        ('[[retired]]\nname = "a"', "a: kind must be one of"),
        ('[[retired]]\nkind = "flag"', "retired[0] needs a name"),
        ('[[retired]]\nname = "a"\nkind = "flag"\nnullable = true', "a: unknown key nullable"),
        ('[[retired]]\nname = "Label"\nkind = "flag"', "already has a column label"),
        (
            '[[features]]\nname = "a"\nkind = "flag"\n[[retired]]\nname = "A"\nkind = "number"',
            "already has a column a",
        ),
        ("gate = 1", "gate must be written as a [gate] table"),
        ("[gate]\nminimum_auc = 0.9", "[gate]: unknown key minimum_auc; known are minimum_f1, "),
        ("[gate]\nminimum_f1 = 1.1", "[gate]: minimum_f1 must be a number from 0 to 1"),
        ("[gate]\nsegment_margin = true", "[gate]: segment_margin must be a number from 0 to 1"),
        ("[gate]\nsegment_margin = nan", "[gate]: segment_margin must be a number from 0 to 1"),
        (
            '[gate]\nsegment_metric = "selection_rate"',
            "[gate]: segment_metric must be one of f1, precision, recall, false_positive_rate",
        ),
        ("[gate]\nsegment_metric = 1", "[gate]: segment_metric must be one of f1"),
        ('[gate]\nsegment_metric = ["recall"]', "[gate]: segment_metric must be one of f1"),
        ("[target]\ncost = 5", "[target]: cost must be a table such as {false_negative = 5}"),
        ("[target]\ncost = {}", "[target]: cost must be a table such as"),
        ("[target]\ncost = {fn = 5}", "[target]: unknown key cost.fn; known are false_positive, "),
        ("[target]\ncost = {false_negative = 0}", "cost.false_negative must be a number above 0"),
        ("[target]\ncost = {false_positive = inf}", "cost.false_positive must be a number above"),
        ("[target]\nminimum_recall = 1", "minimum_recall must be a number above 0 and below 1"),
        ('[target]\nminimum_recall = "85 %"', "minimum_recall must be a number above 0"),
        (
            "[target]\nminimum_recall = 0.85\ncost = {false_negative = 5}",
            "cost and minimum_recall exclude each other",
        ),
        (
            "[target]\nminimum_recall = 0.85\nminimum_precision = 0.5",
            "minimum_recall and minimum_precision exclude each other: a model is chosen by one",
        ),
        ("[target]\nminimum_precision = 0", "minimum_precision must be a number above 0 and below"),
        ("split = 1", "split must be written as a [split] table"),
        ("[split]", "[split] needs time, the name of a column in files"),
        ("[split]\ntime = 1", "[split]: time must be the name of a column in files"),
        ('[split]\ntime = " "', "[split]: time must be the name of a column in files"),
        ('[split]\nwhen = "t"', "[split]: unknown key when; known is time"),
        ("[target]\nweight = []", "[target]: weight must be the name of a column in files"),
        (
            '[split]\ntime = "Age"\n[[features]]\nname = "age"\nkind = "number"\nsource = "Age"',
            "[split]: time names Age, which is a column of its own in the contract",
        ),
        (
            '[target]\nname = "y"\nweight = "who"\n[[context]]\nname = "who"\nrole = "subject"',
            "[target]: weight names who, which is a column of its own",
        ),
        ('[target]\nweight = "t"\n[split]\ntime = "t"', "time and weight name the same column t"),
        ("retired = [1]", "retired[0] must be a table"),
        ("context = [1]", "context[0] must be a table"),
        ('[[context]]\nrole = "subject"', "context[0] needs a name"),
        (
            '[[context]]\nname = "who"\nrole = "person"',
            "who: role must be one of row_id, subject, reference",
        ),
        ('[[context]]\nname = "who"\nrole = ["subject"]', "who: role must be one of"),
        ('[[context]]\nname = "who"\nkind = "date"', "who: kind must be one of text, category"),
        (
            '[[context]]\nname = "who"\nrole = "subject"\nkind = "flag"',
            "who: a column with the role subject must be a text",
        ),
        ('[[context]]\nname = "site"\nkind = "category"', "site: categories is missing"),
        ('[[context]]\nname = "size"\nkind = "number"\nminimum = "0"', "size: minimum must be a"),
        ('[[context]]\nname = "on"\nkind = "flag"\nmonotone = ""', "on: unknown key monotone"),
        ('[[context]]\nname = "who"\nmissing = ["x"]', "who: unknown key missing"),
        ('[[context]]\nname = "who"\nnullable = 1', "who: nullable must be true or false"),
        ('[[context]]\nname = "who"\nmaximum_length = 1025', "who: maximum_length must be"),
        ('[[context]]\nname = "who"\nmaximum_length = true', "who: maximum_length must be"),
        (
            '[[context]]\nname = "row"\nrole = "row_id"\nnullable = true',
            "row: unknown key nullable",
        ),
        (
            '[[context]]\nname = "who"\n[[segments]]\nfeature = "who"',
            "segments[0]: feature must name a feature, or a context column that is not a text; ",
        ),
        (
            '[[context]]\nname = "size"\nkind = "number"\nminimum = 0\nmaximum = 9\n'
            '[[segments]]\nfeature = "size"',
            " of size: bounds are needed for a number",
        ),
        (
            '[[context]]\nname = "Subject"\nrole = "reference"',
            "Subject: the name belongs to a column of the log",
        ),
        (
            '[[context]]\nname = "a"\nrole = "reference"\n'
            '[[context]]\nname = "b"\nrole = "reference"',
            "a, b: only one column may have the role reference",
        ),
        ('[[context]]\nname = "Source"\nrole = "subject"', "Source: the name belongs to a column"),
        (
            '[[features]]\nname = "a"\nkind = "flag"\n[[context]]\nname = "A"\nrole = "row_id"',
            "A: the name belongs to the feature a",
        ),
        (
            '[[retired]]\nname = "a"\nkind = "flag"\n[[context]]\nname = "A"\nrole = "row_id"',
            "A: the name belongs to the feature a",
        ),
        (
            '[target]\nname = "ill"\n[[context]]\nname = "Ill"\nrole = "row_id"',
            "Ill: the name belongs to the target",
        ),
        (
            '[[context]]\nname = "a"\nrole = "row_id"\n[[context]]\nname = "A"\nrole = "subject"',
            "A: the name belongs to the context column a",
        ),
        (
            '[[context]]\nname = "a"\nrole = "subject"\n[[context]]\nname = "b"\nrole = "subject"',
            "a, b: only one column may have the role subject",
        ),
        (
            '[[features]]\nname = "town"\nkind = "category"\n'
            f"categories = {[str(n) for n in range(5_001)]}",
            "town: 5,001 categories are more than the 5,000 that a feature may have",
        ),
        (
            "\n".join(f'[[features]]\nname = "x{n}"\nkind = "flag"' for n in range(201)),
            "201 features are more than the 200 that a contract may have",
        ),
        (
            "\n".join(
                f'[[features]]\nname = "town{n}"\nkind = "category"\n'
                f"categories = {[str(row) for row in range(size)]}"
                for n, size in enumerate((4_000, 3_000, 2_000, 1_001))
            ),
            "make 10,001 columns of the model's input, one for each category, and 10,000 are"
            " possible; most of them come from town0 (4,000), town1 (3,000), town2 (2,000)",
        ),
        (
            f'[[features]]\nname = "{"x" * 101}"\nkind = "flag"',
            "a name of letters, digits and underscores, 100 at most",
        ),
        (
            '[[features]]\nname = "town"\nkind = "category"\n'
            f'categories = {[str(n) for n in range(99)]}\n[[segments]]\nfeature = "town"\n'
            '[[features]]\nname = "old"\nkind = "flag"\n[[segments]]\nfeature = "old"\n',
            "the segments have more than 100 groups together (99 of town, 2 of old)",
        ),
        (
            '[[features]]\nname = "a"\nkind = "category"\ncategories = ["x", "__other__"]',
            "a: __other__ is no category; other = true collects the rest",
        ),
        (
            '[[features]]\nname = "a"\nkind = "category"\ncategories = ["x", "y"]\nother = 1',
            "a: other must be true or false",
        ),
        ('[[features]]\nname = "a"\nkind = "flag"\nother = true', "a: unknown key other"),
        *(
            (
                '[[features]]\nname = "a"\nkind = "category"\nother = true\n'
                f'categories = ["{text}"]',
                "a: beside other = true a category has 1 to 128 characters, no control character",
            )
            for text in (" x", "x ", "x\\ty", "x" * 129)
        ),
        (
            '[[features]]\nname = "a"\nkind = "category"\ncategories = []\nother = true',
            "a: at least two categories are needed",
        ),
        ('[[segments]]\nfeature = ["a"]', "must name a feature"),
        ('[[segments]]\nfeature = "b"', "must name a feature"),
        ('[[segments]]\ncolour = "b"', "segments[0]: unknown key colour"),
        (
            '[[features]]\nname = "a"\nkind = "flag"\n[[segments]]\nfeature = "a"\nbounds = [1]',
            "bounds are needed for a number",
        ),
    ],
)
def test_a_bad_contract_is_refused_by_what_is_wrong(text: str, part: str) -> None:
    with pytest.raises(BadContract) as raised:
        Contract.parse(text)
    assert part in str(raised.value)


@pytest.mark.parametrize(
    ("keys", "expected", "accepted", "refused"),
    [
        ("", "must be a number", [0, -1e9, 3e38], [1e39, -1e39, float("nan"), float("inf")]),
        ("minimum = 0", "must be a number from 0 on", [0, 1e9], [-1, float("inf")]),
        ("maximum = 5", "must be a number to 5", [5, -1e9], [6, 10**400]),
    ],
)
def test_a_number_may_lack_either_end_of_its_range(
    keys: str, expected: str, accepted: list[float], refused: list[float]
) -> None:
    text = f'[target]\nname = "y"\n[[features]]\nname = "a"\nkind = "number"\n{keys}'
    contract = Contract.parse(text)
    feature = contract.feature("a")
    assert expected == feature.expectation
    assert [True] * len(accepted) == [feature.accepts(value) for value in accepted]
    assert [False] * len(refused) == [feature.accepts(value) for value in refused]
    written = contract.to_dict()["features"][0]
    assert {"name", "kind", *keys.split(" ")[:1]} - {""} == set(written)
    assert contract == Contract.from_dict(contract.to_dict())


def test_a_bad_contract_names_every_problem() -> None:
    text = '[[features]]\nname = "a"\nkind = "x"\n[[features]]\nname = "b"\nkind = "category"'
    with pytest.raises(BadContract) as raised:
        Contract.parse(text)
    for part in ("a: kind", "b: categories", "[target]"):
        assert part in str(raised.value)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_no_document_raises_anything_but_bad_contract(value: Any) -> None:
    flag = {"name": "a", "kind": "flag"}
    features = [value, {"name": value, "kind": "flag"}, flag | {"monotone": value}]
    document = {
        "target": value,
        "gate": value,
        "features": [*features, flag | {"kind": value}],
        "segments": value,
    }
    with pytest.raises(BadContract):
        Contract.from_dict(document | {"retired": [value]})
    with pytest.raises(BadContract):
        Contract.from_dict(document | {"segments": [{"feature": value}], "retired": value})
    for context in (value, [value], [{"name": value, "role": "row_id"}, {"role": value}]):
        with pytest.raises(BadContract):
            Contract.from_dict(document | {"context": context})


def test_a_monotone_feature_constrains_its_column_and_leaves_the_version_alone(
    contract: Contract,
) -> None:
    document = contract.to_dict()
    document["features"][1]["monotone"] = "increasing"
    document["features"][2]["monotone"] = "decreasing"
    bound = Contract.from_dict(document)
    assert contract.version == bound.version
    assert document == bound.to_dict()
    named = dict(zip(bound.encoded_names, bound.monotone, strict=True))
    assert {"age": 1, "hypertension": -1} == {name: d for name, d in named.items() if d}


@pytest.mark.parametrize(
    ("feature", "direction", "complaint"),
    [
        (1, "up", "age: monotone must be increasing or decreasing"),
        (0, "increasing", "gender: unknown key monotone"),
    ],
)
def test_a_bad_direction_is_named(
    contract: Contract, feature: int, direction: str, complaint: str
) -> None:
    document = contract.to_dict()
    document["features"][feature]["monotone"] = direction
    with pytest.raises(BadContract, match=complaint):
        Contract.from_dict(document)


@pytest.mark.parametrize(
    ("keys", "objective"),
    [
        ({}, Objective()),
        ({"cost": {"false_negative": 5}}, Objective(Cost(1.0, 5.0))),
        ({"cost": {"false_positive": 0.5}}, Objective(Cost(0.5, 1.0))),
        ({"minimum_recall": 0.85}, Objective(minimum_recall=0.85)),
        ({"minimum_precision": 0.6}, Objective(minimum_precision=0.6)),
    ],
)
def test_the_objective_survives_json_and_leaves_the_version_alone(
    contract: Contract, keys: dict[str, Any], objective: Objective
) -> None:
    changed = _changed(contract, target={"name": "diabetes"} | keys)
    assert objective == changed.objective
    assert changed == Contract.from_dict(json.loads(json.dumps(changed.to_dict())))
    assert contract.version == changed.version


def test_time_and_weight_are_columns_of_training_files_and_of_nothing_else(
    contract: Contract,
) -> None:
    document = contract.to_dict()
    document["target"]["weight"] = "design weight"
    changed = Contract.from_dict(document | {"split": {"time": " Seen on "}})
    labelled = {column.source for column in changed.file_columns(labelled=True)}
    scored = {column.source for column in changed.file_columns(labelled=False)}
    assert {"design weight", "Seen on"} <= labelled
    assert not {"design weight", "Seen on"} & scored
    assert (contract, contract.version, contract.to_dict()) == (
        changed,
        changed.version,
        changed.to_dict(),
    )
    sent = VALID | {"design weight": 2}
    assert ["#/design weight"] == [problem.pointer for problem in changed.validate(sent)]
    assert "design weight" not in json.dumps(build_document(changed))


def test_no_bundle_carries_the_limits_of_the_gate(contract: Contract) -> None:
    gate = {"minimum_f1": 0.3, "segment_margin": 0, "segment_metric": "recall"}
    changed = _changed(contract, gate=gate)
    expected = GateLimits(minimum_f1=0.3, segment_margin=0.0, segment_metric="recall")
    assert expected == changed.gate
    assert contract.to_dict() == changed.to_dict()
    assert contract == changed


@pytest.mark.parametrize(
    ("drift", "problem"),
    [
        (3, "bmi: drift must be a table such as {distance = 0.2}"),
        ({"effect": 1}, "bmi: drift has no limit effect; it may set distance, odds_ratio"),
        ({"distance": 0}, "bmi: drift.distance must be a number above 0 and at most 10"),
        ({"odds_ratio": 1}, "bmi: drift.odds_ratio must be a number above 1 and at most 1000"),
        ({"added_share": True}, "bmi: drift.added_share must be a number above 0 and at most 1"),
        ({"distance": float("nan")}, "bmi: drift.distance must be a number"),
    ],
)
def test_a_limit_of_drift_that_makes_no_sense_is_named(
    contract: Contract, drift: object, problem: str
) -> None:
    document = contract.to_dict()
    next(f for f in document["features"] if f["name"] == "bmi")["drift"] = drift
    with pytest.raises(BadContract, match=re.escape(problem)):
        Contract.from_dict(document)


def test_words_for_people_survive_json_and_leave_the_version_alone(contract: Contract) -> None:
    glucose = contract.feature("blood_glucose_level")
    assert ("Blood glucose", "mg/dl") == (glucose.title, glucose.unit)
    document = contract.to_dict()
    for feature in document["features"]:
        for key in {"title", "unit", "description"} & set(feature):
            del feature[key]
    silent = Contract.from_dict(document)
    assert {("", "", "")} == {(f.title, f.unit, f.description) for f in silent.features}
    assert contract.version == silent.version


@pytest.mark.parametrize(
    ("name", "words", "problem"),
    [
        ("age", {"title": ""}, "age: title must be a text of 1 to 60 printable characters"),
        ("age", {"title": "x" * 61}, "age: title must be"),
        ("age", {"title": "two\nlines"}, "age: title must be"),
        ("age", {"unit": " years"}, "age: unit must be a text of 1 to 20 printable characters"),
        ("age", {"description": 7}, "age: description must be a text of 1 to 300"),
        ("gender", {"unit": "years"}, "gender: unknown key unit"),
    ],
)
def test_bad_words_for_people_are_refused(
    contract: Contract, name: str, words: dict[str, Any], problem: str
) -> None:
    document = contract.to_dict()
    next(f for f in document["features"] if f["name"] == name).update(words)
    with pytest.raises(BadContract, match=problem):
        Contract.from_dict(document)
