"""`webhook set` and `webhook test`: the URL is checked, stored, and shown nowhere."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.webhook import WebhookSecret
from ops.commands.monitoring import webhook_set, webhook_test
from ops.errors import OpsError
from ops.laptop import Laptop
from tests.unit.ops.doctor.recorded import DEPLOYMENT, Recorded, record
from tests.unit.receiver import KEY, Receiver, receiving

URL = "https://hooks.example.org/services/T0/secret"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def _target(*, url: str = "", arn: str = ARN, laptop: Laptop | None = None) -> Recorded:
    stored = {"SecretString": WebhookSecret(key=KEY, url=url).to_json()}
    function = {"Environment": {"Variables": {"WEBHOOK_FORMAT": "json"}}}
    target = record(
        laptop=laptop,
        secretsmanager=[("get_secret_value", stored), ("put_secret_value", {})],
        lambda_=[("get_function_configuration", function)],
    )
    target.__dict__["deployment"] = replace(DEPLOYMENT, webhook_secret=arn)
    return target


def _stored(target: Recorded) -> list[dict[str, Any]]:
    """What is put into the secret from now on."""
    put: list[dict[str, Any]] = []
    events = target.client("secretsmanager").meta.events
    events.register(
        "provide-client-params.*.PutSecretValue", lambda params, **_: put.append(params)
    )
    return put


def test_the_url_is_stored_beside_the_key_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    target = _target()
    put = _stored(target)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{URL}\n"))
    answer = webhook_set.run(target)
    assert [{"url": URL, "key": KEY}] == [json.loads(p["SecretString"]) for p in put]
    assert "secret" not in repr(answer)
    assert "python -m ops webhook test" == answer.next_step


@pytest.mark.parametrize("url", ["", "http://hooks.example.org/", "https://10.0.0.1/"])
def test_an_url_that_is_not_allowed_changes_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = _target()
    put = _stored(target)
    monkeypatch.setattr("sys.stdin", io.StringIO(url))
    with pytest.raises(OpsError, match="A webhook's URL"):
        webhook_set.run(target)
    assert [] == put


def test_on_this_machine_the_receiver_may_be_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = _target(laptop=Laptop(folder=tmp_path))
    put = _stored(target)
    monkeypatch.setattr("sys.stdin", io.StringIO("http://127.0.0.1:9000/"))
    webhook_set.run(target)
    assert 1 == len(put)


def test_a_stage_without_a_webhook_says_how_to_get_one() -> None:
    for command in (webhook_set, webhook_test):
        with pytest.raises(OpsError, match="Stage dev has no webhook") as refused:
            command.run(_target(arn=""))
        assert "slack, teams or json, then make deploy" in refused.value.next_step


def test_on_this_machine_a_webhook_comes_with_the_settings_of_up(tmp_path: Path) -> None:
    for command in (webhook_set, webhook_test):
        with pytest.raises(OpsError, match="Stage dev has no webhook") as refused:
            command.run(_target(arn="", laptop=Laptop(folder=tmp_path)))
        assert refused.value.next_step.endswith("python -m ops up --settings FILE")
        assert "cdk.json" not in refused.value.next_step


def test_a_test_message_arrives_in_the_format_of_the_stage(
    receiver: Receiver, tmp_path: Path
) -> None:
    answer = webhook_test.run(_target(url=receiver.url, laptop=Laptop(folder=tmp_path)))
    document = receiver.accepted[0].document
    assert answer.data == {"sent": document["id"]}
    assert "[circle-dev] This is a test of the webhook" == document["title"]


def test_a_test_message_that_is_refused_says_why(receiver: Receiver, tmp_path: Path) -> None:
    receiver.behave = lambda: "refuse"
    target = _target(url=receiver.url, laptop=Laptop(folder=tmp_path))
    with pytest.raises(OpsError, match="did not take the message: status 500") as refused:
        webhook_test.run(target)
    assert "token" not in str(refused.value)
