"""What a story happens in: a bucket with three versions, streams, a state machine, a registry."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient

from adapters import aws
from adapters.registry import SHA256_TAG, Tracking
from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.model.bundle import Bundle, digest
from domain.model.champion import ModelRef
from domain.model.scorer import Forest

ROLE = "arn:aws:iam::000000000000:role/any"
SENDER, CONFIGURATION_SET = "from@example.org", "stories"
WAIT = {"Type": "Wait", "Seconds": 600, "End": True}
BOTO3 = ("s3", "mail", "topic", "bus", "states", "firehose")


@dataclass(frozen=True)
class Clients:
    """boto3 clients as the entry points make them, with shorter patience, and MLflow's address."""

    s3: Any
    mail: Any
    topic: Any
    bus: Any
    states: Any
    firehose: Any
    mlflow_url: str

    @classmethod
    def make(cls, *, timeout_seconds: float, mlflow_url: str) -> "Clients":
        """They go where `AWS_ENDPOINT_URL` leads."""
        return cls(
            s3=aws.client("s3", timeout_seconds=timeout_seconds, attempts=5),
            mail=aws.client("sesv2", timeout_seconds=timeout_seconds, attempts=1),
            topic=aws.client("sns", timeout_seconds=timeout_seconds, attempts=1),
            bus=aws.client("events", timeout_seconds=timeout_seconds),
            states=aws.client("stepfunctions", timeout_seconds=timeout_seconds),
            firehose=aws.client("firehose", timeout_seconds=timeout_seconds, attempts=1),
            mlflow_url=mlflow_url,
        )


@dataclass(frozen=True)
class Site:
    """Made without faults, by clients that go past the proxy. `name` names all that it holds."""

    name: str
    topic_arn: str
    machine_arn: str
    models: dict[int, ModelRef]
    contract: Contract

    @property
    def recipient(self) -> str:
        """Who gets this site's mails."""
        return f"{self.name}@example.org"

    def stream(self, name: str) -> str:
        """The Firehose stream of ``log`` or ``labels``."""
        return f"{self.name}-{name}"

    def registry(self, clients: Clients) -> Tracking:
        """This site's models in MLflow."""
        return Tracking(clients.mlflow_url, self.name)

    @classmethod
    def build(cls, direct: Clients, contract: Contract, reference: bytes) -> "Site":
        """`reference`: the sample that every version is compared with, as Parquet."""
        name = f"story-{uuid.uuid4().hex[:12]}"
        direct.s3.create_bucket(Bucket=name)
        machine = direct.states.create_state_machine(
            name=name,
            definition=json.dumps({"StartAt": "Wait", "States": {"Wait": WAIT}}),
            roleArn=ROLE,
        )
        topic = direct.topic.create_topic(Name=name)
        bucket = Bucket(direct.s3, name)
        bucket.put(f"{keys.RAW}patients.csv", b"rows")
        models = {number: _store(bucket, contract, number, reference) for number in (1, 2, 3)}
        site = cls(name, topic["TopicArn"], machine["stateMachineArn"], models, contract)
        for stream in ("log", "labels"):
            _create_stream(direct.firehose, site.stream(stream), bucket=name, prefix=stream)
        _register(MlflowClient(direct.mlflow_url, direct.mlflow_url), name, models)
        return site


def _store(bucket: Bucket, contract: Contract, number: int, reference: bytes) -> ModelRef:
    leaf = Forest(0.0, (0,), (-1,), (float(number),), (0,), (0,), (1,), (1.0,))
    content = Bundle(contract, leaf, 0.5).to_bytes()
    model = ModelRef.of(number, digest(content))
    bucket.put(model.bundle_key, content)
    bucket.put(keys.reference(model.version), reference)
    return model


def _create_stream(firehose: Any, name: str, *, bucket: str, prefix: str) -> None:
    """A stream that writes JSON lines: the emulator takes 25 ms for a record of Parquet."""
    firehose.create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={
            "RoleARN": ROLE,
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "Prefix": f"{prefix}/dt=!{{timestamp:yyyy-MM-dd}}/",
            "ErrorOutputPrefix": f"rejected/{prefix}/",
            "FileExtension": ".jsonl",
        },
    )


def _register(client: MlflowClient, name: str, models: dict[int, ModelRef]) -> None:
    client.create_registered_model(name)
    for model in models.values():
        client.create_model_version(
            name, source=f"s3://{name}/mlflow/{model.version}", tags={SHA256_TAG: model.sha256}
        )


BuildSite = Callable[[], Site]
