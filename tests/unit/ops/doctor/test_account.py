"""What `doctor` says of an account, from recorded answers of AWS."""

import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from ops.bill.cost_idle import Resource, Stage
from ops.doctor.account import AccountChecks, list_platforms
from tests.unit.ops.doctor.recorded import Call, ask, record

SENDER, RECIPIENT = "alerts@mail.example.org", "team@example.com"
BUILDX = """Name:   default
Nodes:
Name:      default
Platforms: linux/amd64*, linux/amd64/v2, linux/386
"""


def _checks(
    *,
    memory: int = 3008,
    bootstrap: int = 6,
    mail_from: str | None = None,
    execute: Any = None,
    **settings: Any,
) -> AccountChecks:
    checks = AccountChecks("dev", "circle", mail_from, execute or _docker())
    functions = {("Monitoring", "Drift"): Resource("AWS::Lambda::Function", {"MemorySize": memory})}
    defaults = {
        "architecture": "arm64",
        "database_backup_days": 1,
        "mlflow_cpu": 256,
        "training_cpu": 2048,
        "training_spot": True,
        "mail_identity": "address",
    }
    checks.__dict__.update(
        {
            "settings": defaults | settings,
            "templates": (Stage(functions, 3), bootstrap),
        }
    )
    return checks


def _docker(engine: int = 0, buildx: int = 0, platforms: str = "linux/arm64, linux/amd64*") -> Any:
    def execute(command: list[str]) -> "subprocess.CompletedProcess[str]":
        if "version" in command:
            return subprocess.CompletedProcess(command, engine, "28.1.0\n", "")
        return subprocess.CompletedProcess(command, buildx, f"Platforms: {platforms}\n", "")

    return execute


def _caller(arn: str) -> list[Call]:
    answer = {"Account": "123456789012", "Arn": arn, "UserId": "AIDA"}
    return [("get_caller_identity", answer)]


def test_the_account_the_region_and_the_role_are_named() -> None:
    role = "arn:aws:sts::123456789012:assumed-role/deploy/me"
    sentence = "Account 123456789012, region eu-west-1, as assumed-role/deploy/me."
    assert [("ok", sentence, "")] == ask(_checks().check_credentials, record(sts=_caller(role)))


def test_credentials_of_the_root_user_are_worth_a_note() -> None:
    root = record(sts=_caller("arn:aws:iam::123456789012:root"))
    assert ["ok", "note"] == [level for level, *_ in ask(_checks().check_credentials, root)]


def test_expired_credentials_are_an_unanswered_question_and_no_trace() -> None:
    expired = record(sts=[("get_caller_identity", "ExpiredToken")])
    ((level, sentence, _),) = ask(_checks().check_credentials, expired)
    assert ("unknown", "AWS refused GetCallerIdentity (ExpiredToken).") == (level, sentence)


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        ({"Parameter": {"Value": "30"}}, "ok", "version 30"),
        ({"Parameter": {"Value": "5"}}, "problem", "version 5; 6 is needed"),
        ("ParameterNotFound", "problem", "not prepared for the CDK"),
        ("AccessDeniedException", "unknown", "AWS refused GetParameter (AccessDeniedException)"),
    ],
)
def test_the_bootstrap_is_there_and_new_enough(answer: Any, level: str, words: str) -> None:
    target = record(ssm=[("get_parameter", answer)])
    ((found, sentence, step),) = ask(_checks().check_bootstrap, target)
    assert level == found
    assert words in sentence
    assert (level == "problem") == step.startswith("make bootstrap STAGE=dev")


