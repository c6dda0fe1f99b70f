"""The task agent against the emulator's ECS and Step Functions."""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.laptop import Laptop
from ops.local.processes import wait_until
from ops.local.task_agent import Agent

SUCCEED = """
import boto3, json, os
boto3.client("stepfunctions").send_task_success(
    taskToken=os.environ["TASK_TOKEN"], output=json.dumps({"greeting": os.environ["GREETING"]})
)
"""
LEAVE = "import sys; sys.exit(3)"
LINGER = """
import pathlib, signal, sys, time
note = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: (note.write_text("asked"), sys.exit(0)))
note.write_text("ready")
time.sleep(60)
"""
DEAF = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text("ready")
time.sleep(60)
"""
FAIL_ONCE = """
import boto3, json, os, pathlib, sys, time
states, note = boto3.client("stepfunctions"), pathlib.Path(sys.argv[1])
token = os.environ["TASK_TOKEN"]
if not note.exists():
    note.write_text("failed")
    states.send_task_failure(taskToken=token, error="Interrupted", cause="Spot.")
    sys.exit(10)
time.sleep(4)
states.send_task_success(taskToken=token, output="{}")
"""
COUNT = "import sys; open(sys.argv[1], 'a').write('x'); import time; time.sleep(60)"


@dataclass
class Place:
    """A cluster and a state machine of the test's own, with an agent that is stepped by hand."""

    aws: Callable[[str], Any]
    cluster: str
    folder: Path
    agent: Agent

    def another_agent(self) -> Agent:
        return Agent(
            ecs=self.aws("ecs"),
            stepfunctions=self.aws("stepfunctions"),
            cluster=self.cluster,
            folder=self.folder,
            env=os.environ,
        )

    def task_definition(self, command: list[str], image: str = "circle/x:source") -> str:
        container = {
            "name": "main",
            "image": image,
            "command": command,
            "environment": [{"name": "GREETING", "value": "from the definition"}],
            "stopTimeout": 2,
        }
        return str(
            self.aws("ecs").register_task_definition(
                family=f"f{uuid.uuid4().hex}", containerDefinitions=[container]
            )["taskDefinition"]["taskDefinitionArn"]
        )

    def run(self, *command: str) -> str:
        task = self.aws("ecs").run_task(
            cluster=self.cluster, taskDefinition=self.task_definition(list(command))
        )["tasks"][0]
        return str(task["taskArn"])

    def status(self, arn: str) -> str:
        found = self.aws("ecs").describe_tasks(cluster=self.cluster, tasks=[arn])["tasks"]
        return str(found[0]["lastStatus"])

    def execute(self, definition: str) -> str:
        """Start an execution whose only state waits for the task's token."""
        machine = self.aws("stepfunctions").create_state_machine(
            name=f"m{uuid.uuid4().hex}",
            roleArn="arn:aws:iam::000000000000:role/any",
            definition=json.dumps(_machine(self.cluster, definition)),
        )["stateMachineArn"]
        answer = self.aws("stepfunctions").start_execution(stateMachineArn=machine)
        return str(answer["executionArn"])

    def outcome(self, execution: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def ended() -> bool:
            self.agent.step()
            found.update(self.aws("stepfunctions").describe_execution(executionArn=execution))
            return bool(found["status"] != "RUNNING")

        assert wait_until(ended, seconds=30)
        return found

    def steps_until(self, condition: Callable[[], bool], agent: Agent | None = None) -> bool:
        def look() -> bool:
            (agent or self.agent).step()
            return condition()

        return wait_until(look, seconds=20)


def _machine(cluster: str, definition: str) -> dict[str, Any]:
    environment = [
        {"Name": "TASK_TOKEN", "Value.$": "$$.Task.Token"},
        {"Name": "GREETING", "Value": "from the state"},
    ]
    work = {
        "Type": "Task",
        "Resource": "arn:aws:states:::ecs:runTask.waitForTaskToken",
        "Parameters": {
            "Cluster": cluster,
            "TaskDefinition": definition,
            "LaunchType": "FARGATE",
            "Overrides": {"ContainerOverrides": [{"Name": "main", "Environment": environment}]},
        },
        "Retry": [{"ErrorEquals": ["Interrupted"], "IntervalSeconds": 1, "MaxAttempts": 1}],
        "End": True,
    }
    return {"StartAt": "Work", "States": {"Work": work}}


@pytest.fixture
def place(emulator: Laptop, aws: Callable[[str], Any], tmp_path: Path) -> Iterator[Place]:
    """A place with an agent; whatever still runs is stopped at the end."""
    cluster = f"c{uuid.uuid4().hex}"
    aws("ecs").create_cluster(clusterName=cluster)
    made = Place(aws, cluster, tmp_path, agent=None)  # type: ignore[arg-type]  # set on the next line
    made.agent = made.another_agent()
    yield made
    made.agent.close()


def test_a_process_reports_its_result_with_definition_and_override(place: Place) -> None:
    execution = place.execute(place.task_definition(["python", "-c", SUCCEED]))
    found = place.outcome(execution)

    assert "SUCCEEDED" == found["status"]
    assert {"greeting": "from the state"} == json.loads(found["output"])


def test_a_process_that_leaves_without_a_word_fails_its_state(place: Place) -> None:
    execution = place.execute(place.task_definition(["python", "-c", LEAVE]))
    found = place.outcome(execution)

    assert ("FAILED", "ContainerExited") == (found["status"], found["error"])
    assert "exit code 3" in found["cause"]


def test_the_agent_is_silent_about_a_process_that_reported_so_that_its_retry_lives(
    place: Place,
) -> None:
    """The emulator keeps the token over retries; the retry outlives the agent's patience."""
    note = place.folder / "note"
    execution = place.execute(place.task_definition(["python", "-c", FAIL_ONCE, str(note)]))
    found = place.outcome(execution)

    assert "failed" == note.read_text()
    assert "SUCCEEDED" == found["status"], found.get("cause")


@pytest.mark.parametrize(
    ("image", "command"),
    [("library/postgres:17", ["python", "-c", LEAVE]), ("circle/x:source", ["bash", "-c", "id"])],
)
def test_an_image_that_is_not_the_checkout_is_refused(
    place: Place, image: str, command: list[str]
) -> None:
    found = place.outcome(place.execute(place.task_definition(command, image)))

    assert "ContainerExited" == found["error"]
    assert "does not run Python from this checkout" in found["cause"]


def test_an_ended_process_stops_its_task(place: Place) -> None:
    arn = place.run("python", "-c", LEAVE)

    assert place.steps_until(lambda: place.status(arn) == "STOPPED")


def test_stop_task_reaches_the_process_as_sigterm(place: Place) -> None:
    note = place.folder / "note"
    arn = place.run("python", "-c", LINGER, str(note))
    assert place.steps_until(lambda: note.exists() and note.read_text() == "ready")

    place.aws("ecs").stop_task(cluster=place.cluster, task=arn)
    assert place.steps_until(lambda: note.read_text() == "asked")


def test_a_process_deaf_to_sigterm_is_killed_after_its_patience(place: Place) -> None:
    note = place.folder / "note"
    arn = place.run("python", "-c", DEAF, str(note))
    assert place.steps_until(note.exists)
    process = next(iter(place.agent._tasks.values())).processes[0]

    place.aws("ecs").stop_task(cluster=place.cluster, task=arn)
    assert place.steps_until(lambda: not process.alive())


def test_several_tasks_run_at_once(place: Place) -> None:
    notes = [place.folder / f"note{n}" for n in range(3)]
    for note in notes:
        place.run("python", "-c", LINGER, str(note))

    assert place.steps_until(lambda: all(note.exists() for note in notes))


def test_a_new_agent_takes_over_and_starts_nothing_twice(place: Place) -> None:
    note = place.folder / "note"
    place.run("python", "-c", COUNT, str(note))
    assert place.steps_until(note.exists)

    second = place.another_agent()
    for _ in range(3):
        second.step()
    process = next(iter(second._tasks.values())).processes[0]
    assert "x" == note.read_text()
    assert process.alive()
    second.close()
    assert not process.alive()


def test_a_silent_emulator_costs_no_task(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    note = place.folder / "note"
    place.run("python", "-c", LINGER, str(note))
    assert place.steps_until(lambda: note.exists() and note.read_text() == "ready")

    monkeypatch.setattr(place.agent, "_running", lambda: None)
    for _ in range(3):
        place.agent.step()
    assert "ready" == note.read_text()
    monkeypatch.undo()


def test_a_cluster_that_is_gone_ends_its_tasks(place: Place) -> None:
    note = place.folder / "note"
    place.run("python", "-c", LINGER, str(note))
    assert place.steps_until(lambda: note.exists() and note.read_text() == "ready")

    place.agent._cluster = "another"
    assert place.steps_until(lambda: note.read_text() == "asked")
    place.agent._cluster = place.cluster
