"""A drafted contract reads the file it was drafted from, and says why it leaves columns out."""

import gzip
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from sklearn.datasets import load_breast_cancer

from adapters.s3 import Bucket
from domain.contract.contract import Contract
from domain.contract.feature_document import MOST_FEATURES
from ops.cli import run
from ops.commands.data import contract_infer, sample_data
from ops.console import Answer
from ops.drafting.guess import choose_name
from ops.drafting.rehearsal import BAD_ROW_SHARE
from ops.errors import OpsError
from ops.target import Target
from training_job.dataset.files.reading import open_raw
from training_job.dataset.prepare import prepare
from training_job.dataset.validation import check

ROWS = 400
RANDOM = random.Random(5)
LABELS = [RANDOM.random() < 0.3 for _ in range(ROWS)]


def _infer(path: Path, target: str = "ill", **options: Any) -> tuple[Contract, Answer]:
    out = path.with_name("made.toml")
    here = Target("local", None, path.parent)
    answer = contract_infer.run(here, path, target_column=target, out=out, replace=True, **options)
    return Contract.parse(out.read_text()), answer


def _write(path: Path, columns: Mapping[str, Sequence[object]], separator: str = ",") -> Path:
    lines = [separator.join(columns)]
    lines += [separator.join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def _read_all(path: Path, contract: Contract) -> int:
    """Rows that the contract accepts in the file; every other one fails the test."""
    accepted = 0
    with open_raw(path, path.name, contract, labelled=True) as file:
        for batch in file.batches:
            assert check(batch.table, contract, labelled=True).valid.all()
            accepted += batch.rows
    return accepted


def _column(make: Callable[[int], object]) -> list[object]:
    return [make(row) for row in range(ROWS)]


FEATURES: dict[str, tuple[list[object], dict[str, object]]] = {
    "whole numbers": (
        _column(lambda _: RANDOM.randint(18, 90)),
        {"kind": "number", "minimum": 0.0},
    ),
    "fractions below 0": (
        _column(lambda _: round(RANDOM.uniform(-3, 3), 3)),
        {"kind": "number", "minimum": -6.0, "maximum": 6.0},
    ),
    "words with blanks and characters of no width around them": (
        _column(lambda row: ("f", " f", "f\u200b", "m\u00a0", "\ufeffm")[row % 5]),
        {"kind": "category", "categories": ("f", "m")},
    ),
    "words whose accents are characters of their own": (
        _column(lambda row: ("\u00e9", "e\u0301", "m")[row % 3]),
        {"kind": "category", "categories": ("\u00e9", "m")},
    ),
    "numbers with gaps": (
        _column(lambda row: "" if row % 9 == 0 else RANDOM.random()),
        {"kind": "number", "nullable": True},
    ),
    "numbers with a word for no value": (
        _column(lambda row: "unknown" if row % 50 == 0 else RANDOM.random()),
        {"kind": "number", "nullable": True, "missing": ("unknown",)},
    ),
    "numbers with many dashes for no value": (
        _column(lambda row: "-" if row % 3 == 0 else RANDOM.random()),
        {"kind": "number", "nullable": True, "missing": ("-",)},
    ),
    "numbers with a spreadsheet's faults": (
        _column(lambda row: "#DIV/0!" if row % 8 == 0 else RANDOM.random()),
        {"kind": "number", "nullable": True, "missing": ("#DIV/0!",)},
    ),
    "numbers that are infinite": (
        _column(lambda row: "inf" if row % 30 == 0 else RANDOM.random()),
        {"kind": "number", "nullable": True, "missing": ("inf",)},
    ),
    "numbers with -999 for no value": (
        _column(lambda row: -999 if row % 20 == 0 else round(RANDOM.uniform(1, 9), 2)),
        {"kind": "number", "nullable": True, "minimum": 0.0, "missing": ("-999",)},
    ),
    "numbers of which one is -1": (
        _column(lambda row: row % 40 - 1),
        {"kind": "number", "nullable": True, "missing": ("-1",)},
    ),
    "few numbers, one of them 3 or more": (
        _column(lambda row: ["0", "1", "2", "3+"][row % 4]),
        {"kind": "category", "nullable": False},
    ),
    "numbers below and above 0": (
        _column(lambda row: row % 40 - 9),
        {"kind": "number", "nullable": False, "missing": ()},
    ),
    "post codes with zeros in front": (
        _column(lambda row: f"{row % 9 * 1_067:05}"),
        {"kind": "category", "nullable": False},
    ),
    "a mark or nothing": (
        _column(lambda row: "x" if row % 3 else ""),
        {"kind": "category", "nullable": True, "categories": ("x", "__other__")},
    ),
    "yes and no in any case": (
        _column(lambda row: ["Yes", "no", "yes", "NO"][row % 4]),
        {"kind": "flag", "true": ("Yes",), "false": ("no",)},
    ),
    "steps and their numbers": (
        _column(lambda row: f"step {row % 20}"),
        {"kind": "category", "nullable": False},
    ),
    "0 and 1": (_column(lambda _: RANDOM.randint(0, 1)), {"kind": "flag", "true": ()}),
    "true and false": (_column(lambda _: RANDOM.random() < 0.5), {"kind": "flag", "true": ()}),
    "yes and no": (
        _column(lambda _: RANDOM.choice(["Yes", "No"])),
        {"kind": "flag", "true": ("Yes",), "false": ("No",)},
    ),
    "two words that are no opposites": (
        _column(lambda row: "F" if row % 3 else "M"),
        {"kind": "category", "categories": ("F", "M")},
    ),
    "words by frequency": (
        _column(lambda row: "b" if row % 2 else "a" if row % 3 else "c"),
        {"kind": "category", "categories": ("b", "a", "c"), "nullable": False},
    ),
    "words with gaps": (
        _column(lambda row: "NA" if row % 7 == 0 else "x" if row % 2 else "y"),
        {"kind": "category", "nullable": True},
    ),
}


@pytest.mark.parametrize("name", FEATURES)
def test_a_column_is_recognised(tmp_path: Path, name: str) -> None:
    values, expected = FEATURES[name]
    path = _write(tmp_path / "people.csv", {"x": values, "ill": [int(label) for label in LABELS]})
    contract, _ = _infer(path)
    (feature,) = contract.features
    found = {
        key: getattr(feature.in_files if key in ("true", "false", "missing") else feature, key)
        for key in expected
    }
    assert expected == found
    assert ROWS == _read_all(path, contract)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (_column(lambda _: ""), "it has no value in any row"),
        (_column(lambda _: "x"), "it has the same value in each row"),
        (_column(lambda row: row + 1), "it counts the rows"),
        (_column(lambda row: f"c-{row * 7919 % 1009}"), "another value in almost each row"),
        (_column(lambda row: f"2026-01-{row % 28 + 1:02}"), "it holds dates"),
        (_column(lambda row: f"{row % 28 + 1}.1.2026"), "it holds dates"),
        (_column(lambda row: f"{row % 28 + 1} Mar 2026"), "it holds dates"),
        (_column(lambda row: f"202603{row % 28 + 1:02}"), "it holds dates"),
        (_column(lambda row: f"20{row % 20:02}-{row % 12 + 1:02}"), "it holds dates"),
        (_column(lambda row: ROWS - row), "it counts the rows"),
        (_column(lambda row: f"{row % 50}%"), "written as #%"),
        (_column(lambda row: f"{row % 50} kg"), "written as # kg"),
        (_column(lambda row: f"${row % 50}.50"), "written as $#"),
        (_column(lambda row: f"({row % 50})"), "written as (#)"),
        (_column(lambda row: f"{'the patient said ' * 3}{row % 9}"), "it holds free text"),
        (_column(lambda row: f'"1,{row % 9}00.50"'), "thousands separators"),
        (_column(lambda row: f"{row % 90 + 1}e300"), "too large for a model's input"),
        ([int(label) * 2 + RANDOM.random() for label in LABELS], "tells the target by itself"),
        (["in" if label else "out" for label in LABELS], "tells the target by itself"),
    ],
)
def test_a_column_is_left_out_for_a_reason(
    tmp_path: Path, values: Sequence[object], reason: str
) -> None:
    columns = {"x": values, "y": _column(lambda _: RANDOM.random()), "ill": map(int, LABELS)}
    contract, answer = _infer(_write(tmp_path / "p.csv", {k: [*v] for k, v in columns.items()}))
    assert {"y"} == contract.names
    assert reason in answer.data["left_out"]["x"]


