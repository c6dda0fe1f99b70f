"""Bundles damaged in every way that somebody thought of: by a store, or by whoever sealed them."""

import gzip
import json
import math
import pickle
import random
from collections.abc import Callable
from typing import Any

from domain.model.bundle import MAXIMUM_BYTES, MAXIMUM_STORED_BYTES


class _Bomb:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('unpickled')",)


def _with(**changes: Any) -> Callable[[bytes], bytes]:
    """A bundle in the right format whose document is another."""

    def damage(content: bytes) -> bytes:
        return gzip.compress(json.dumps(json.loads(gzip.decompress(content)) | changes).encode())

    return damage


def _forest_with(name: str, change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    def damage(content: bytes) -> bytes:
        document = json.loads(gzip.decompress(content))
        document["forest"][name] = change(document["forest"][name])
        return gzip.compress(json.dumps(document).encode())

    return damage


def _without(name: str) -> Callable[[bytes], bytes]:
    def damage(content: bytes) -> bytes:
        document = json.loads(gzip.decompress(content))
        del document[name]
        return gzip.compress(json.dumps(document).encode())

    return damage


def _cut(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(len(content) * share)]


def _flipped(share: float, bit: int) -> Callable[[bytes], bytes]:
    def damage(content: bytes) -> bytes:
        position = int(len(content) * share)
        changed = content[position] ^ (1 << bit)
        return content[:position] + bytes([changed]) + content[position + 1 :]

    return damage


def _forest_without(name: str) -> Callable[[bytes], bytes]:
    def damage(content: bytes) -> bytes:
        document = json.loads(gzip.decompress(content))
        del document["forest"][name]
        return gzip.compress(json.dumps(document).encode())

    return damage


def _contract_with(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    def damage(content: bytes) -> bytes:
        document = json.loads(gzip.decompress(content))
        features = change(document["contract"]["features"])
        document["contract"] |= {"features": features, "segments": []}
        return gzip.compress(json.dumps(document).encode())

    return damage


PARTS = ("format", "contract", "threshold", "forest")
ARRAYS = ("roots", "feature", "threshold", "left", "right", "default_left", "cover")
STRANGE: tuple[Any, ...] = (None, [], "x", 2, True, {})

# As a store or a disk damages it: the promoted hash is still that of the good one.
STORED: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda _: None,
    "empty": lambda _: b"",
    "one byte": lambda content: content[:1],
    "zeros": lambda content: bytes(len(content)),
    "doubled": lambda content: content * 2,
    "another model's": _with(threshold=0.9),
    "larger than is read": lambda _: random.Random(1).randbytes(MAXIMUM_STORED_BYTES + 1),
    **{f"cut at {n / 16}": _cut(n / 16) for n in range(1, 16)},
    **{f"bit {n % 8} flipped at {n / 24}": _flipped(n / 24, n % 8) for n in range(24)},
}
# As somebody makes it: the promoted hash is that of the damaged one.
SEALED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "not compressed": gzip.decompress,
    "compressed twice": gzip.compress,
    "something behind": lambda content: content + b"more",
    "a second member": lambda content: content + gzip.compress(b"{}"),
    "pickle": lambda _: pickle.dumps(_Bomb()),
    "compressed pickle": lambda _: gzip.compress(pickle.dumps(_Bomb())),
    "pickle of text opcodes": lambda _: b"cos\nsystem\n(S'exit 1'\ntR.",
    "zip": lambda _: b"PK\x03\x04" + bytes(100),
    "a booster": lambda _: b"{L\x00\x00\x00\x00\x00\x00\x00\x02i\x07learner",
    "grows without end": lambda _: gzip.compress(b" " * (MAXIMUM_BYTES + 1)),
    "no JSON": lambda _: gzip.compress(b"not JSON"),
    "no UTF-8": lambda _: gzip.compress(b'{"format": "\xff"}'),
    "nested without end": lambda _: gzip.compress(b"[" * 1_000_000),
    "a list": lambda _: gzip.compress(b"[]"),
    "null": lambda _: gzip.compress(b"null"),
    "an empty object": lambda _: gzip.compress(b"{}"),
    "cut and sealed": _cut(0.5),
    "checksum cut off": lambda content: content[:-8],
    "checksum flipped": _flipped(0.999, 3),
    "another format": _with(format="mlops.circle/bundle/2"),
    "no format": _without("format"),
    "no contract": _without("contract"),
    "no trees": _without("forest"),
    "no threshold": _without("threshold"),
    "trees a list": _with(forest=[1]),
    "threshold NaN": _with(threshold=float("nan")),
    "base margin infinite": _forest_with("base_margin", lambda _: float("inf")),
    "leaf NaN": _forest_with("threshold", lambda v: [float("nan"), *v[1:]]),
    "a value beyond float32": _forest_with("threshold", lambda v: [1e39, *v[1:]]),
    "a column too many": _forest_with("feature", lambda v: [10_000, *v[1:]]),
    "a loop": _forest_with("left", lambda v: [0] * len(v)),
    "a child outside": _forest_with("right", lambda v: [10**6] * len(v)),
    "a root outside": _forest_with("roots", lambda v: [*v, 10**6]),
    "cover NaN": _forest_with("cover", lambda v: [float("nan"), *v[1:]]),
    "zeros": lambda _: bytes(1_000),
    "noise": lambda _: random.Random(7).randbytes(1_000),
    "spaces before JSON": lambda _: gzip.compress(b" " * MAXIMUM_BYTES + b"{}"),
    "a huge integer": lambda _: gzip.compress(b'{"format":' + b"1" * 10_000 + b"}"),
    "objects nested without end": lambda _: gzip.compress(b'{"format":' * 100_000),
    "a root twice": _forest_with("roots", lambda v: [*v, v[0]]),
    "a root that is a child": _forest_with("roots", lambda v: [*v, v[0] + 1]),
    "a child of more rows than its parent": _forest_with("cover", lambda v: [1e-300, *v[1:]]),
    "a contract of fewer features": _contract_with(lambda f: f[:2]),
    "an endless range": _contract_with(lambda f: [f[1] | {"maximum": 10**400}]),
    **{f"{n} {v!r}": _with(**{n: v}) for n in PARTS for v in STRANGE},
    **{f"trees without {n}": _forest_without(n) for n in ARRAYS},
    **{f"texts in {n}": _forest_with(n, lambda _: ["x", "y"]) for n in ARRAYS},
    **{f"{n} too short": _forest_with(n, lambda v: v[:-1]) for n in ARRAYS if n != "roots"},
    **{f"threshold {v}": _with(threshold=v) for v in (-0.1, 1.1, math.inf)},
}
