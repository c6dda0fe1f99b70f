"""The context becomes settings, or one sentence that says what to write instead."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.packed_text import unpack
from stacks.settings import Settings
from stacks.stage import SettingsError, Stage
from tests.infra.conftest import cdk_context
from tests.repository import CONTRACT_TOML, ROOT


def settings(root: Path = ROOT, **context: Any) -> Settings:
    values = cdk_context() | {"mail_from": "sender@example.org"} | context
    return Settings.from_context(values.get, root)


def test_the_shipped_context_with_a_mail_address_is_enough_for_aws() -> None:
    parsed = settings()
    assert ("dev", "aws") == (parsed.stage.name, parsed.target)
    assert "diabetes" == parsed.contract.target


def test_a_deployment_is_called_circle_unless_it_is_given_a_name() -> None:
    assert ["circle-dev", "heart-dev"] == [settings().names.base, settings(name="heart").names.base]


def test_the_recipient_is_the_sender_unless_another_is_given() -> None:
    assert "sender@example.org" == settings().mail_to
    assert "team@example.org" == settings(mail_to="team@example.org").mail_to


def test_the_emulator_needs_no_mail_address() -> None:
    assert settings(target="emulator", mail_from=None).mail_from.endswith("@example.org")


def test_a_slash_at_the_end_of_the_endpoint_is_dropped() -> None:
    assert "http://localhost:4620" == settings(endpoint="http://localhost:4620/").endpoint


def test_another_contract_is_read_from_its_path(tmp_path: Path) -> None:
    text = (ROOT / "contract.toml").read_text().replace('"diabetes"', '"stroke"')
    (tmp_path / "other.toml").write_text(text)
    assert "stroke" == settings(contract=str(tmp_path / "other.toml")).contract.target


def test_settings_of_the_context_replace_those_of_the_stage() -> None:
    changed = settings(settings='{"approval": true, "training": {"trials": 3}}').stage
    assert (True, {"trials": 3}) == (changed.approval, changed.training)
    assert settings().stage.probation_days == changed.probation_days


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_settings_of_the_context_that_are_no_object_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="must be a JSON object"):
        settings(settings=text)


def test_context_that_no_function_has_room_for_is_refused(tmp_path: Path) -> None:
    names = [f'"{hashlib.sha256(bytes([n])).hexdigest()}"' for n in range(100)]
    text = f'[[context]]\nname = "site"\nkind = "category"\ncategories = [{", ".join(names)}]\n'
    path = tmp_path / "contract.toml"
    path.write_text(CONTRACT_TOML.read_text() + text)
    with pytest.raises(SettingsError, match=r"take 5,\d{3} bytes, .* has room for 3,000"):
        settings(contract=str(path))


def _write_long_contract(path: Path, categories: int, length: int = 10) -> str:
    """Write the contract with a feature of so many categories more; returns the text."""
    names = [
        hashlib.sha256(str(number).encode()).hexdigest()[:length] for number in range(categories)
    ]
    added = f'[[features]]\nname = "product"\nkind = "category"\ncategories = {names}\n'
    path.write_text(CONTRACT_TOML.read_text() + added)
    return path.read_text()


def test_a_long_contract_fits_into_the_definition_of_a_task(tmp_path: Path) -> None:
    path = tmp_path / "contract.toml"
    text = _write_long_contract(path, 5_000)
    packed = settings(contract=str(path)).contract_text
    assert len(packed) < 50_000 < len(text)
    assert text == unpack(packed)


def test_a_contract_that_no_task_has_room_for_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contract.toml"
    _write_long_contract(path, 5_000, length=20)
    with pytest.raises(SettingsError, match=r"contract takes \d{2},\d{3} bytes.* room for 50,000"):
        settings(contract=str(path))


@pytest.mark.parametrize(
    ("context", "hint"),
    [
        ({"stage": "staging"}, "-c stage= one of dev, prod"),
        ({"stage": ""}, None),
        ({"name": "Heart"}, "-c name=NAME, 1 to 16 lower-case letters"),
        ({"name": "h" * 17}, "-c name=NAME, 1 to 16 lower-case letters"),
        ({"target": "gcp"}, "-c target= one of aws, emulator"),
        ({"mail_from": None}, "-c mail_from=ADDRESS"),
        ({"mail_from": "nobody"}, "-c mail_from=name@example.org"),
        ({"mail_from": "a@b"}, "-c mail_from=name@example.org"),
        ({"mail_to": "a@b.org,c@d.org"}, "one address"),
        ({"mail_to": "A <a@b.org>"}, "one address"),
        ({"contract": "missing.toml"}, "-c contract=PATH"),
        ({"contract": "README.md"}, "contract"),
        ({"contract": "."}, "-c contract=PATH"),
        ({"endpoint": "localhost:4566"}, "-c endpoint=http://HOST:PORT"),
        ({"mlflow_url": "5000"}, "-c mlflow_url=http://HOST:PORT"),
        ({"stages": {}}, "context.stages"),
        ({"stages": {"dev": []}}, "must be an object"),
    ],
)
def test_a_context_value_that_cannot_be_used_is_one_sentence(
    context: dict[str, Any], hint: str | None
) -> None:
    if hint is None:  # an empty value means the default, as with `-c stage=`
        assert "dev" == settings(**context).stage.name
        return
    with pytest.raises(SettingsError) as error:
        settings(**context)
    assert hint in str(error.value)
    assert "\n" not in str(error.value)


def dev(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    stages: Any = cdk_context()["stages"]
    document = dict(stages["dev"])
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda d: d.pop("retain"), "retain is missing"),
        (lambda d: d.update(color="red"), "color is not a setting"),
        (lambda d: d.update(log_days="30"), "log_days must be a whole number"),
        (lambda d: d.update(log_days=True), "log_days must be a whole number"),
        (lambda d: d.update(log_days=31), "log_days must be one of"),
        (lambda d: d.update(athena_days=0), "athena_days must be at least 1"),
        (lambda d: d.update(stream_seconds=30), "stream_seconds must be 60-900"),
        (lambda d: d.update(architecture="mips"), "architecture must be one of"),
        (lambda d: d.update(mlflow_memory=8192), "must be a size that Fargate has"),
        (lambda d: d.update(database_instance="db.t4g.micro"), "must look like t4g.micro"),
        (lambda d: d.update(database_gb=5), "database_gb must be 20-65536"),
        (lambda d: d.update(database_backup_days=36), "database_backup_days must be 1-35"),
        (lambda d: d.update(budget_usd=-1), "budget_usd must be at least 1"),
        (lambda d: d.update(training_memory=1024), "must be a size that Fargate has"),
        (lambda d: d.update(training_schedule="weekly"), "training_schedule must be empty or"),
        (lambda d: d.update(compaction_schedule="daily"), "compaction_schedule must be empty or"),
        (lambda d: d.update(drift_schedule="daily"), "drift_schedule must look like"),
        (lambda d: d.update(minimum_rows=99), "minimum_rows must be at least 100"),
        (lambda d: d.update(drift_schedule="cron(0 14 * *)"), "drift_schedule must look like"),
        (lambda d: d.update(training=[]), "training must be an object of settings"),
        (lambda d: d.update(training={"f1": 1}), "training.f1 is not a setting"),
        (
            lambda d: d.update(training={"trials": 0}),
            "training.trials must be a whole number from 1",
        ),
        (
            lambda d: d.update(training={"minimum_f1": 0.3}),
            "training.minimum_f1 belongs to [gate] in contract.toml",
        ),
        (lambda d: d.update(training={"bad_row_share": True}), "training.bad_row_share must be a"),
        (
            lambda d: d.update(training={"segment_margin": 0.1}),
            "training.segment_margin belongs to [gate] in contract.toml",
        ),
        (lambda d: d.update(training={"split_salt": ""}), "training.split_salt must be a text"),
        (lambda d: d.update(approval="yes"), "approval must be true or false"),
        (lambda d: d.update(alarm_errors=0), "alarm_errors must be at least 1"),
        (lambda d: d.update(alarm_drift_days=8), "alarm_drift_days must be 1-7"),
        (lambda d: d.update(mail_identity=True), "mail_identity must be a text"),
        (lambda d: d.update(mail_identity="mail"), "must be one of address, domain, none"),
        (lambda d: d.update(webhook="discord"), "must be one of none, slack, teams, json"),
        (lambda d: d.update(base_image=""), "base_image must be the name of an image"),
        (lambda d: d.update(rds_bundle_url="bundle.pem"), "rds_bundle_url must be empty or"),
        (lambda d: d.update(database_sslmode="disable"), "must be one of require, verify-ca"),
        (lambda d: d.update(rds_bundle_url=""), "database_sslmode must be require"),
    ],
)
def test_a_stage_that_cannot_be_used_says_why(
    change: Callable[[dict[str, Any]], Any], hint: str
) -> None:
    with pytest.raises(SettingsError, match=r"^The settings of stage dev can't") as error:
        Stage.parse("dev", dev(change))
    assert hint in str(error.value)


@pytest.mark.parametrize(
    "fields",
    [
        "0 14 * * ? *",
        "0 3 ? * SUN *",
        "0/15 8-17 ? * MON-FRI *",
        "0 0 1,15 JAN-JUN ? 2026-2030",
        "0 0 L * ? *",
        "0 0 1W * ? *",
        "0 0 ? * 6L *",
        "0 0 ? * 6#3 *",
    ],
)
def test_a_schedule_may_be_all_that_eventbridge_knows(fields: str) -> None:
    schedule = f"cron({fields})"
    stage = Stage.parse("dev", dev(lambda d: d.update(training_schedule=schedule)))
    assert stage.training_schedule == schedule


@pytest.mark.parametrize(
    "schedule",
    [
        "cron(0 14 * * * *)",  # one of the two day fields must be ?
        "cron(0 14 ? * ? *)",
        "cron(0 0 1 * 1 *)",
        "cron(99 99 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 0 32 * ? *)",
        "cron(0 0 1 13 ? *)",
        "cron(0 0 ? * 8 *)",
        "cron(0 */0 * * ? *)",
        "cron(a b c d e f)",
        "cron(0 14 * * ? *) ",
        "cron()",
        "0 14 * * ? *",
        "rate(1 day)",
    ],
)
@pytest.mark.parametrize("field", ["drift_schedule", "training_schedule", "compaction_schedule"])
def test_a_schedule_that_eventbridge_would_refuse_is_refused_at_synth(
    field: str, schedule: str
) -> None:
    with pytest.raises(SettingsError, match=f"{field} must"):
        Stage.parse("dev", dev(lambda d: d.update({field: schedule})))


def test_a_database_without_the_bundle_is_still_encrypted() -> None:
    without = dev(lambda d: d.update(rds_bundle_url="", database_sslmode="require"))
    assert "require" == Stage.parse("dev", without).database_sslmode


def test_every_problem_of_a_stage_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        Stage.parse("dev", dev(lambda d: (d.pop("retain"), d.update(log_days=0, color="red"))))
    assert all(word in str(error.value) for word in ("retain", "log_days", "color"))
