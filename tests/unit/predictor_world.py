"""A predictor with everything around it in memory."""

import base64
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.api.proxy import Api
from adapters.api.rest import Answer
from adapters.streams import RecordStream
from adapters.telemetry import Telemetry
from domain import keys
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.model.bundle import Bundle
from domain.model.champion import ModelRef
from lambdas.predictor.routes import build
from tests.unit.fakes import (
    FakeFirehose,
    FakeS3,
    api_event,
    json_lines,
    point_at,
    random_forest,
    store_model,
)

THRESHOLD = 0.2


@dataclass
class World:
    """One function's process, its bucket and its stream."""

    contract: Contract
    champion_seconds: float = 0.0
    context: DeployedContext = field(default_factory=DeployedContext)
    has_login: bool = False
    s3: FakeS3 = field(default_factory=FakeS3)
    firehose: FakeFirehose = field(default_factory=FakeFirehose)

    def __post_init__(self) -> None:
        client: Any = self.firehose
        self.api: Api = build(
            models=self.s3.bucket(),
            champion_seconds=self.champion_seconds,
            context=self.context,
            stream=RecordStream(client, "s", self.s3.bucket(), "log", sleep=lambda _: None),
            telemetry=Telemetry("predictor", "circle-dev"),
            operator="ops --stage dev",
            has_login=self.has_login,
        )

    def respond(self, event: dict[str, Any]) -> Answer:
        # Loggers live as long as the process; each test has its own captured stdout.
        handler: Any = self.api.telemetry.log.registered_handler
        handler.stream = sys.stdout
        return self.api.respond(event)

    def bundle(self, seed: int, threshold: float = THRESHOLD) -> Bundle:
        return Bundle(self.contract, random_forest(self.contract, seed), threshold)

    def promote(self, number: int, threshold: float = THRESHOLD) -> ModelRef:
        ref = store_model(self.s3, self.bundle(number, threshold), number)
        point_at(self.s3, ref)
        return ref

    def predict(self, body: Any, **options: Any) -> Answer:
        if isinstance(body, bytes):
            body, options = base64.b64encode(body).decode(), options | {"isBase64Encoded": True}
        text = body if isinstance(body, str) else json.dumps(body)
        return self.respond(api_event("POST", "/predict", text, **options))

    def get(self, resource: str) -> Answer:
        return self.respond(api_event("GET", resource))

    @property
    def fallback_rows(self) -> list[dict[str, Any]]:
        stored = [d for k, d in self.s3.objects.items() if k.startswith(keys.FALLBACK)]
        return json_lines(line for data in stored for line in data.splitlines())


def ok(answer: Mapping[str, Any]) -> Any:
    assert 200 == answer["statusCode"], answer["body"]
    return json.loads(answer["body"])


def sent(**parameters: str) -> dict[str, Any]:
    """As the gateway sends it, both ways."""
    return {
        "queryStringParameters": parameters,
        "multiValueQueryStringParameters": {name: [v] for name, v in parameters.items()},
    }
