"""Models that change under load, and bundles that are damaged in every way."""

import gzip
import json
import pickle
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from domain.bundle import MAXIMUM_BYTES, MAXIMUM_STORED_BYTES, Bundle, digest
from domain.champion import ModelRef
from domain.contract import Contract
from tests.unit.fakes import api_event, point_at, random_forest, store_model
from tests.unit.test_contract import VALID
from tests.unit.test_predictor import World

PROMOTIONS = 1_000
READERS = 4


def test_a_thousand_promotions_and_rollbacks_never_mix_two_models(contract: Contract) -> None:
    """Every third change goes back to the version before, as a rollback does."""
    world = World(contract)
    row = contract.row(VALID)
    bundles = {n: Bundle(contract, random_forest(contract, n), n / 100) for n in range(1, 21)}
    refs = {n: store_model(world.s3, bundle, n) for n, bundle in bundles.items()}
    point_at(world.s3, refs[1])
    expected = {
        refs[n].version: (bundle.threshold, bundle.probability(row))
        for n, bundle in bundles.items()
    }
    wrong: list[Any] = []
    seen: set[str] = set()
    done = threading.Event()
    event = api_event("POST", "/predict", json.dumps(VALID))

    def read() -> None:
        while not done.is_set():
            answer = world.api.respond(event)
            body = json.loads(answer["body"])
            version = body.get("model_version", "")
            seen.add(version)
            if expected.get(version) != (body.get("threshold"), body.get("probability")):
                wrong.append(body)

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    rng, history = random.Random(1), [1, 2]
    for change in range(PROMOTIONS):
        number = history[-2] if change % 3 == 2 else rng.randrange(1, 21)
        history.append(number)
        point_at(world.s3, refs[number])
        json.loads(world.api.respond(event)["body"])  # each champion is asked for at least once
    done.set()
    for reader in readers:
        reader.join()

    last = json.loads(world.api.respond(event)["body"])["model_version"]
    assert [] == wrong
    assert refs[history[-1]].version == last
    assert set(expected) == seen
    logged = {row["prediction_id"]: row for row in world.firehose.rows}
    assert len(world.firehose.rows) == len(logged) > PROMOTIONS
    assert {(r["threshold"], r["probability"]) for r in logged.values()} == set(expected.values())


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
    "contract null": _with(contract=None),
    "contract empty": _with(contract={}),
    "contract a list": _with(contract=[]),
    "trees null": _with(forest=None),
    "trees a list": _with(forest=[1]),
    "threshold above one": _with(threshold=1.5),
    "threshold NaN": _with(threshold=float("nan")),
    "threshold a text": _with(threshold="0.5"),
    "threshold true": _with(threshold=True),
    "base margin infinite": _forest_with("base_margin", lambda _: float("inf")),
    "leaf NaN": _forest_with("threshold", lambda v: [float("nan"), *v[1:]]),
    "a value beyond float32": _forest_with("threshold", lambda v: [1e39, *v[1:]]),
    "a column too many": _forest_with("feature", lambda v: [10_000, *v[1:]]),
    "a loop": _forest_with("left", lambda v: [0] * len(v)),
    "a child outside": _forest_with("right", lambda v: [10**6] * len(v)),
    "a root outside": _forest_with("roots", lambda v: [*v, 10**6]),
    "an array too short": _forest_with("cover", lambda v: v[:-1]),
    "cover NaN": _forest_with("cover", lambda v: [float("nan"), *v[1:]]),
}


def test_there_are_enough_kinds_of_damage() -> None:
    assert len(STORED) + len(SEALED) >= 60


def _damaged(world: World, kind: str) -> ModelRef:
    """Promote version 2 with this damage."""
    seal, name = kind.split(": ")
    good = Bundle(world.contract, random_forest(world.contract, 2), 0.4).to_bytes()
    content = STORED[name](good) if seal == "stored" else SEALED[name](good)
    assert good != content
    ref = ModelRef.of(2, digest(good if seal == "stored" or content is None else content))
    if content is not None:
        world.s3.objects[ref.bundle_key] = content
    point_at(world.s3, ref)
    return ref


DAMAGES = [*(f"stored: {name}" for name in STORED), *(f"sealed: {name}" for name in SEALED)]


@pytest.mark.parametrize("start", ["warm", "cold"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_bundle_never_serves_and_never_stops_serving(
    contract: Contract, damage: str, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(contract)
    good = world.promote(1)
    if start == "warm":
        assert 200 == world.predict(VALID)["statusCode"]
    damaged = _damaged(world, damage)

    answer = world.predict(VALID, queryStringParameters={"explain": "true"})
    told = capsys.readouterr().out
    health = json.loads(world.get("/health")["body"])

    assert (200, good.version) == (
        answer["statusCode"],
        json.loads(answer["body"])["model_version"],
    )
    assert ("degraded", good.version) == (health["status"], health["version"])
    assert f"Version {damaged.version}: " in health["reasons"][0]
    emitted = [json.loads(line) for line in told.splitlines() if "_aws" in line]
    assert 1 == sum(line.get("BundleTrouble", [0])[0] for line in emitted)
