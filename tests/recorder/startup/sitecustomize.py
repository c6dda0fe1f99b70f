"""At the start of a process of the application: write down each call that botocore makes.

`RECORD_CALLS` is the folder to write to. A line is a JSON object; its `parameters` are only those
that name a resource, no values. It is written before the call is sent, so a refused call counts
too.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

NAMING = (
    "Bucket",
    "Key",
    "DeliveryStreamName",
    "EventBusName",
    "FromEmailAddress",
    "SecretId",
    "TopicArn",
    "WorkGroup",
    "executionArn",
    "stateMachineArn",
)
"""Parameters that name a resource."""


STARTED_BY = "RECORD_CALLS_OF"
"""Tells the processes that a training step or the tracking server starts whose they are."""


def find_component() -> str:
    """The function, the training step or the server that runs here; empty for any other process."""
    arguments = sys.orig_argv
    if "training_job" in arguments:
        os.environ[STARTED_BY] = arguments[arguments.index("training_job") + 1]
    elif {"mlflow", "server"} <= set(arguments):
        os.environ[STARTED_BY] = "mlflow"
    return os.environ.get(STARTED_BY) or os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")


def record(folder: Path, component: str) -> None:
    """Wrap botocore's one way to make a call."""
    from botocore import client

    base: Any = client.BaseClient
    send = base._make_api_call
    seen: set[str] = set()

    def note(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        entries = parameters.get("Entries") or [{}]
        first = entries[0] if isinstance(entries[0], dict) else {}
        deleted = parameters.get("Delete", {}).get("Objects", [{}])  # each needs the right
        for one in deleted:
            named = {**first, **parameters, **one}
            call = {
                "component": component,
                "service": self.meta.service_model.signing_name,
                "operation": operation,
                "parameters": {name: named[name] for name in NAMING if name in named},
                "of_a_version": "VersionId" in named,
            }
            line = json.dumps(call, sort_keys=True)
            if line not in seen:
                seen.add(line)
                with (folder / f"{os.getpid()}.jsonl").open("a") as file:
                    file.write(f"{line}\n")
        return send(self, operation, parameters)

    base._make_api_call = note


if os.environ.get("RECORD_CALLS"):
    found = find_component()
    if found:
        record(Path(os.environ["RECORD_CALLS"]), found)