@pytest.mark.parametrize(
    ("words", "positive", "true"),
    [
        (("1", "0"), None, ()),
        (("1.0", "0.0"), None, ()),
        (("True", "False"), None, ()),
        (("Yes", "No"), None, ("Yes",)),
        (("positive", "negative"), None, ("positive",)),
        (("M", "B"), "M", ("M",)),
        (("1", "-1"), None, ("1",)),
        (("+", "-"), None, ("+",)),
        (("No", "Yes"), "No", ("No",)),
        (("False", "True"), "False", ("False",)),
    ],
)
def test_the_positive_word_is_recognised_or_named(
    tmp_path: Path, words: tuple[str, str], positive: str | None, true: tuple[str, ...]
) -> None:
    labels = [words[0] if label else words[1] for label in LABELS]
    path = _write(tmp_path / "p.csv", {"x": _column(lambda _: RANDOM.random()), "ill": labels})
    contract, _ = _infer(path, positive=positive)
    assert true == contract.target_in_files.true
    assert ROWS == _read_all(path, contract)


@pytest.mark.parametrize("name", ["customer_id", "PassengerId", "caseNo", "ID"])
def test_whole_numbers_that_number_the_rows_are_left_out(tmp_path: Path, name: str) -> None:
    numbers: list[object] = list(RANDOM.sample(range(10**6), ROWS))
    columns = {name: numbers, "paid": numbers, "ill": _column(lambda row: int(LABELS[row]))}
    contract, answer = _infer(_write(tmp_path / "p.csv", columns))
    assert {"paid"} == contract.names
    assert [name] == [*answer.data["left_out"]]