@pytest.mark.parametrize(
    ("execute", "level", "words"),
    [
        (_docker(), "ok", "Docker 28.1.0 builds for linux/arm64."),
        (_docker(engine=1), "problem", "No Docker engine answers."),
        (_docker(buildx=1), "problem", "Docker lacks BuildKit."),
        (_docker(platforms="linux/amd64*, linux/386"), "problem", "Docker can't build for"),
    ],
)
def test_docker_builds_for_the_stages_processor(
    monkeypatch: pytest.MonkeyPatch, execute: Any, level: str, words: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/docker")
    checks = _checks(execute=execute)
    ((found, sentence, step),) = ask(checks.check_docker, record(deployed=False))
    assert level == found
    assert words in sentence
    assert (level != "ok") == bool(step)
    later = ask(checks.check_docker, record())
    assert "ok" if level == "ok" else "note" == later[0][0]


def test_a_machine_without_docker_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    ((level, sentence, _),) = ask(_checks().check_docker, record(deployed=False))
    assert ("problem", "Docker is not installed") == (level, sentence.split(";")[0])


def test_the_platforms_of_all_nodes_are_read() -> None:
    two = BUILDX + "Name: other\nPlatforms: linux/arm64, linux/arm/v7\n"
    assert {"linux/amd64", "linux/amd64/v2", "linux/386"} == list_platforms(BUILDX)
    assert "linux/arm64" in list_platforms(two)


@pytest.mark.parametrize(
    ("at_once", "memory", "levels"),
    [(1000, 3008, ["ok"]), (10, 3008, ["note"]), (1000, 3009, ["ok", "note"])],
)
def test_functions_fit_into_what_lambda_gives_a_new_account(
    at_once: int, memory: int, levels: list[str]
) -> None:
    answer = {"AccountLimit": {"ConcurrentExecutions": at_once}}
    target = record(lambda_=[("get_account_settings", answer)])
    assert levels == [level for level, *_ in ask(_checks(memory=memory).check_lambda, target)]


@pytest.mark.parametrize(
    ("on_demand", "spot", "settings", "problems"),
    [
        (6, 6, {}, []),
        (6, 1, {}, ["The stage needs 2 vCPUs of Fargate Spot; the account has 1."]),
        (
            2,
            6,
            {"training_spot": False},
            ["The stage needs 2.25 vCPUs of Fargate On-Demand; the account has 2."],
        ),
    ],
)
def test_mlflow_and_a_training_fit_into_the_vcpus_of_fargate(
    on_demand: int, spot: int, settings: dict[str, Any], problems: list[str]
) -> None:
    quotas = [
        {"QuotaName": "Fargate On-Demand vCPU resource count", "Value": on_demand},
        {"QuotaName": "Fargate Spot vCPU resource count", "Value": spot},
    ]
    target = record(service_quotas=[("list_service_quotas", {"Quotas": quotas})])
    found = ask(_checks(**settings).check_fargate, target)
    assert problems == [sentence for level, sentence, _ in found if level == "problem"]
    assert bool(problems) != any(level == "ok" for level, *_ in found)


FREE = {
    "accountId": "123456789012",
    "accountPlanType": "FREE",
    "accountPlanStatus": "ACTIVE",
    "accountPlanRemainingCredits": {"amount": 87.5, "unit": "USD"},
    "accountPlanExpirationDate": datetime(2027, 3, 1, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("plan", "days", "levels"),
    [
        (FREE, 1, ["note"]),
        (FREE, 14, ["problem", "note"]),
        (FREE | {"accountPlanType": "PAID"}, 14, ["ok"]),
    ],
)
def test_the_free_plan_refuses_long_backups(
    plan: dict[str, Any], days: int, levels: list[str]
) -> None:
    target = record(freetier=[("get_account_plan_state", plan)])
    found = ask(_checks(database_backup_days=days).check_plan, target)
    assert levels == [level for level, *_ in found]
    if "problem" in levels:
        assert "The Free plan refuses database backups for 14 days." == found[0][1]
    if "note" in levels:
        assert "until 2027-03-01, with credits of 87.5 USD" in found[-1][1]


def _ses(*, sandbox: bool, identities: list[Any], sending: bool = True) -> list[Call]:
    account = {"ProductionAccessEnabled": not sandbox, "SendingEnabled": sending}
    answers = [i if isinstance(i, str) else {"VerifiedForSendingStatus": i} for i in identities]
    return [("get_account", account), *(("get_email_identity", answer) for answer in answers)]


FUNCTION: list[Call] = [
    (
        "get_function_configuration",
        {"Environment": {"Variables": {"MAIL_FROM": SENDER, "MAIL_TO": RECIPIENT}}},
    )
]
UNKNOWN = "NotFoundException"


@pytest.mark.parametrize(
    ("sandbox", "identities", "expected"),
    [
        (False, [True], [("ok", f"SES has verified {SENDER}.")]),
        (False, [UNKNOWN, True], [("ok", f"SES has verified {SENDER}.")]),
        (False, [UNKNOWN, UNKNOWN, True], [("ok", f"SES has verified {SENDER}.")]),
        (False, [False, UNKNOWN, UNKNOWN], [("problem", f"SES has not verified {SENDER}")]),
        (True, [True, True], [("note", "SES is in its sandbox"), ("ok", "SES has verified")]),
        (
            True,
            [True, UNKNOWN, UNKNOWN],
            [("note", "SES is in its sandbox"), ("note", f"SES doesn't know {RECIPIENT} yet")],
        ),
    ],
    ids=["address", "its domain", "the domain above", "not verified", "sandbox", "recipient"],
)
def test_mail_goes_from_a_verified_address_or_domain(
    sandbox: bool, identities: list[Any], expected: list[tuple[str, str]]
) -> None:
    target = record(lambda_=FUNCTION, sesv2=_ses(sandbox=sandbox, identities=identities))
    found = ask(_checks().check_mail, target)
    assert [level for level, _ in expected] == [level for level, *_ in found]
    for (_, words), (_, sentence, _) in zip(expected, found, strict=True):
        assert words in sentence


def test_an_account_that_verifies_nothing_itself_must_know_the_sender() -> None:
    target = record(deployed=False, sesv2=_ses(sandbox=False, identities=[UNKNOWN] * 3))
    ((level, *_),) = ask(_checks(mail_from=SENDER, mail_identity="none").check_mail, target)
    assert "problem" == level


def test_without_a_sender_the_option_is_named() -> None:
    target = record(deployed=False, sesv2=_ses(sandbox=False, identities=[]))
    ((level, _, step),) = ask(_checks().check_mail, target)
    assert ("note", "python -m ops doctor --mail-from ADDRESS") == (level, step)


def test_an_account_that_ses_has_stopped_is_a_problem() -> None:
    target = record(deployed=False, sesv2=_ses(sandbox=False, identities=[True], sending=False))
    found = ask(_checks(mail_from=SENDER).check_mail, target)
    assert ["problem", "ok"] == [level for level, *_ in found]


def test_an_unknown_stage_names_those_that_there_are() -> None:
    checks = AccountChecks("staging", "circle", None)
    ((level, sentence, step),) = ask(checks.check_settings, record(deployed=False))
    assert ("problem", "cdk.json has no stage staging.") == (level, sentence)
    assert "Choose one with --stage: dev, prod." == step
