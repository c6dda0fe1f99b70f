"""Which model the predictor serves: the champion, else the last good or the previous one."""

import pytest
from botocore.parsers import ResponseParserError

from domain import keys
from domain.contract.contract import Contract
from domain.model.champion import ModelRef
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import problem_of
from tests.unit.predictor_world import World, ok


@pytest.mark.parametrize("resource", ["/model", "/health", "/openapi.json"])
def test_without_a_champion_callers_are_told_to_ask_and_the_log_says_what_an_operator_does(
    contract: Contract, resource: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(contract)
    for answer in (world.get(resource), world.predict(VALID)):
        problem = problem_of(answer)
        assert 503 == problem["status"]
        assert "Ask an operator" in problem["detail"]
        assert "ops" not in problem["detail"].split()  # a caller may have no such command
    assert [] == world.firehose.lines
    logged = capsys.readouterr().out
    assert '"next_step":"ops --stage dev status"' in logged
    assert "BundleTrouble" not in logged  # that is for alarms


def test_the_first_promotion_is_seen_soon_although_models_are_kept_long(
    contract: Contract,
) -> None:
    world, now = World(contract, champion_seconds=60), [100.0]
    models = world.api.routes["GET", "/health"].__self__.models  # type: ignore[attr-defined]  # a bound method
    models.clock = lambda: now[0]
    assert 503 == world.get("/health")["statusCode"]
    world.promote(1)
    now[0] += 1.0
    assert 200 == world.get("/health")["statusCode"]
    world.promote(2)
    now[0] += 59.0
    assert ok(world.get("/health"))["version"].startswith("1-")
    now[0] += 1.0
    assert ok(world.get("/health"))["version"].startswith("2-")


def test_an_unchanged_pointer_reloads_nothing(world: World) -> None:
    for _ in range(3):
        world.predict(VALID)
    reads = [key for key in world.s3.reads if key != keys.CHAMPION]
    assert 1 == len(reads)
    assert 3 == world.s3.reads.count(keys.CHAMPION)


def _damage(world: World, ref: ModelRef, content: bytes | None) -> None:
    if content is None:
        del world.s3.objects[ref.bundle_key]
    else:
        world.s3.objects[ref.bundle_key] = content


BROKEN = [None, b"", b"\x80\x04.", bytes(10_000)]


@pytest.mark.parametrize("content", BROKEN)
def test_the_last_good_model_serves_on_when_the_new_one_is_bad(
    world: World, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    ok(world.predict(VALID))
    _damage(world, world.promote(2), content)
    assert ok(world.predict(VALID))["model_version"].startswith("1-")
    health = ok(world.get("/health"))
    assert ("degraded", "1-") == (health["status"], health["version"][:2])
    assert "Version 2-" in health["reasons"][0]
    assert "BundleTrouble" in capsys.readouterr().out


@pytest.mark.parametrize("content", BROKEN)
def test_a_cold_start_with_a_bad_champion_serves_the_previous_one(
    world: World, content: bytes | None
) -> None:
    _damage(world, world.promote(2), content)
    assert ok(world.predict(VALID))["model_version"].startswith("1-")
    assert "degraded" == ok(world.get("/health"))["status"]


def test_a_repaired_bundle_is_loaded_at_the_next_look(world: World) -> None:
    ref = world.promote(2)
    good = world.s3.objects[ref.bundle_key]
    _damage(world, ref, b"")
    ok(world.predict(VALID))
    world.s3.objects[ref.bundle_key] = good
    assert ref.version == ok(world.predict(VALID))["model_version"]
    assert {"status": "ok", "version": ref.version, "reasons": []} == ok(world.get("/health"))


def test_with_every_bundle_bad_it_says_why(world: World) -> None:
    world.promote(2)
    for key in list(world.s3.objects):
        if key.endswith("bundle.json.gz"):
            world.s3.objects[key] = b"broken"
    problem = problem_of(world.predict(VALID))
    assert 503 == problem["status"]
    assert "Version 2-" in problem["detail"]


@pytest.mark.parametrize("pointer", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"version": "x"}'])
def test_a_damaged_pointer_keeps_the_model(world: World, pointer: bytes) -> None:
    ok(world.predict(VALID))
    world.s3.objects[keys.CHAMPION] = pointer
    assert 200 == world.predict(VALID)["statusCode"]
    assert "degraded" == ok(world.get("/health"))["status"]


@pytest.mark.parametrize("code", ["offline", "SlowDown", "AccessDenied", "InternalError"])
def test_a_failing_bucket_keeps_the_model_and_fails_a_cold_start_with_503(
    world: World, contract: Contract, code: str
) -> None:
    ok(world.predict(VALID))
    world.s3.failing["serving/"] = code
    assert 200 == world.predict(VALID)["statusCode"]
    cold = World(contract, s3=world.s3)
    assert 503 == problem_of(cold.predict(VALID))["status"]
    world.s3.failing.clear()
    assert "ok" == ok(world.get("/health"))["status"]


def test_a_flipped_digit_of_the_version_never_serves_a_good_bundle_under_a_wrong_name(
    world: World,
) -> None:
    good = ok(world.predict(VALID))["model_version"]
    pointer = world.s3.objects[keys.CHAMPION]
    for version in ("2-" + good[2:], "1-00000000"):
        world.s3.objects[keys.CHAMPION] = pointer.replace(good.encode(), version.encode(), 1)
        assert world.s3.objects[keys.CHAMPION] != pointer
        assert good == ok(world.predict(VALID))["model_version"]
        assert "degraded" == ok(world.get("/health"))["status"]
        assert 503 == World(world.contract, s3=world.s3).predict(VALID)["statusCode"]


def test_a_removed_pointer_keeps_the_model_and_is_told_until_it_is_back(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    ok(world.predict(VALID))
    pointer = world.s3.objects.pop(keys.CHAMPION)
    for _ in range(2):
        capsys.readouterr()
        assert 200 == world.predict(VALID)["statusCode"]
        assert "BundleTrouble" in capsys.readouterr().out
        health = ok(world.get("/health"))
        reason = "The champion pointer is gone; the last model keeps serving."
        assert ("degraded", [reason]) == (health["status"], health["reasons"])
    world.s3.objects[keys.CHAMPION] = pointer
    assert "ok" == ok(world.get("/health"))["status"]


def test_an_answer_that_nobody_can_read_is_a_failing_bucket(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(world.predict(VALID))

    def unreadable(_: str) -> None:
        raise ResponseParserError("no XML")

    monkeypatch.setattr(world.s3, "before_get", unreadable)
    assert 200 == world.predict(VALID)["statusCode"]
    assert "(ResponseParserError)" in ok(world.get("/health"))["reasons"][0]
    assert 503 == World(world.contract, s3=world.s3).predict(VALID)["statusCode"]