@pytest.mark.parametrize(("positives", "said"), [(39, True), (40, False)])
def test_too_few_rows_of_a_class_are_said_before_a_training_fails(
    tmp_path: Path, positives: int, said: bool
) -> None:
    labels: list[object] = [int(row < positives) for row in range(ROWS)]
    columns = {"x": _column(lambda _: RANDOM.random()), "ill": labels}
    path = _write(tmp_path / "p.csv", columns)
    _, answer = _infer(path)
    sentence = str(answer.shown[1])
    assert sentence.startswith(f"Of ill, {positives / ROWS:.1%} of the rows are positive")
    assert said == (f"only {positives} rows of one class" in sentence)


def test_spellings_of_the_positive_word_are_positive(tmp_path: Path) -> None:
    words = [[">50K", ">50K."], ["<=50K", "<=50K."]]
    labels = [words[not label][row % 2] for row, label in enumerate(LABELS)]
    path = _write(tmp_path / "p.csv", {"x": _column(lambda _: RANDOM.random()), "ill": labels})
    contract, _ = _infer(path, positive=">50K")
    assert {">50K", ">50K."} == {*contract.target_in_files.true}
    assert ROWS == _read_all(path, contract)


def test_frequent_values_after_ten_thousand_others_are_counted(tmp_path: Path) -> None:
    rows = 40_000
    words = [f"hamlet {row}" if row < 12_000 else f"town {row % 20}" for row in range(rows)]
    columns: dict[str, list[object]] = {"place": [*words], "ill": [*map(int, LABELS * 100)]}
    contract, _ = _infer(_write(tmp_path / "p.csv", columns))
    feature = contract.feature("place")
    assert (20, True) == (len(feature.listed), feature.collects_rest)


