"""Several deployments on one machine: which one a command works on, and what `remove` deletes."""

import json
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import typer

from domain.deployment_status import DeploymentStatus
from domain.drift.drift import Outcome
from ops.cli import run
from ops.commands.machine import down, remove, status, up
from ops.commands.machine import list as list_command
from ops.console import Answer, render
from ops.errors import OpsError
from ops.laptop import Laptop
from ops.local import mlflow_server, task_agent
from ops.target import Target
from tests.unit.fakes import client_error
from training_job.settings import Settings


@pytest.fixture
def two(tmp_path: Path) -> Laptop:
    """A folder with two deployments; the default one was added last."""
    laptop = Laptop(folder=tmp_path, name="churn").with_contract("/churn.toml")
    laptop.named("circle").with_contract("/circle.toml").save()
    return Laptop.load(tmp_path)


def test_without_a_name_a_command_works_on_the_default_deployment(two: Laptop) -> None:
    assert ("circle", "/circle.toml") == (two.name, two.contract)
    assert "/churn.toml" == two.named("churn").contract


def test_where_the_default_one_is_not_there_it_is_the_oldest(tmp_path: Path) -> None:
    laptop = Laptop(folder=tmp_path, name="heart").with_contract("/heart.toml")
    laptop.named("churn").with_contract("/churn.toml").save()
    assert "heart" == Laptop.load(tmp_path).name


def test_a_folder_of_one_deployment_keeps_its_name_and_contract(tmp_path: Path) -> None:
    old = {"aws_port": 4601, "mlflow_port": 5601, "mlflow_db": "", "name": "heart"}
    (tmp_path / "laptop.json").write_text(json.dumps(old | {"contract": "/heart.toml"}))
    laptop = Laptop.load(tmp_path)
    assert (4601, "heart", "/heart.toml") == (laptop.aws_port, laptop.name, laptop.contract)


