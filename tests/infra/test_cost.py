"""The monthly bill, estimated from the templates."""

import copy

import pytest

from ops.cost import total
from ops.cost_idle import Stage, idle, prices
from ops.cost_usage import drift_runs, predictions, trainings
from tests.infra.assembly import Assembly

DEV_BUDGET = 35.0


@pytest.fixture(scope="module")
def dev(aws: Assembly) -> Stage:
    return Stage.read(aws.folder)


def test_the_dev_stage_stays_within_its_budget_while_idle(dev: Stage) -> None:
    assert 20 < total([*idle(dev), drift_runs(dev)]) <= DEV_BUDGET


@pytest.mark.parametrize("stage", ["aws", "prod"])
def test_every_type_of_resource_has_its_price(request: pytest.FixtureRequest, stage: str) -> None:
    assembly: Assembly = request.getfixturevalue(stage)
    assert Stage.read(assembly.folder).not_priced() == set()


def test_what_dev_pays_for_while_idle_is_mostly_its_database_and_its_server(dev: Stage) -> None:
    found = {line.what: round(line.usd, 2) for line in idle(dev)}
    assert found["db.t4g.micro, 1 zone(s)"] == 11.68
    assert found["20 GB gp3"] == 2.30
    assert found["Fargate, 0.25 vCPU, 1 GB"] == 8.51
    assert found["public address"] == 3.65


def test_a_nat_and_a_second_zone_would_be_seen(dev: Stage) -> None:
    changed = copy.deepcopy(dict(dev.resources))
    changed["Nat"] = {"Type": "AWS::EC2::NatGateway"}
    database = next(r for r in changed.values() if r["Type"] == "AWS::RDS::DBInstance")
    database["Properties"]["MultiAZ"] = True
    more = total(idle(Stage(changed, dev.images))) - total(idle(dev))
    assert round(more, 2) == round(32.85 + 11.68 + 2.30, 2)


def test_an_unknown_type_is_named(dev: Stage) -> None:
    known = Stage(dict(dev.resources) | {"New": {"Type": "AWS::New::Thing"}}, dev.images)
    assert known.not_priced() == {"AWS::New::Thing"}


def test_a_record_of_firehose_counts_as_five_kilobytes(dev: Stage) -> None:
    lines = {line.what: line.usd for line in predictions(dev, 1_000_000)}
    assert lines["records of 5 KB"] == pytest.approx(5 * 1024 * 1e6 / 1024**3 * 0.029)
    assert lines["Parquet"] == pytest.approx(5 * 1024 * 1e6 / 1024**3 * 0.018)
    assert lines["1,000,000 requests"] == 3.5


def test_no_prediction_costs_nothing_more(dev: Stage) -> None:
    assert total(predictions(dev, 0)) == 0
    assert trainings(dev, 0).usd == 0


def test_the_table_is_dated_and_names_its_sources() -> None:
    table = prices()
    assert len(table["as_of"]) == len("2026-06")
    assert all(url.startswith("https://aws.amazon.com/") for url in table["sources"])