def test_columns_of_lists_and_bytes_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    columns = {
        "many": pa.array([[1, 2]] * ROWS),
        "record": pa.array([{"a": 1}] * ROWS),
        "raw": pa.array([b"\xff"] * ROWS),
        "x": pa.array([RANDOM.random() for _ in range(ROWS)]),
        "ill": pa.array([int(label) for label in LABELS]),
    }
    pyarrow.parquet.write_table(pa.table(columns), path)
    contract, answer = _infer(path)
    assert {"x"} == contract.names
    assert {"many", "record", "raw"} == {*answer.data["left_out"]}
    assert ROWS == _read_all(path, contract)
    with pytest.raises(OpsError, match="The column many holds lists, records or bytes"):
        _infer(path, "many")


@pytest.mark.parametrize(
    ("labels", "positive", "sentence"),
    [
        (["M", "B"], None, "Which of the two values of ill is the positive one"),
        (["a", "b", "c"], None, "regression and several classes"),
        (["1"], None, "has one value only"),
        ([""], None, "has no value in any row"),
        (["M", "B"], "X", "No row has the value that --positive names"),
    ],
)
def test_a_target_that_is_no_yes_or_no_is_refused(
    tmp_path: Path, labels: list[str], positive: str | None, sentence: str
) -> None:
    columns = {
        "x": _column(lambda _: RANDOM.random()),
        "ill": _column(lambda r: labels[r % len(labels)]),
    }
    with pytest.raises(OpsError, match=sentence):
        _infer(_write(tmp_path / "p.csv", columns), positive=positive)
    assert not (tmp_path / "made.toml").exists()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("twice.csv", b"x,x,ill\n1,2,0\n3,1,1\n", "has more than one column that may be x"),
        ("book.xlsx", b"PK\x03\x04 and more", "zip"),
        ("broken.parquet", b"PAR1 and no more PAR1", "broken.parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_a_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes,
    sentence: str,
) -> None:
    path, out = tmp_path / name, tmp_path / "made.toml"
    path.write_bytes(content)
    assert 1 == run(["contract", "infer", str(path), "--target", "ill", "--out", str(out)])
    assert (True, False) == (sentence in capsys.readouterr().err, out.exists())


def test_a_header_with_a_line_break_keeps_the_list_of_what_is_left_out_in_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "p.csv", tmp_path / "made.toml"
    path.write_text('x,"no\nvalue",ill\n0.5,,0\n0.1,,1\n0.3,,0\n0.6,,1\n')
    assert 0 == run(["contract", "infer", str(path), "--target", "ill", "--out", str(out)])
    first, _, _, left_out = capsys.readouterr().out.splitlines()
    assert first == f"{out} has 1 feature, drafted from 4 rows."
    assert left_out.split(maxsplit=1) == ["no", "it has no value in any row"]


def test_every_column_that_the_file_lacks_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path / "p.csv", {"x": [1, 2], "ill": [0, 1]})
    with pytest.raises(OpsError, match="--target sick and --key number and --subject who"):
        _infer(path, "sick", key="number", subject="who")
    with pytest.raises(OpsError, match="can't be two"):
        _infer(path, "ill", key="x", subject="x")


def test_a_long_list_of_categories_breaks_between_two_of_them(tmp_path: Path) -> None:
    names = [f'The {"long " * (n % 7)}name of "place" {n}' for n in range(60)]
    path = tmp_path / "a.csv"
    quoted = ['"' + names[row % 60].replace('"', '""') + '"' for row in range(ROWS)]
    _write(path, {"place": quoted, "ill": [int(label) for label in LABELS]})
    contract, _ = _infer(path)
    assert {*names} == {*contract.feature("place").categories}
    assert ROWS == _read_all(path, contract)


def test_roles_become_context_columns_and_no_features(tmp_path: Path) -> None:
    columns = {
        "row": _column(lambda row: f"r{row}"),
        "person": _column(lambda row: f"p{row // 2}"),
        "x": _column(lambda _: RANDOM.random()),
        "ill": _column(lambda row: int(LABELS[row])),
    }
    path = _write(tmp_path / "p.csv", columns)
    contract, _ = _infer(path, key="row", subject="person")
    assert [("row", "row_id"), ("person", "subject")] == [
        (c.name, c.role) for c in contract.context
    ]
    assert {"x"} == contract.names
    assert ROWS == _read_all(path, contract)


