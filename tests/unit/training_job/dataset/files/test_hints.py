"""What a refusal advises, by the kind of values that broke the contract."""

import pytest

from domain.contract.feature import Feature
from domain.contract.file_format import Decimal
from training_job.dataset.files.hints import advise, advise_rows

AGE = Feature(name="age", kind="number", minimum=0, maximum=120, nullable=True)
YEARS = Feature(name="years", kind="number", minimum=0, maximum=120)
SMOKES = Feature(name="smokes", kind="flag")
SEX = Feature(name="sex", kind="category", categories=("f", "m"), nullable=True)
TOWN = Feature(name="town", kind="category", categories=("a", "b"))


@pytest.mark.parametrize(
    ("feature", "bad", "decimal", "advice"),
    [
        (AGE, ["1,5", "2,25"], ".", 'declare decimal = "," under [files]'),
        (AGE, ["1,500", "2,250"], ".", "Thousands separators aren't read"),
        (AGE, ["1,500", "2,250"], ".", 'If the comma is the decimal mark, declare decimal = ","'),
        (AGE, ["1.234,5"], ",", "Thousands separators aren't read"),
        (AGE, ["1 234"], ".", "Thousands separators aren't read"),
        (AGE, ["1.5"], ",", 'but [files] declares decimal = ","'),
        (AGE, ["?", "?"], ".", "declare missing = [...] in the table"),
        (YEARS, ["?"], ".", "declare missing = [...] and nullable = true in the table"),
        (AGE, ["-999", "-999"], ".", "declare missing = [...] in the table"),
        (AGE, [-999.0, -999.0], ".", "declare missing = [...] in the table"),
        (AGE, ["130", "140"], ".", ""),
        (AGE, ["130"], ".", ""),
        (YEARS, ["", "NA"], ".", "years has missing values: nullable = true would allow them"),
        (SMOKES, ["Yes", "No"], ".", "declare true = [...] and false = [...] in the table"),
        (SMOKES, ["", "NA"], ".", "smokes has missing values"),
        (SMOKES, [2, 3], ".", ""),
        (SEX, ["x", "?"], ".", "declare missing = [...] in the table"),
        (TOWN, ["c"], ".", ""),
        (TOWN, [""], ".", "town has missing values"),
    ],
)
def test_a_refusal_says_what_to_declare(
    feature: Feature, bad: list[object], decimal: Decimal, advice: str
) -> None:
    found = advise(feature, bad, decimal, "the table")
    assert advice in found
    assert bool(advice) == bool(found)


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("has quotes that don't match", "a quote is written twice"),
        ("has 10 fields, and the header has 9", "give that column a name in the header"),
        ("has 1 field, and the header has 9", ""),
        ("has 12 fields, and the header has 9", ""),
    ],
)
def test_a_refusal_says_what_to_do_about_fields(reason: str, advice: str) -> None:
    found = " ".join(advise_rows([reason]))
    assert advice in found
    assert bool(advice) == bool(found)


@pytest.mark.parametrize("feature", [AGE, YEARS, SMOKES, SEX, TOWN])
def test_advice_repeats_no_value(feature: Feature) -> None:
    assert "secret" not in advise(feature, ["secret", "secret-1,5"], ".", "the table")
