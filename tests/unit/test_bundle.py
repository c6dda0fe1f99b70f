"""The serving bundle: it comes back as it went, and nothing else is ever loaded."""

import gzip
import json
import math
import pickle
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bundle import FORMAT, MAXIMUM_BYTES, Bundle, digest
from domain.contract import Contract
from domain.errors import BadBundle
from tests.unit.contracts import contracts, instances
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


class _Payload:
    """Unpickling it would end the test run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exit, ("unpickled",))


def _packed(document: Any) -> bytes:
    return gzip.compress(json.dumps(document).encode())


def _damaged(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Files that are no bundle, although whoever promoted them sealed them."""
    rng = random.Random(7)
    for size in sorted(rng.sample(range(len(content)), 16)):
        yield f"truncated to {size}", content[:size]
    yield "empty", b""
    yield "zeros", bytes(1000)
    yield "noise", rng.randbytes(1000)
    yield "pickle", pickle.dumps(_Payload())
    yield "pickle in gzip", gzip.compress(pickle.dumps(_Payload()))
    yield "XGBoost's own format", b"\x7bL\x00\x00\x00\x00\x00\x00\x00\x01i\x07learner"
    yield "zip", b"PK\x03\x04" + bytes(60)
    yield "zip bomb", gzip.compress(bytes(MAXIMUM_BYTES + 1))
    yield "bomb of spaces before JSON", gzip.compress(b" " * MAXIMUM_BYTES + b"{}")
    yield "text", gzip.compress(b"hello")
    yield "not UTF-8", gzip.compress(b'{"format": "\xff"}')
    yield "deeply nested", gzip.compress(b"[" * 100_000)
    yield "deeply nested objects", gzip.compress(b'{"format":' * 100_000)
    yield "huge integer", gzip.compress(b'{"format":' + b"1" * 10_000 + b"}")
    strange_values: tuple[Any, ...] = (None, [], "x", 2, True, {})
    for value in strange_values:
        yield f"JSON {value!r}", _packed(value)
    document = json.loads(gzip.decompress(content))
    for name in document:
        yield f"without {name}", _packed({k: v for k, v in document.items() if k != name})
        for value in strange_values:
            yield f"{name} is {value!r}", _packed(document | {name: value})
    for threshold in (-0.1, 1.1, math.nan, math.inf, 10**400, [0.5]):
        yield f"threshold {str(threshold)[:9]}", _packed(document | {"threshold": threshold})
    yield "another format", _packed(document | {"format": FORMAT + "0"})
    contract, forest = document["contract"], document["forest"]
    for name in forest:
        less = {k: v for k, v in forest.items() if k != name}
        yield f"forest without {name}", _packed(document | {"forest": less})
        if name not in ("base_margin", "roots"):
            shorter = forest | {name: forest[name][:-1]}
            yield f"shorter {name}", _packed(document | {"forest": shorter})
        strange = forest | {name: ["x"] * len(forest["feature"])}
        yield f"texts in {name}", _packed(document | {"forest": strange})
    narrow = contract | {"features": contract["features"][:2], "segments": []}
    yield "a contract of fewer features", _packed(document | {"contract": narrow})
    huge = contract["features"][1] | {"maximum": 10**400}
    yield (
        "an endless range",
        _packed(document | {"contract": contract | {"features": [huge], "segments": []}}),
    )


def test_damaged_files_raise_bad_bundle_and_nothing_else(contract: Contract) -> None:
    """Even under the right hash, so that the decoder alone has to refuse."""
    damaged = list(_damaged(_bundle(contract).to_bytes()))
    survivors = []
    for name, content in damaged:
        try:
            Bundle.from_bytes(content, digest(content))
        except BadBundle:
            continue
        survivors.append(name)
    assert survivors == []
    assert len(damaged) >= 60


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
    monkeypatch.setattr("domain.bundle._decompressed", spy)
    with pytest.raises(BadBundle, match="hash"):
        Bundle.from_bytes(_bundle(contract).to_bytes(), seal)
    assert parsed == []
