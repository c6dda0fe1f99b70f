"""A stage has a webhook's secret and what reads it only if it wants a webhook."""

import json
import string
from collections.abc import Callable

import pytest

from domain.webhook import FORMATS, WebhookSecret
from lambdas.decisions.settings import Settings as DecisionsSettings
from monitoring_job.settings import Settings as DriftSettings
from tests.infra.assembly import Assembly

SENDERS: dict[str, type[DriftSettings | DecisionsSettings]] = {
    "DriftFunction": DriftSettings,
    "DecisionsNotifierFunction": DecisionsSettings,
}


def _read(assembly: Assembly, function: str) -> DriftSettings | DecisionsSettings:
    properties = assembly.resource("AWS::Lambda::Function", function).properties
    variables = properties["Environment"]["Variables"]
    return SENDERS[function].from_env({name: assembly.text(v) for name, v in variables.items()})


@pytest.fixture(params=["aws", "emulator"])
def hooked(request: pytest.FixtureRequest, varied: Callable[..., Assembly]) -> Assembly:
    """The stage dev with a webhook."""
    return varied(request.param, webhook="slack")


@pytest.mark.parametrize("function", SENDERS)
def test_both_senders_get_format_and_secret(hooked: Assembly, function: str) -> None:
    settings = _read(hooked, function)
    assert ("slack", "{WebhookSecret}") == (settings.webhook_format, settings.webhook_secret_arn)


@pytest.mark.parametrize(("target", "expected"), [("aws", False), ("emulator", True)])
def test_only_beside_an_emulator_a_receiver_may_be_private(
    varied: Callable[..., Assembly], target: str, expected: bool
) -> None:
    assembly = varied(target, webhook="json")
    assert {expected} == {_read(assembly, name).webhook_allow_private for name in SENDERS}


def test_the_generated_secret_is_a_key_without_an_url(hooked: Assembly) -> None:
    secret = hooked.resource("AWS::SecretsManager::Secret", "WebhookSecret").properties
    assert "{DataKey.Arn}" == hooked.text(secret["KmsKeyId"])
    generated = secret["GenerateSecretString"]
    assert set(string.punctuation) == set(generated["ExcludeCharacters"])
    key = ("aB3" * 64)[: generated["PasswordLength"]]  # any letters and digits
    document = json.loads(generated["SecretStringTemplate"]) | {generated["GenerateStringKey"]: key}
    assert WebhookSecret(key=key) == WebhookSecret.from_json(json.dumps(document))


def test_operators_find_the_secret_among_the_outputs(hooked: Assembly) -> None:
    outputs = hooked.templates["Monitoring"]["Outputs"]
    assert "{WebhookSecret}" == hooked.text(outputs["WebhookSecret"]["Value"])


@pytest.mark.parametrize("function", SENDERS)
def test_without_a_webhook_there_is_nothing_of_it(aws: Assembly, function: str) -> None:
    assert not [s.name for s in aws.resources("AWS::SecretsManager::Secret", "Monitoring")]
    settings = _read(aws, function)
    assert (None, None) == (settings.webhook_format, settings.webhook_secret_arn)
    assert "WebhookSecret" not in aws.templates["Monitoring"]["Outputs"]


def test_every_format_can_be_a_stages(varied: Callable[..., Assembly]) -> None:
    for format_ in FORMATS:
        assert format_ == _read(varied("emulator", webhook=format_), "DriftFunction").webhook_format
