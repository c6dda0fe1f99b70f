"""Models that change under load, and bundles that are damaged in every way."""

import json
import random
import threading
from typing import Any

import pytest

from domain.contract.contract import Contract
from domain.model.bundle import Bundle, digest
from domain.model.champion import ModelRef
from tests.unit.damaged_bundles import SEALED, STORED
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import api_event, point_at, random_forest, store_model
from tests.unit.predictor_world import World

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
    assert 1 == sum(line.get("BundleTrouble", 0) for line in emitted)
