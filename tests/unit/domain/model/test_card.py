"""The model card as stored data."""

import json

import pytest

from domain.errors import BadRecord
from domain.model.card import ModelCard
from tests.cards import make_card

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
