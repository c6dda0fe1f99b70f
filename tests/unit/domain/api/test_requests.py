"""Bodies that a lenient parser would let pass, each refused with a sentence."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.api import requests
from domain.api.requests import BadRequest, TooLarge, UnsupportedMediaType
from domain.contract.field_problem import FieldProblem

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON)
def test_plain_json_is_read_as_it_is(document: Any) -> None:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    assert document == requests.parse_json(text.encode())


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_bad_request(body: bytes) -> None:
    try:
        requests.parse_json(body)
    except BadRequest as error:
        assert str(error).endswith(".")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"{", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": +1}', "not JSON"),
        (b'{"a": .5}', "not JSON"),
        (b'{"a": 0x10}', "not JSON"),
        (b'{"a": 1} {"a": 2}', "not JSON"),
        (b'{"a": 1} // comment', "not JSON"),
        (b'{"a": "\n"}', "not JSON"),
        (b"a=1&b=2", "not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "infinity"),
        (b'{"a": -Infinity}', "infinity"),
        (b'{"a": 1, "a": 1}', "same key twice"),
        (b'[{"b": {"a": 1, "\\u0061": 2}}]', "same key twice"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "not JSON"),
        ('{"a": "ä"}'.encode("latin-1"), "not UTF-8"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\uDC00": 1}', "surrogate"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
    ],
)
def test_a_bad_body_is_refused_by_what_is_wrong(body: bytes, sentence: str) -> None:
    with pytest.raises(BadRequest) as raised:
        requests.parse_json(body)
    assert sentence in str(raised.value)


@pytest.mark.parametrize("digits", [33, 400, 5_000, 500_000])
def test_a_number_of_many_digits_is_read_as_out_of_range(digits: int) -> None:
    document = requests.parse_json(b'{"a": -' + b"9" * digits + b"}")
    assert document["a"] < -1e32


def test_a_whole_surrogate_pair_is_text() -> None:
    assert "😀" == requests.parse_json(b'"\\ud83d\\ude00"')


def test_the_size_is_limited() -> None:
    fits = b" " * (requests.MAXIMUM_BYTES - 2) + b"{}"
    assert {} == requests.parse_json(fits)
    with pytest.raises(TooLarge):
        requests.parse_json(fits + b" ")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'Application/JSON;charset="UTF-8"',
        "application/json; version=1",
    ],
)
def test_json_is_taken(content_type: str) -> None:
    requests.check_media_type(content_type)
    requests.check_media_type(content_type, "identity")


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        (None, None),
        ("", None),
        ("text/plain", None),
        ("text/json", None),
        ("application/x-www-form-urlencoded", None),
        ("application/json-patch+json", None),
        ("application/json; charset=latin-1", None),
        ("application/json; charset=utf-16", None),
        ("application/json", "gzip"),
    ],
)
def test_anything_else_is_refused(content_type: str | None, encoding: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        requests.check_media_type(content_type, encoding)


def test_one_object_stands_for_itself() -> None:
    entries, batch = requests.read_entries({"a": 1}, "instances")
    assert [({"a": 1}, "#")] == [(e.value, e.at) for e in entries]
    assert not batch


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_a_batch_keeps_its_order(count: int) -> None:
    entries, batch = requests.read_entries({"instances": list(range(count))}, "instances")
    assert batch
    assert [(n, f"#/instances/{n}") for n in range(count)] == [(e.value, e.at) for e in entries]


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ([], ["#"]),
        (None, ["#"]),
        ("instances", ["#"]),
        ({"instances": []}, ["#/instances"]),
        ({"instances": [0] * 1001}, ["#/instances"]),
        ({"instances": None}, ["#/instances"]),
        ({"instances": {"0": {}}}, ["#/instances"]),
        ({"instances": [{}], "age": 1, "a/b": 2}, ["#/age", "#/a~1b"]),
    ],
)
def test_a_wrong_wrapper_is_refused(document: Any, pointers: list[str]) -> None:
    with pytest.raises(BadRequest) as raised:
        requests.read_entries(document, "instances")
    assert pointers == [problem.pointer for problem in raised.value.problems]


def test_a_long_list_of_problems_is_cut_and_counted() -> None:
    problems = [FieldProblem(f"#/{n}", "bad", "age") for n in range(1500)]
    with pytest.raises(BadRequest) as raised:
        requests.refuse(problems)
    assert "1,500 fields are not valid. The first 1,000 are listed." == str(raised.value)
    assert 1000 == len(raised.value.problems)


def test_the_fields_are_counted_before_the_list_is_cut() -> None:
    problems = [FieldProblem(f"#/{n}", "bad", "age") for n in range(1500)]
    assert {"age": 1500} == BadRequest.listing(problems).by_field
