"""The recorded calls as (role, IAM action, resource), with names as the templates write them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from domain import keys
from domain.deployment import Deployment
from stacks.training.task_state import COMPACTION, ERASURE, PROMOTION, TIMEOUT_HOURS

Call = tuple[str, str, str]
"""(role, action, resource)"""

COMMITTED = Path(__file__).with_name("calls.json")

FUNCTIONS = (
    "Predictor",
    "Labels",
    "DashboardBackend",
    "Drift",
    "RetrainingGuard",
    "DecisionsNotifier",
    "TaskWatcher",
)

WHOLE = (keys.RAW, keys.DATASETS, keys.SCORING, keys.MLFLOW, keys.STUDIES)

_OPERATIONS = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "CreateMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
    "UploadPart": "PutObject",
    "ListObjectVersions": "ListBucketVersions",
    "CompleteMultipartUpload": "PutObject",
}
"""Operations of S3 whose IAM action is called otherwise."""


def read_committed() -> set[Call]:
    """The table in the repository."""
    table: Mapping[str, Mapping[str, list[str]]] = json.loads(COMMITTED.read_text())
    return {
        (role, action, resource)
        for role, actions in table.items()
        for action, resources in actions.items()
        for resource in resources
    }


def write_committed(calls: set[Call]) -> None:
    """Write the table: role → action → resources."""
    table: dict[str, dict[str, list[str]]] = {}
    for role, action, resource in sorted(calls):
        table.setdefault(role, {}).setdefault(action, []).append(resource)
    COMMITTED.write_text(json.dumps(table, indent=2) + "\n")


def read_recorded(folder: Path, deployment: Deployment) -> set[Call]:
    """What the processes of one deployment wrote."""
    lines = [line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    return {call for line in lines for call in _calls(json.loads(line), deployment)}


def _calls(line: Mapping[str, object], deployment: Deployment) -> Iterator[Call]:
    operation, service = str(line["operation"]), str(line["service"])
    parameters = line["parameters"]
    assert isinstance(parameters, dict)
    action = f"{service}:{_OPERATIONS.get(operation, operation)}"
    if line["of_a_version"]:
        action += "Version"
    yield _role(str(line["component"])), action, _resource(action, parameters, deployment)


def _role(component: str) -> str:
    if component in TIMEOUT_HOURS:
        tasks = dict.fromkeys(PROMOTION, "Promotion") | dict.fromkeys(ERASURE, "Erasure")
        tasks |= dict.fromkeys(COMPACTION, "Compaction")
        task = tasks.get(component, "Steps")
        return f"{task}TaskTaskRole"
    if component == "mlflow":
        return "MlflowTaskTaskRole"
    (function,) = [name for name in FUNCTIONS if f"-{name}Function" in component]
    return f"{function}Role"


def _resource(action: str, named: Mapping[str, str], deployment: Deployment) -> str:
    service = action.partition(":")[0]
    if service == "s3":
        return _object(action, named, deployment)
    if service == "firehose":
        log = "PredictionLog" if "PredictionLog" in named["DeliveryStreamName"] else "Labels"
        return f"{{{log}DeliveryStream.Arn}}"
    known = {
        "events": "{Bus.Arn}",
        "sns": "{OperationsTopic}",
        "secretsmanager": "{ReportSecret}",
        "athena": f"{_here('athena')}:workgroup/circle-dev",
        "ses": f"{_here('ses')}:identity/sender@example.org",
        "states": f"{_here('states')}:execution:circle-dev-training:*"
        if "executionArn" in named
        else "{TrainingMachine}",
    }
    return known[service]


def _here(service: str) -> str:
    return f"arn:{{AWS::Partition}}:{service}:{{AWS::Region}}:{{AWS::AccountId}}"


def _object(action: str, named: Mapping[str, str], deployment: Deployment) -> str:
    buckets = ("data", "models", "predictions", "reports")
    names = {getattr(deployment, f"{name}_bucket"): name.capitalize() for name in buckets}
    arn = f"{{{names[named['Bucket']]}.Arn}}"
    is_object = "Key" in named and not action.endswith("ListBucket")
    return f"{arn}/{_pattern(named['Key'])}" if is_object else arn


def _pattern(key: str) -> str:
    """The key without its ids: ``runs/*/summary.json``. A part with a digit in it is an id.

    In folders that belong to one role as a whole, the names of files say nothing.
    """
    for folder in WHOLE:
        if key.startswith(folder):
            return f"{folder}*"
    has_id = re.compile(r"^(batch-|compact-|dt=)?[^.]*\d[^.]*")
    return "/".join(has_id.sub(r"\1*", part) for part in key.split("/"))
