"""The model card as stored data."""

import json
from dataclasses import replace

import pytest

from domain.errors import BadRecord
from domain.model.card import ModelCard, SegmentFigures, suppress_small_segments
from tests.cards import SEGMENT, make_card

CARD = make_card("7-0a1b2c3d")


def test_a_card_survives_its_file() -> None:
    assert CARD == ModelCard.from_json(CARD.to_json())


def test_a_cards_intervals_and_reasons_are_arrays_in_json() -> None:
    document = json.loads(CARD.to_json())
    assert [0.79, 0.81] == document["intervals"]["f1"]
    assert ["The limits hold."] == document["verdict"]["reasons"]
    assert [0.71, 0.84] == document["segments"][0]["f1_interval"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b'{"version": "7-0a1b2c3d"}',
        CARD.to_json().replace(b'"trees": 5', b'"trees": "5"'),
        CARD.to_json().replace(b'"f1": 0.8', b'"f1": NaN'),
    ],
)
def test_a_damaged_card_is_refused(data: bytes) -> None:
    with pytest.raises(BadRecord):
        ModelCard.from_json(data)


def group(name: str, rows: int, positives: int, called: int | None = None) -> SegmentFigures:
    rate = 80 / 900 if called is None else called / rows
    return replace(SEGMENT, segment=name, rows=rows, positives=positives, selection_rate=rate)


@pytest.mark.parametrize(
    ("small", "figures"),
    [
        (group("gender=Other", 4, 0), False),
        (group("gender=Other", 400, 6), False),
        (group("gender=Other", 400, 394), False),
        (group("gender=Other", 400, 40, called=7), False),
        (group("gender=Other", 400, 40), True),
    ],
    ids=["few rows", "few positives", "few negatives", "few called", "large"],
)
def test_a_small_segment_is_suppressed_and_no_other_reveals_it(
    small: SegmentFigures, *, figures: bool
) -> None:
    women, men = group("gender=Female", 900, 80), group("gender=Male", 600, 60)
    old = group("age 70 and over", 700, 200)
    rows = sum(each.rows or 0 for each in (women, men, small))
    found = {s.segment: s for s in suppress_small_segments((women, men, small, old), rows=rows)}
    assert figures == (found["gender=Other"].f1 is not None)
    assert figures == (found["gender=Other"].rows is not None)
    # Whoever knows the test rows and the women could compute the small group from the men.
    assert figures == (found["gender=Male"].rows is not None)
    assert figures == (found["gender=Male"].positives is not None)
    assert 0.78 == found["gender=Male"].f1
    assert (900, 80) == (found["gender=Female"].rows, found["gender=Female"].positives)
    assert 700 == found["age 70 and over"].rows
    again = suppress_small_segments(found.values(), rows=rows)
    assert tuple(found.values()) == again


def test_rows_without_a_valid_value_are_a_group_too() -> None:
    groups = group("age under 30", 500, 50), group("age 30 to under 50", 490, 90)
    found = suppress_small_segments(groups, rows=995)
    assert [500, None] == [segment.rows for segment in found]


def test_figures_of_segments_have_three_digits_so_that_they_reveal_no_counts() -> None:
    exact = replace(SEGMENT, precision=15 / 17, precision_interval=(11 / 17, 1.0))
    (found,) = suppress_small_segments((exact,), rows=15_000)
    assert (0.882, (0.647, 1.0)) == (found.precision, found.precision_interval)


def test_a_card_that_was_written_before_is_read_as_if_suppressed() -> None:
    men = group("gender=Male", 600, 60)
    card = make_card("7-0a1b2c3d", segments=(SEGMENT, men, group("gender=Other", 4, 1)))
    found = ModelCard.from_json(card.to_json())
    assert [900, None, None] == [segment.rows for segment in found.segments]
    assert {None} == {found.segments[2].positives, found.segments[2].f1, found.segments[2].recall}
    assert b'"rows": 4,' not in found.to_json()
