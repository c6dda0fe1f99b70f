"""In-memory clients with the failures that real ones have, and small random models."""

import hashlib
import io
import itertools
import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.drift.drift import Outcome
from domain.drift.run_result import RunResult
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from domain.model.scorer import Forest
from tests.cards import make_card


def client_error(code: str, operation: str = "Call") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "made up"}}, operation)


def make_sts(endpoint: str | None = None, secret: str = "secret") -> Any:  # noqa: S107 - made up
    """A client of STS with made-up credentials, at an address of the test's own."""
    return boto3.client(
        "sts",
        region_name="eu-central-1",
        endpoint_url=endpoint,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=secret,
    )


def _etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()}"'


@dataclass
class FakeS3:
    """Objects in memory; `failing` keys raise that error code, or no connection for ``offline``.

    `modified`: when a key was written, where a test says so.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    modified: dict[str, datetime] = field(default_factory=dict)
    failing: dict[str, str] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    before_get: Callable[[str], None] = lambda key: None

    def bucket(self) -> Bucket:
        client: Any = self
        return Bucket(client, "fake")

    def get_object(self, *, Bucket: str, Key: str, IfNoneMatch: str = "") -> Any:
        self.reads.append(Key)
        self.before_get(Key)
        self._fail(Key)
        if Key not in self.objects:
            raise client_error("NoSuchKey", "GetObject")
        data = self.objects[Key]
        etag = _etag(data)
        if etag == IfNoneMatch:
            raise client_error("304", "GetObject")
        return {"Body": io.BytesIO(data), "ETag": etag}

    def head_object(self, *, Bucket: str, Key: str) -> Any:
        self._fail(Key)
        if Key not in self.objects:
            raise client_error("404", "HeadObject")
        return {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: Any) -> Any:
        self._fail(Key)
        self.objects[Key] = Body
        return {"ETag": _etag(Body)}

    def get_paginator(self, _: str) -> "FakeS3":
        return self

    def paginate(self, *, Bucket: str, Prefix: str, Delimiter: str = "") -> Any:
        """One page: keys, or with a delimiter the folders below the prefix."""
        self._fail(Prefix)
        found = sorted(key for key in self.objects if key.startswith(Prefix))
        if not Delimiter:
            contents = [
                {
                    "Key": key,
                    "Size": len(data),
                    "LastModified": self.modified.get(key, datetime(2026, 1, 1, tzinfo=UTC)),
                    "ETag": _etag(data),
                }
                for key, data in ((key, self.objects[key]) for key in found)
            ]
            yield {"Contents": contents}
            return
        below = (key.removeprefix(Prefix).partition(Delimiter) for key in found)
        folders = dict.fromkeys(f"{Prefix}{name}{mark}" for name, mark, _ in below if mark)
        yield {"CommonPrefixes": [{"Prefix": folder} for folder in folders]}

    def generate_presigned_url(
        self,
        operation: str,
        *,
        Params: Mapping[str, str],
        ExpiresIn: int,
    ) -> str:
        return f"https://s3.example/{Params['Key']}?expires={ExpiresIn}"

    def _fail(self, key: str) -> None:
        code = next((c for prefix, c in self.failing.items() if key.startswith(prefix)), None)
        if code == "offline":
            raise EndpointConnectionError(endpoint_url="https://s3.example")
        if code:
            raise client_error(code)


def answer_lost(bucket: Bucket, *, writes: Iterable[int]) -> None:
    """Lose the answers of these conditional writes (from 1): S3 does them, then sees them again."""
    count, lost = itertools.count(1), set(writes)
    put = bucket.client.put_object

    def twice(**arguments: Any) -> Any:
        conditional = "IfMatch" in arguments or "IfNoneMatch" in arguments
        if conditional and next(count) in lost:
            put(**arguments)
        return put(**arguments)

    bucket.client.put_object = twice  # type: ignore[method-assign]


@dataclass
class FakeFirehose:
    """Stores lines; `refuses` is asked per record, `errors` are raised by the next calls."""

    refuses: Callable[[bytes], bool] = lambda line: False
    errors: list[Exception] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def put_record_batch(self, *, DeliveryStreamName: str, Records: Any) -> Any:
        self.batches.append(len(Records))
        if self.errors:
            raise self.errors.pop(0)
        outcomes = []
        for record in Records:
            if self.refuses(record["Data"]):
                outcomes.append({"ErrorCode": "ServiceUnavailableException"})
            else:
                self.lines.append(record["Data"])
                outcomes.append({"RecordId": "1"})
        failed = sum("ErrorCode" in outcome for outcome in outcomes)
        return {"FailedPutCount": failed, "RequestResponses": outcomes}

    @property
    def rows(self) -> list[dict[str, Any]]:
        return json_lines(self.lines)


def json_lines(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def random_forest(contract: Contract, seed: int, *, trees: int = 5, depth: int = 3) -> Forest:
    """A forest whose thresholds lie inside the features' ranges."""
    rng = random.Random(seed)
    nodes: dict[str, list[Any]] = {
        name: [] for name in ("feature", "threshold", "left", "right", "default_left", "cover")
    }
    ranges = [(f.minimum, f.maximum) for f in contract.features for _ in f.encoded_names]

    def grow(levels: int, cover: float) -> int:
        index = len(nodes["feature"])
        for values in nodes.values():
            values.append(0)
        nodes["cover"][index] = cover
        if levels == 0 or rng.random() < 0.1:
            nodes["feature"][index] = -1
            nodes["threshold"][index] = rng.uniform(-1, 1)
        else:
            column = rng.randrange(len(ranges))
            nodes["feature"][index] = column
            nodes["threshold"][index] = rng.uniform(*ranges[column])
            nodes["default_left"][index] = rng.randrange(2)
            share = rng.random()
            nodes["left"][index] = grow(levels - 1, cover * share)
            nodes["right"][index] = grow(levels - 1, cover * (1 - share))
        return index

    roots = [grow(depth, rng.uniform(1, 100)) for _ in range(trees)]
    return Forest.from_dict(
        {"base_margin": rng.uniform(-2, 0), "roots": roots, **nodes}, len(ranges)
    )


