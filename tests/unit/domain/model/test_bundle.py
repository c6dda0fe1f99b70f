"""The serving bundle: it comes back as it went, and nothing else is ever loaded."""

import gzip
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from domain.errors import BadBundle
from domain.model.bundle import Bundle, digest
from tests.repository import ROOT
from tests.unit.contracts import contracts, instances
from tests.unit.damaged_bundles import SEALED
from tests.unit.fakes import random_forest


def _bundle(contract: Contract, seed: int = 1) -> Bundle:
    return Bundle(contract, random_forest(contract, seed), 0.4)


@given(data=st.data(), seed=st.integers(0, 1000))
def test_a_bundle_comes_back_equal_and_scores_equally(data: st.DataObject, seed: int) -> None:
    contract = data.draw(contracts())
    bundle = _bundle(contract, seed)
    content = bundle.to_bytes()
    again = Bundle.from_bytes(content, digest(content))
    row = contract.row(data.draw(instances(contract)))
    assert bundle == again
    assert bundle.probability(row) == again.probability(row)


def test_equal_models_have_equal_bytes(contract: Contract) -> None:
    assert _bundle(contract).to_bytes() == _bundle(contract).to_bytes()


@pytest.mark.parametrize("damage", SEALED)
def test_a_damaged_file_raises_bad_bundle_even_under_its_own_hash(
    contract: Contract, damage: str
) -> None:
    content = SEALED[damage](_bundle(contract).to_bytes())
    with pytest.raises(BadBundle):
        Bundle.from_bytes(content, digest(content))


LOADED = """
import gzip
from pathlib import Path
from domain.model.bundle import MAXIMUM_BYTES, Bundle, digest
from domain.errors import BadBundle
filling = {filling!r}
entries = filling * (MAXIMUM_BYTES // len(filling) - 10)
content = gzip.compress(b'{{"format":[' + entries + b'0]}}', compresslevel=1)
try:
    Bundle.from_bytes(content, digest(content))
except BadBundle as error:
    status = Path("/proc/self/status").read_text()  # getrusage() begins with the parent's peak
    print(status.partition("VmHWM:")[2].split()[0], error)
"""


@pytest.mark.parametrize("filling", [b"[],", b"1.5,", b'{"":0},'], ids=["lists", "numbers", "maps"])
def test_the_largest_file_that_is_read_fits_into_the_function(filling: bytes) -> None:
    """Decoded whole before its format is refused; the function has 1,024 MB and keeps a model."""
    script = LOADED.format(filling=filling)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    peak, sentence = done.stdout.split(maxsplit=1)
    assert "unknown format" in sentence
    assert int(peak) * 1024 < 800_000_000


def test_any_flipped_bit_breaks_the_seal(contract: Contract) -> None:
    content = _bundle(contract).to_bytes()
    seal, rng = digest(content), random.Random(3)
    for position in rng.sample(range(len(content) * 8), 100):
        flipped = bytearray(content)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(BadBundle, match="hash"):
            Bundle.from_bytes(bytes(flipped), seal)


def test_a_flipped_bit_under_a_new_seal_is_refused_or_harmless(contract: Contract) -> None:
    """gzip's checksum finds what is inside; its header's own bytes (time, OS) mean nothing."""
    bundle = _bundle(contract)
    content = bundle.to_bytes()
    for position in range(0, len(content) * 8, 41):
        flipped = bytearray(content)
        flipped[position // 8] ^= 1 << position % 8
        try:
            loaded = Bundle.from_bytes(bytes(flipped), digest(bytes(flipped)))
        except BadBundle:
            continue
        assert bundle == loaded


@given(st.binary(max_size=300))
def test_random_bytes_raise_bad_bundle(content: bytes) -> None:
    for data in (content, gzip.compress(content)):
        with pytest.raises(BadBundle):
            Bundle.from_bytes(data, digest(data))


@pytest.mark.parametrize("seal", ["", "0" * 64, "not hex"])
def test_the_hash_is_checked_before_anything_is_parsed(
    contract: Contract, seal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[Any] = []
    spy: Callable[..., Any] = parsed.append
    monkeypatch.setattr("domain.model.bundle._decompress", spy)
    with pytest.raises(BadBundle, match="hash"):
        Bundle.from_bytes(_bundle(contract).to_bytes(), seal)
    assert [] == parsed
