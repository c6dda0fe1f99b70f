"""The monthly bill, estimated from the templates."""

import copy
from collections.abc import Callable

import pytest

from domain import metrics
from ops.bill.cost_idle import Resource, Stage, estimate_idle, read_prices
from ops.bill.cost_usage import estimate_drift_runs, estimate_predictions, estimate_trainings
from ops.cli import run
from ops.commands.account.cost import total
from ops.errors import OpsError
from tests.infra.assembly import Assembly

DEV_BUDGET = 35.0
TWENTY_MODELS_BUDGET = 100.0


@pytest.fixture(scope="module")
def dev(aws: Assembly) -> Stage:
    return Stage.read(aws.folder)


def test_the_dev_stage_stays_within_its_budget_while_idle(dev: Stage) -> None:
    assert 20 < total([*estimate_idle(dev), *estimate_drift_runs(dev)]) <= DEV_BUDGET


def test_twenty_idle_models_of_a_dev_stage_stay_within_their_budget(
    dev: Stage, varied: Callable[..., Assembly]
) -> None:
    """One has the tracking server. All use the same images, which the account keeps once."""
    sharing = Stage.read(varied("aws", context={"name": "churn", "tracking": "circle"}).folder)
    models = [dev, *[Stage(sharing.resources, images=0)] * 19]
    lines = [line for each in models for line in (*estimate_idle(each), *estimate_drift_runs(each))]
    assert 60 < total(lines) <= TWENTY_MODELS_BUDGET
    assert 5 * TWENTY_MODELS_BUDGET < 20 * total(estimate_idle(dev))


def test_the_share_of_a_tracking_server_is_what_a_deployment_saves_without_it(
    dev: Stage, varied: Callable[..., Assembly]
) -> None:
    sharing = Stage.read(varied("aws", context={"name": "churn", "tracking": "circle"}).folder)
    server = total(estimate_idle(dev.tracking))
    assert pytest.approx(total(estimate_idle(dev)) - server) == total(estimate_idle(sharing))
    assert [] == estimate_idle(sharing.tracking)


def test_a_board_is_on_the_bill_of_the_stage_that_has_it(dev: Stage, prod: Assembly) -> None:
    boards = [
        line.usd for line in estimate_idle(Stage.read(prod.folder)) if line.what == "dashboard"
    ]
    assert [3.0] == boards
    assert "dashboard" not in {line.what for line in estimate_idle(dev)}


@pytest.mark.parametrize("stage", ["aws", "prod"])
def test_every_type_of_resource_has_its_price(request: pytest.FixtureRequest, stage: str) -> None:
    assembly: Assembly = request.getfixturevalue(stage)
    assert set() == Stage.read(assembly.folder).not_priced()


def test_what_dev_pays_for_while_idle_is_mostly_its_database_and_its_server(dev: Stage) -> None:
    found = {line.what: round(line.usd, 2) for line in estimate_idle(dev)}
    assert 11.68 == found["db.t4g.micro, 1 zone"]
    assert 2.30 == found["20 GB gp3"]
    assert 8.51 == found["Fargate, 0.25 vCPU, 1 GB"]
    assert 3.65 == found["public address"]


def test_a_nat_and_a_second_zone_would_be_seen(dev: Stage) -> None:
    changed = copy.deepcopy(dict(dev.resources))
    changed["Tracking", "Nat"] = Resource("AWS::EC2::NatGateway", {})
    database = next(r for r in changed.values() if r.type == "AWS::RDS::DBInstance")
    database.properties["MultiAZ"] = True
    more = total(estimate_idle(Stage(changed, dev.images))) - total(estimate_idle(dev))
    assert round(more, 2) == round(32.85 + 11.68 + 2.30, 2)


def test_an_unknown_type_is_named(dev: Stage) -> None:
    new = {("Storage", "New"): Resource("AWS::New::Thing", {})}
    known = Stage(dict(dev.resources) | new, dev.images)
    assert {"AWS::New::Thing"} == known.not_priced()


