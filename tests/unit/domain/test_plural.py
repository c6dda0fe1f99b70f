"""Numbers in front of nouns."""

import pytest

from domain.plural import agree, write_count


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (1_234, "row", "1,234 rows"),
        (1, "entry", "1 entry"),
        (2, "entry", "2 entries"),
        (2, "day", "2 days"),
        (3, "process", "3 processes"),
        (1, "more file", "1 more file"),
        (2, "labelled prediction", "2 labelled predictions"),
    ],
)
def test_a_noun_has_the_number_in_front_of_it(number: int, noun: str, text: str) -> None:
    assert text == write_count(number, noun)


@pytest.mark.parametrize(("number", "word"), [(0, "were"), (1, "was"), (2, "were")])
def test_a_verb_fits_its_number(number: int, word: str) -> None:
    assert word == agree(number, "was", "were")