def store_model(s3: FakeS3, bundle: Bundle, number: int) -> ModelRef:
    """Put a bundle where its version belongs."""
    data = bundle.to_bytes()
    ref = ModelRef.of(number, digest(data))
    s3.objects[ref.bundle_key] = data
    s3.objects[keys.card(ref.version)] = make_card(ref.version, trees=5).to_json()
    return ref


def point_at(s3: FakeS3, ref: ModelRef) -> Champion:
    """Make a model the champion, as promotion does."""
    current = s3.objects.get(keys.CHAMPION)
    champion = Champion.successor(
        Champion.from_json(current) if current else None,
        ref,
        action="promote",
        execution="arn:execution",
        now=1,
    )
    s3.objects[keys.CHAMPION] = champion.to_json()
    return champion


def api_event(
    method: str,
    resource: str,
    body: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """An event of API Gateway's REST proxy integration, as recorded, cut to what differs."""
    return {
        "resource": resource,
        "path": resource,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "queryStringParameters": None,
        "pathParameters": None,
        "requestContext": {
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"apiKeyId": "key-1", "sourceIp": "127.0.0.1"},
        },
        "body": body,
        "isBase64Encoded": False,
        **fields,
    }


def problem_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The decoded problem of an answer that must be one."""
    assert "application/problem+json" == answer["headers"]["Content-Type"]
    problem: dict[str, Any] = json.loads(answer["body"])
    assert problem["status"] == answer["statusCode"]
    return problem


def make_run_result(run_id: str) -> RunResult:
    """A quiet run, as the drift function answers."""
    return RunResult(
        run_id=run_id,
        outcome=Outcome.STABLE,
        version="7-0a1b2c3d",
        rows=1,
        drifted=(),
        mail="not_needed",
        reports={},
        problems=(),
    )