def test_a_record_of_firehose_counts_as_five_kilobytes(dev: Stage) -> None:
    lines = {line.what: line.usd for line in estimate_predictions(dev, 1_000_000)}
    assert pytest.approx(5 * 1024 * 1e6 / 1024**3 * 0.029) == lines["records of 5 KB"]
    assert pytest.approx(5 * 1024 * 1e6 / 1024**3 * 0.018) == lines["Parquet"]
    assert 3.5 == lines["1,000,000 requests"]


def test_no_prediction_costs_nothing_more(dev: Stage) -> None:
    assert 0 == total(estimate_predictions(dev, 0))
    assert 0 == total(estimate_trainings(dev, 0))


def test_two_stacks_may_use_the_same_logical_id(dev: Stage) -> None:
    key = Resource("AWS::KMS::Key", {})
    same = {("One", "Key"): key, ("Two", "Key"): key}
    assert 2.0 == total(estimate_idle(Stage(same, 0)))


def test_a_class_of_database_without_a_price_is_named(
    varied: Callable[..., Assembly],
) -> None:
    stage = Stage.read(varied("aws", database_instance="m6g.large").folder)
    with pytest.raises(OpsError, match=r"The price of db\.m6g\.large is not in the table"):
        estimate_idle(stage)


@pytest.mark.parametrize("text", ["-5", "1.5", "many", ""])
def test_use_is_a_whole_number(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run(["cost", "--predictions", text])
    assert "--predictions" in capsys.readouterr().err


def test_a_metric_is_paid_by_the_hour_in_which_it_is_emitted(dev: Stage) -> None:
    def usd(count: int) -> dict[str, float]:
        return {line.what: line.usd for line in estimate_predictions(dev, count)}

    assert pytest.approx(4 * 0.30) == usd(1_000_000)["4 metrics"]
    assert pytest.approx(4 * 0.30 / 10) == usd(73)["4 metrics"]
    # Four names, and FieldErrors for each of the contract's eight features.
    assert pytest.approx(12 * 0.30 * 50 / 730) == usd(1_000_000)["12 of refused requests"]
    daily = {line.what: line.usd for line in estimate_drift_runs(dev)}
    assert pytest.approx(9 * 0.30 * 30 / 730) == daily["its metrics"]


def test_the_weekly_look_back_is_on_the_bill(dev: Stage) -> None:
    lines = {line.what: line.usd for line in (*estimate_drift_runs(dev), *estimate_idle(dev))}
    seconds = 30 / 7 * 300
    assert pytest.approx(seconds * 3008 / 1024 * 0.0000133334) == lines["a look back a week"]


def test_every_metric_has_its_place_in_the_bill() -> None:
    names = {value for name, value in vars(metrics).items() if name.isupper() and _is_name(value)}
    priced = {*metrics.REGULAR, *metrics.TROUBLE, *metrics.DAILY, metrics.FIELD_ERRORS}
    assert names == priced


def _is_name(value: object) -> bool:
    return isinstance(value, str)


def test_keys_transitions_mails_and_queries_are_on_the_bill(dev: Stage) -> None:
    lines = {
        line.item: line.usd
        for line in (
            *estimate_predictions(dev, 1_000_000),
            *estimate_drift_runs(dev),
            *estimate_trainings(dev, 4),
        )
    }
    assert pytest.approx(43_200 / 10_000 * 0.03) == lines["KMS"]
    assert pytest.approx(4 * 12 / 1000 * 0.025) == lines["Step Functions"]
    assert pytest.approx(30 / 1000 * 0.10) == lines["SES"]
    assert pytest.approx(30 * 20 * 0.01 / 1024 * 5) == lines["Athena"]


def test_the_table_is_dated_and_names_its_sources() -> None:
    table = read_prices()
    assert len(table.as_of) == len("2026-06")
    assert all(url.startswith("https://aws.amazon.com/") for url in table.sources)


def test_traces_are_on_the_bill_of_the_stage_that_has_them(dev: Stage, prod: Assembly) -> None:
    def usd(stage: Stage, count: int) -> list[float]:
        return [line.usd for line in estimate_predictions(stage, count) if line.item == "X-Ray"]

    assert [] == usd(dev, 1_000_000)
    traced = Stage.read(prod.folder)
    assert [5.0] == usd(traced, 1_000_000)
    assert [pytest.approx((30 * 86_400 + 5e6) * 5e-6)] == usd(traced, 100_000_000)
