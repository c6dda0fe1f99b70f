"""What a function makes at its start, and Python's garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from adapters.api.start import made_to_last


@pytest.fixture(autouse=True)
def _collecting() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_a_start_makes_is_collected_neither_meanwhile_nor_later() -> None:
    @made_to_last()
    def make() -> tuple[bool, list[dict[str, int]]]:
        return gc.isenabled(), [{"one": 1}]

    was_enabled, made = make()
    assert not was_enabled
    assert gc.isenabled()
    assert not any(item is made for item in gc.get_objects())  # these are the collector's


def test_garbage_is_collected_again_after_a_start_that_failed() -> None:
    @made_to_last()
    def fail() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert gc.isenabled()