def test_a_long_tail_is_collected_and_its_column_no_longer_left_out(tmp_path: Path) -> None:
    words = [f"town {row % 30}" if row % 5 else f"hamlet {row}" for row in range(2_000)]
    path = _write(tmp_path / "p.csv", {"town": words, "ill": LABELS * 5})
    contract, _ = _infer(path)
    feature = contract.feature("town")
    assert (24, True) == (len(feature.listed), feature.collects_rest)
    assert 2_000 == _read_all(path, contract)
    text = path.with_name("made.toml").read_text()
    assert "other = true  # 400 rows have rarer values, and new ones are no error" in text


def test_values_that_one_in_a_thousand_rows_has_are_listed(tmp_path: Path) -> None:
    words = [f"plane {row % 3_000}" if row % 2 else f"town {row % 60}" for row in range(20_000)]
    labels = [int(label) for label in LABELS * 50]
    contract, answer = _infer(_write(tmp_path / "p.csv", {"place": words, "ill": labels}))
    assert (30, True) == (len(contract.feature("place").listed), contract.features[0].collects_rest)
    planes = [f"plane {row % 3_000}" for row in range(20_000)]
    columns: dict[str, Sequence[object]] = {"x": [row % 7 for row in range(20_000)]}
    columns |= {"plane": planes, "ill": labels}
    _, answer = _infer(_write(tmp_path / "p.csv", columns))
    reason = "fewer than 50% of its rows have a value that 20 rows or more have"
    assert {"plane": reason} == answer.data["left_out"]


