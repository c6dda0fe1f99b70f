"""The capacity page and `ops cost --rows`: measured rates, prices, and settings that suffice."""

import json
import os
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from domain import task_size
from ops.bill import capacity
from ops.bill.capacity import plan_predictions, plan_training, to_markdown
from ops.bill.cost_idle import Stage
from ops.bill.rates import GPU, RATES
from ops.cli import run
from ops.commands.account import cost
from stacks.training.task_state import TIMEOUT_HOURS
from tests.infra.assembly import Assembly
from tests.repository import ROOT

PAGE = ROOT / "docs" / "capacity.md"
ROWS = [10**power for power in range(5, 10)]
PREDICTIONS = [10**power for power in range(3, 10)]


@pytest.fixture(scope="module")
def stage(prod: Assembly) -> Stage:
    return Stage.read(prod.folder)


def _tables(stage: Stage) -> dict[str, str]:
    price = partial(capacity.price_task, stage)
    trainings = [
        line for rows in ROWS for line in capacity.list_training(plan_training(rows, price))
    ]
    predictions = [capacity.list_predictions(plan_predictions(n, stage)) for n in PREDICTIONS]
    rates = [
        (name, f"{rate.value:,.12g} {rate.unit}", f"`benchmarks.{rate.benchmark}`: {rate.figure}")
        for name, rate in RATES.items()
    ]
    return {
        "rates": to_markdown(("rate", "measured", "by"), rates),
        "training": to_markdown(capacity.TRAINING_HEADER, trainings),
        "predictions": to_markdown(capacity.PREDICTIONS_HEADER, predictions),
        "gpu": to_markdown(("rows", "one H100", "16 CPU cores"), GPU),
    }


def test_the_pages_tables_are_those_of_the_rates_and_prices(stage: Stage) -> None:
    page = PAGE.read_text()
    for name, table in _tables(stage).items():
        begin, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
        before, _, rest = page.partition(begin)
        assert end in rest
        page = f"{before}{begin}\n\n{table}\n\n{end}{rest.partition(end)[2]}"
    if os.environ.get("UPDATE_CAPACITY"):
        PAGE.write_text(page)
    assert page == PAGE.read_text(), "UPDATE_CAPACITY=1 writes it"


@pytest.mark.parametrize("name", RATES)
def test_a_benchmark_measures_each_rate(name: str) -> None:
    rate = RATES[name]
    path = ROOT / "benchmarks" / rate.benchmark.replace(".", "/")
    files = list(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    assert rate.value > 0
    assert any(rate.figure in file.read_text() for file in files)


def test_tasks_to_choose_from_are_fargates_and_limits_the_machines() -> None:
    assert [] == [size for size in capacity.SIZES if size[1] not in task_size.MEMORY[size[0]]]
    assert capacity.LIMIT_HOURS == {step: TIMEOUT_HOURS[step] for step in capacity.LIMIT_HOURS}  # type: ignore[index]  # its keys are steps


def test_a_cluster_is_chosen_where_no_task_is_large_enough(stage: Stage) -> None:
    price = partial(capacity.price_task, stage)
    plans = [plan_training(rows, price) for rows in ROWS]
    assert not any(plan.problems for plan in plans)
    assert [capacity.SIZES[0], 0] == [(plans[0].cpu, plans[0].memory), plans[0].workers]
    assert plans[-1].workers > 0
    assert [plan.usd for plan in plans] == sorted(plan.usd for plan in plans)
    smaller = capacity.SIZES[capacity.SIZES.index((plans[3].cpu, plans[3].memory)) - 1]
    cpu, memory = smaller
    assert capacity.estimate_local(ROWS[3], price, cpu=cpu, memory=memory).problems


def test_athena_reads_what_takes_too_long_to_stream(stage: Stage) -> None:
    plans = [plan_predictions(count, stage) for count in (10**6, 10**7, 10**9)]
    assert [("streaming", "streaming"), ("streaming", "Athena"), ("Athena", "Athena")] == [
        (plan.daily, plan.look_back) for plan in plans
    ]
    assert all((plan.drift_seconds or 0) < 900 for plan in plans)
    # Two scans of 200 bytes a row, 30 days a month and 28 days of rows in each of its weeks.
    scanned = 2 * 200e9 / 1024**4 * (30 + 28 * 30 / 7)
    assert pytest.approx(5 * scanned, rel=0.01) == plans[-1].drift_usd


def test_the_command_prints_the_pages_figures_for_one_size(
    prod: Assembly,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def copy(_: str, folder: Path, **__: Any) -> None:
        shutil.copytree(prod.folder, folder, dirs_exist_ok=True)

    monkeypatch.setattr(cost, "synthesise", copy)
    price = partial(capacity.price_task, stage)
    asked = ["--stage", "prod", "cost", "--rows", "10000000", "--predictions", "3000000"]
    assert 0 == run(asked)
    shown = re.sub(r"\s+", " ", capsys.readouterr().out)
    plan = plan_training(10_000_000, price)
    for step in capacity.list_training(plan):
        assert " ".join(step[1:5]) in shown
    assert plan.settings in shown
    assert all(
        cell in shown for cell in capacity.list_predictions(plan_predictions(100_000, stage))
    )
    assert 0 == run([*asked, "--json"])
    data = json.loads(capsys.readouterr().out)
    assert (10_000_000, 100_000) == (data["training"]["rows"], data["predictions"]["count"])
    assert 0 < 4 * plan.usd < data["usd_a_month"]
