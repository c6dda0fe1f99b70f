"""More trainings on the stage of the first demo: the demo once more, and one on a cluster."""

import json
import os

import psutil
import pytest

from ops.local.processes import wait_until
from tests.e2e.conftest import PREDICTIONS, Circle, ops, plant_version

WORKERS = 2
END_SECONDS = 90


@pytest.mark.slow
def test_the_demo_runs_again_over_what_the_first_one_left(circle: Circle) -> None:
    data = os.environ.get("DIABETES_CSV")
    size = ("--trials", "5", "--predictions", str(PREDICTIONS), "--seed", "2")
    done = ops(circle.target.folder, "demo", *size, *(("--data", data) if data else ()))
    assert 0 == done.returncode, done.stderr + done.stdout
    again = json.loads((circle.target.folder / "demo.json").read_text())
    assert again["training"]["version"] != circle.figures["training"]["version"]
    for count in again["predictions"].values():
        assert {PREDICTIONS} == {count["sent"], count["answered"], count["distinct"]}
    if data:
        assert again["training"]["metrics"]["f1"] > 0.78  # one split varies by about 0.01
        assert again["training"]["metrics"]["roc_auc"] > 0.97


def _read_schedulers(circle: Circle) -> list[str]:
    """The address of the scheduler that each worker task was started for."""
    ecs, cluster = circle.target.client("ecs"), circle.target.deployment.cluster
    arns = [
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in ecs.list_tasks(cluster=cluster, desiredStatus=status)["taskArns"]
    ]
    tasks = [
        task
        for start in range(0, len(arns), 100)
        for task in ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + 100])["tasks"]
    ]
    commands = [task["overrides"]["containerOverrides"][0].get("command", []) for task in tasks]
    return [part for command in commands for part in command if part.startswith("tcp://")]


def _is_running(schedulers: set[str]) -> bool:
    """Whether a process of this machine works for one of them."""
    commands = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return any(schedulers & set(command) for command in commands)


@pytest.mark.slow
def test_a_training_on_a_cluster_replaces_a_bad_champion_and_no_worker_outlives_it(
    circle: Circle,
) -> None:
    folder = circle.target.folder
    bad = plant_version(circle.target, 97, lambda _: 1e-4)  # it calls nearly everybody positive
    done = ops(folder, "rollback", "--to", bad.version)
    assert 0 == done.returncode, done.stderr + done.stdout
    size = ("--trials", "2", "--production-days", "0", "--engine", "dask")
    done = ops(folder, "train", *size, "--workers", str(WORKERS), "--json")
    assert 0 == done.returncode, done.stderr + done.stdout
    answer, champion = json.loads(done.stdout), circle.target.champion()
    assert champion is not None
    assert (True, champion.version) == (answer["promoted"], answer["version"])
    schedulers = _read_schedulers(circle)
    steps = set(schedulers)
    assert 3 == len(steps)  # prepare, tune and evaluate have a cluster each
    assert [WORKERS] * 3 == [schedulers.count(step) for step in steps]
    assert wait_until(lambda: not _is_running(steps), seconds=END_SECONDS, pause=1)
