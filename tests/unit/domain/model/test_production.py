"""What a dataset says of its production rows, or of their absence."""

import pytest

from domain.model.production import LabelCoverage, Production


@pytest.mark.parametrize(
    ("predictions", "sentence"),
    [
        (0, "There are no predictions from 1970-01-01 to 1970-01-02, so no production row"),
        (5, "None of the 5 predictions from 1970-01-01 to 1970-01-02 has a label"),
    ],
)
def test_a_dataset_without_production_rows_says_why(predictions: int, sentence: str) -> None:
    nothing = LabelCoverage(predictions=predictions, labelled=0, positives=0, share=0.0)
    (note,) = Production(start=0, end=86_400_000, coverage=nothing).notes()
    assert note.startswith(sentence)
