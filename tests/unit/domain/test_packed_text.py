"""Texts for environment variables are packed where they are long, and come back as they were."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.packed_text import PLAIN, pack, unpack


@given(st.text())
@example("zlib:")
@example("x" * PLAIN)
def test_a_packed_text_comes_back(text: str) -> None:
    assert text == unpack(pack(text))


@pytest.mark.parametrize(("length", "is_plain"), [(PLAIN - 1, True), (PLAIN, False)])
def test_only_a_long_text_is_compressed(length: int, is_plain: bool) -> None:
    text = "[" * length
    assert is_plain == (text == pack(text))
    assert len(pack(text)) <= length
