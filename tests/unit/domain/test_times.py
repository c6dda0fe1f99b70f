"""How durations are written."""

import pytest

from domain.times import describe_hours


@pytest.mark.parametrize(
    ("hours", "text"), [(1, "1 hour"), (1.0, "1 hour"), (1.5, "1.5 hours"), (72, "72 hours")]
)
def test_one_hour_is_singular(hours: float, text: str) -> None:
    assert text == describe_hours(hours)