@pytest.mark.parametrize(
    "arguments", [["--name", "churn", "status"], ["status", "--name", "churn"]]
)
def test_the_name_stands_before_or_after_the_command(
    two: Laptop, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    found: list[str] = []

    def fake(target: Target) -> Answer:
        found.append(target.name)
        return Answer(data={}, shown=[])

    monkeypatch.setattr(status, "run", fake)
    assert 0 == run(["--local", str(two.folder), *arguments])
    assert ["churn"] == found


def test_another_deployment_uses_the_ports_that_are_in_use(
    two: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.local.processes.Daemon.pid", lambda _: 1)
    chosen = up._choose(Target.on_laptop(two.named("heart")))
    assert ("heart", two.processes) == (chosen.name, chosen.processes)
    with pytest.raises(OpsError, match="Running with other settings"):
        up._choose(Target.on_laptop(two.named("heart")), aws_port=4600)


def test_removing_needs_a_yes_and_names_what_is_there(
    two: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(OpsError, match=r"Delete churn with .* no terminal to ask"):
        remove.run(Target.on_laptop(two.named("churn")))
    with pytest.raises(OpsError, match=r"no deployment chrun .* churn, circle") as raised:
        remove.run(Target.on_laptop(two.named("chrun")), yes=True)
    assert "chrun" not in raised.value.next_step
    assert "python -m ops" not in raised.value.next_step  # it would name the wrong one again
    with pytest.raises(OpsError, match="works on this machine only"):
        remove.run(Target("dev", None, two.folder, "churn"), yes=True)


@pytest.mark.parametrize("answer", [True, False])
def test_a_question_is_asked_before_anything_is_deleted(
    two: Laptop, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    deleted: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: answer)
    monkeypatch.setattr(Target, "resources", _NoResources())
    monkeypatch.setattr(remove, "_delete_stack", lambda _, part: deleted.append(part))
    monkeypatch.setattr(mlflow_server, "remove_deployment", lambda *_: 1)
    monkeypatch.setattr(up, "save_state", lambda _: None)
    target = Target.on_laptop(two.named("churn"))
    if answer:
        assert {"removed": "churn", "left": ["circle"]} == remove.run(target).data
        assert ["Monitoring", "Serving", "Training", "Tracking", "Storage"] == deleted
        assert {"circle": "/circle.toml"} == Laptop.load(two.folder).contracts
    else:
        with pytest.raises(OpsError, match="Nothing was deleted"):
            remove.run(target)
        assert ([], two.contracts) == (deleted, Laptop.load(two.folder).contracts)


def test_forgetting_several_deployments_needs_a_yes(
    two: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    target = Target.on_laptop(two)
    with pytest.raises(OpsError, match=r"Delete all deployments \(churn, circle\)\?"):
        down.run(target, forget=True)
    assert 2 == len(Laptop.load(two.folder).contracts)
    down.run(target, forget=True, yes=True)
    assert {} == Laptop.load(two.folder).contracts


class _NoResources:
    def names(self, _: str) -> list[str]:
        return []


class Tagged:
    """The tagging API, which finds these resources' tags."""

    def __init__(self, *found: dict[str, str]) -> None:
        self._found, self.asked = found, {}  # type: ignore[var-annotated]  # what was asked for

    def get_paginator(self, _: str) -> "Tagged":
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        self.asked = asked
        tags = [[{"Key": k, "Value": v} for k, v in each.items()] for each in self._found]
        return [{"ResourceTagMappingList": [{"Tags": each} for each in tags]}]


def test_deployments_are_found_by_the_tags_of_their_stage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tagging = Tagged({"Deployment": "heart", "Stage": "dev"}, {"Deployment": "churn"})
    monkeypatch.setattr(Target, "client", lambda *_: tagging)
    found = list_command.list_deployments(Target("dev", None, tmp_path))
    assert [("churn", "dev"), ("heart", "dev")] == [(each.name, each.stage) for each in found]
    assert {"Key": "Stage", "Values": ["dev"]} in tagging.asked["TagFilters"]


def test_a_stopped_machine_lists_what_it_holds(two: Laptop) -> None:
    answer = list_command.run(Target.on_laptop(two))
    assert ["churn", "circle"] == [each["name"] for each in answer.data]
    assert "stopped" in render(answer.shown[0])


def test_the_page_of_all_deployments_shows_what_the_list_shows(
    two: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = DeploymentStatus(
        target="<ill>",
        api_url="https://a/v1",
        champion="7-0a1b2c3d",
        outcome=Outcome.DATA_DRIFT,
        window_end=86_400_000,
        incident=("age",),
    )
    half = "The stage is not fully deployed; missing: ApiUrl"
    target = Target("dev", None, two.folder)
    statuses = {"churn": status, "heart": half}
    monkeypatch.setattr(list_command, "list_deployments", lambda t: map(t.named, statuses))
    monkeypatch.setattr(list_command, "_read", lambda t: statuses[t.name])
    file = two.folder / "list.html"
    answer = list_command.run(target, html=file)
    shown = render(answer.shown[0])
    page = file.read_text()
    for fact in ("7-0a1b2c3d", "data_drift, window until 1970-01-02 00:00 UTC", "age", half):
        assert fact in shown
        assert fact in page
    assert '<a href="https://a/v1/">open</a>' in page
    assert "<td>&lt;ill&gt;</td>" in page
    assert ["7-0a1b2c3d", None] == [each.get("champion") for each in answer.data]


class Clusters:
    """ECS as far as an idle agent asks it."""

    def __init__(self) -> None:
        self.clusters: list[str] | None = []
        self.listed: list[str] = []

    def get_paginator(self, _: str) -> "Clusters":
        return self

    def paginate(self) -> list[dict[str, Any]]:
        if self.clusters is None:
            raise client_error("ServiceUnavailable", "ListClusters")
        return [{"clusterArns": self.clusters}]

    def list_tasks(self, cluster: str) -> dict[str, Any]:
        self.listed.append(cluster)
        return {"taskArns": []}


def test_a_search_here_is_limited_unless_its_task_says_otherwise() -> None:
    required = {field.name.upper(): "x" for field in fields(Settings) if field.default is MISSING}
    assert 2 == Settings.from_env(required | task_agent.DEFAULTS).search_minutes
    assert "SEARCH_MINUTES" not in Settings.from_env(required).to_env()  # of a stage without one


def test_one_task_agent_serves_every_cluster_that_comes_and_goes(tmp_path: Path) -> None:
    ecs = Clusters()
    agents = task_agent.Agents(ecs=ecs, stepfunctions=None, folder=tmp_path, env={})

    def step(clusters: list[str] | None) -> list[str]:
        ecs.clusters, ecs.listed = clusters, []
        agents.step()
        return ecs.listed

    assert ["one"] == step(["one"])
    assert ["one", "two"] == step(["one", "two"])
    assert ["one", "two"] == step(None)  # the emulator doesn't answer
    step(["two"])
    assert ["two"] == step(["two"])