def test_a_contract_gets_the_columns_that_say_most(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {
        f"noise {number}": _column(lambda _: RANDOM.random()) for number in range(MOST_FEATURES + 4)
    }
    columns["signal"] = _column(lambda row: 0.5 * LABELS[row] + RANDOM.random())
    columns["ill"] = _column(lambda row: int(LABELS[row]))
    contract, answer = _infer(_write(tmp_path / "p.csv", columns))
    assert (MOST_FEATURES, 5) == (len(contract.features), len(answer.data["left_out"]))
    assert "signal" in contract.names


def test_a_question_as_a_header_becomes_a_name(tmp_path: Path) -> None:
    question = "How much do you agree that " + "the people of the town " * 9 + "are friendly?"
    columns = {question: _column(lambda row: row % 5), "ill": _column(lambda row: int(LABELS[row]))}
    path = _write(tmp_path / "p.csv", columns)
    contract, _ = _infer(path)
    assert (question, 60) == (contract.features[0].in_files.source, len(contract.features[0].name))
    assert ROWS == _read_all(path, contract)


def test_time_and_weight_are_declared_and_no_features(tmp_path: Path) -> None:
    columns = {
        "Seen on": _column(lambda row: f"2026-01-{row % 28 + 1:02}"),
        "design weight": _column(lambda row: 1 + row % 3),
        "x": _column(lambda _: RANDOM.random()),
        "ill": _column(lambda row: int(LABELS[row])),
    }
    path = _write(tmp_path / "p.csv", columns)
    contract, _ = _infer(path, time="Seen on", weight="design weight")
    assert ("Seen on", "design weight") == contract.training_columns.names
    assert {"x"} == contract.names
    assert ROWS == _read_all(path, contract)


def _day(row: int) -> date:
    return date(2025, 1, 1) + timedelta(days=row)


TIMES: dict[str, tuple[Callable[[int], object], str]] = {
    "dates": (lambda row: f"{_day(row):%Y-%m-%d}", ""),
    "dates without dashes": (lambda row: f"{_day(row):%Y%m%d}", ""),
    "times": (lambda row: f"{_day(row)}T14:00:00", ""),
    "times with a blank": (lambda row: f"{_day(row)} 14:00", ""),
    "times with an offset": (lambda row: f"{_day(row)}T14:00:00+01:00", ""),
    "times in UTC": (lambda row: f"{_day(row)}T14:00:00.123Z", ""),
    "weeks": (lambda row: f"{_day(row):%G-W%V}", ""),
    "years": (lambda row: 1990 + row % 30, ""),
    "seconds": (lambda row: 1_700_000_000 + row, ""),
    "a few gaps": (lambda row: "" if row % 200 == 0 else _day(row), ""),
    "German dates": (lambda row: f"{_day(row):%d.%m.%Y}", "date or time such as 2024-03-01"),
    "German times": (lambda row: f"{_day(row):%d.%m.%Y 14:00}", "date or time such as"),
    "American dates": (lambda row: f"{_day(row):%m/%d/%Y}", "date or time such as"),
    "dates with a month's name": (lambda row: f"{_day(row):%d %b %Y}", "date or time such as"),
    "months": (lambda row: f"{_day(row):%Y-%m}", "date or time such as"),
    "many gaps": (lambda row: "" if row % 9 == 0 else _day(row), "45 of 400 rows break that"),
    "dates and years": (lambda row: 2025 if row % 2 else _day(row), "numbers in others"),
    "one day": (lambda _: _day(0), "All rows have the same Seen on"),
}


@pytest.mark.parametrize("form", TIMES)
def test_a_time_that_is_drafted_is_one_that_a_training_reads(
    moto_bucket: Bucket, tmp_path: Path, form: str
) -> None:
    make, refusal = TIMES[form]
    columns = {
        "Seen on": _column(make),
        "x": _column(lambda _: RANDOM.random()),
        "ill": _column(lambda row: int(LABELS[row])),
    }
    path = _write(tmp_path / "p.csv", columns)
    if refusal:
        with pytest.raises(OpsError, match=refusal) as raised:
            _infer(path, time="Seen on")
        assert "without" in raised.value.next_step
        assert not (tmp_path / "made.toml").exists()
    else:
        contract, _ = _infer(path, time="Seen on")
        moto_bucket.upload(path, "raw/p.csv")
        prepared = prepare(
            contract=contract,
            bucket=moto_bucket,
            raw_prefix="raw/",
            bad_row_share=BAD_ROW_SHARE,
            salt="s",
            execution="e",
            say=lambda _: None,
        )
        assert ROWS == prepared.rows_read


def test_rows_without_an_outcome_are_to_be_left_out(tmp_path: Path) -> None:
    words = {True: "Ja", False: "Nein"}
    columns = {
        "x": _column(lambda _: RANDOM.random()),
        "ill": _column(lambda row: "" if row % 40 == 0 else words[LABELS[row]]),
    }
    _, answer = _infer(_write(tmp_path / "p.csv", columns))
    said = [str(part) for part in answer.shown if "ill" in str(part)]
    assert said[0].endswith("10 rows without a value can't be learned from.")
    assert said[1].endswith(
        "ill must be yes or no: 10 of 400 rows break that. Leave those rows out of the file."
    )


def test_an_option_that_names_an_unusable_column_is_refused(tmp_path: Path) -> None:
    columns = {
        "no": _column(lambda row: "1.23457E+11" if row % 2 else row),
        "weight": _column(lambda row: -1 if row % 2 else 1),
        "x": _column(lambda _: RANDOM.random()),
        "ill": _column(lambda row: int(LABELS[row])),
    }
    path = _write(tmp_path / "p.csv", columns)
    with pytest.raises(OpsError, match="no must not be a number that a spreadsheet shortened"):
        _infer(path, key="no")
    columns["no"] = _column(lambda row: row // 2)
    _write(path, columns)
    with pytest.raises(OpsError, match="400 of 400 rows have the no of a row with other values"):
        _infer(path, key="no")
    with pytest.raises(OpsError, match=r"weight must be .*: 200 of 400 rows break that"):
        _infer(path, weight="weight")


@pytest.mark.parametrize(
    ("torn", "said"),
    [(3, "a training puts such rows aside"), (9, "a training refuses a file with so")],
)
def test_rows_that_cannot_be_read_are_said(tmp_path: Path, torn: int, said: str) -> None:
    columns = {
        "x": _column(lambda _: RANDOM.random()),
        "ill": _column(lambda row: int(LABELS[row])),
    }
    path = _write(tmp_path / "p.csv", columns)
    path.write_text(path.read_text() + "1,2,3,4\n" * torn)
    _, answer = _infer(path)
    assert any(f"{torn} rows can't be read; {said}" in str(line) for line in answer.shown)


def test_missing_labels_are_said_before_a_training_refuses_them(tmp_path: Path) -> None:
    columns = {
        "x": _column(lambda _: RANDOM.random()),
        "ill": _column(lambda row: "" if row % 10 == 0 else int(LABELS[row])),
    }
    _, answer = _infer(_write(tmp_path / "p.csv", columns))
    assert any("ill must be" in str(line) and "40 of 400" in str(line) for line in answer.shown)


def test_a_files_dialect_is_declared(tmp_path: Path) -> None:
    """Semicolons, decimal commas, a western encoding, and names that SQL doesn't have."""
    columns = {
        "Größe (cm)": _column(lambda _: f"{RANDOM.uniform(150, 200):.1f}".replace(".", ",")),
        "Ort": _column(lambda row: "Köln" if row % 3 else "Ulm"),
        "Krank?": _column(lambda row: "ja" if LABELS[row] else "nein"),
    }
    path = _write(tmp_path / "p.csv", columns, ";")
    path.write_bytes(gzip.compress(path.read_text().encode("cp1252")))
    contract, _ = _infer(path, "Krank?")
    assert (";", ",", "cp1252") == (
        contract.files.separator,
        contract.files.decimal,
        contract.files.encoding,
    )
    assert ("Grosse_cm", "Ort", "Krank") == (*sorted(contract.names), contract.target)
    assert ROWS == _read_all(path, contract)


def test_parquet_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    frame = load_breast_cancer(as_frame=True).frame
    pyarrow.parquet.write_table(pa.Table.from_pandas(frame), path)
    contract, _ = _infer(path, "target")
    assert 30 == len(contract.features)
    assert "mean_radius" == contract.features[0].name
    assert len(frame) == _read_all(path, contract)


def test_the_projects_own_data_gives_the_projects_own_kinds(
    tmp_path: Path, contract: Contract
) -> None:
    path = tmp_path / "patients.csv"
    sample_data.write(rows=20_000, seed=1, path=path)
    drafted, _ = _infer(path, "diabetes")
    assert [(f.name, f.kind) for f in contract.features] == [
        (f.name, f.kind) for f in drafted.features
    ]
    assert {"gender", "age"} == {segment.feature for segment in drafted.segments}
    assert 20_000 == _read_all(path, drafted)


@pytest.mark.parametrize(
    ("source", "taken", "expected"),
    [
        ("mean radius", (), "mean_radius"),
        ("Größe (cm)", (), "Grosse_cm"),
        ("2nd visit", (), "c_2nd_visit"),
        ("年齢", (), "column"),
        ("Source", (), "Source_value"),
        ("BMI", ("bmi",), "BMI_2"),
    ],
)
def test_names_are_made_for_sql(source: str, taken: tuple[str, ...], expected: str) -> None:
    assert expected == choose_name(source, taken)


def test_a_contract_that_is_there_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _write(tmp_path / "p.csv", {"x": [0.5, 3, 1, 2], "ill": [0, 0, 1, 1]})
    out = tmp_path / "mine.toml"
    out.write_text("mine")
    arguments = ["contract", "infer", str(path), "--target", "ill", "--out", str(out)]
    assert 1 == run(arguments)
    assert ("mine", True) == (out.read_text(), "is there already" in capsys.readouterr().err)
    assert 0 == run([*arguments, "--replace"])
    assert {"x"} == Contract.parse(out.read_text()).names
