"""`ops labels-wanted`: what it says before it draws, what it writes, and what it refuses."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.model.champion import Champion
from ops.commands.monitoring import labels_wanted
from ops.console import Answer, render
from ops.errors import OpsError
from tabular.draws.store import list_draws, read_draw
from tests.unit.monitoring import log, publish_model, records, scored

ROWS = 2_000


@dataclass
class FakeTarget:
    """All buckets are one."""

    only: Bucket

    def bucket(self, _: str) -> Bucket:
        return self.only

    @property
    def models(self) -> ModelStore:
        return ModelStore(self.only)

    def champion(self) -> Champion | None:
        return self.models.read_champion()


@pytest.fixture
def target(moto_bucket: Bucket, contract: Contract) -> FakeTarget:
    """A champion with predictions of the last hours, which have the caller's references."""
    version = publish_model(moto_bucket, contract)
    at = datetime.now(UTC) - timedelta(hours=2)
    frame = scored(ROWS, seed=6).assign(reference=[f"visit-{number}" for number in range(ROWS)])
    log(moto_bucket, records(frame, contract, version=version, at=times.to_millis(at)), day=at)
    return FakeTarget(moto_bucket)


def _run(target: Any, **options: Any) -> Answer:
    defaults = {"count": 150, "days": 28, "seed": 1, "out": Path("x.csv"), "dry_run": False}
    return labels_wanted.run(target, **{**defaults, **options})


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_writes_ids_and_references_and_remembers_the_draw(
    target: FakeTarget, tmp_path: Path
) -> None:
    answer = _run(target, out=tmp_path / "a.csv")

    rows = _read(tmp_path / "a.csv")
    assert 150 == len(rows)
    assert sorted(row["prediction_id"] for row in rows) == [row["prediction_id"] for row in rows]
    [draw_id] = list_draws(target.only)
    stored = read_draw(target.only, draw_id)
    assert stored is not None
    remembered = stored.table.select(["prediction_id", "reference"]).to_pylist()
    assert {tuple(row.values()) for row in rows} == {tuple(row.values()) for row in remembered}
    assert (150, 1) == (draw_id.count, draw_id.seed)
    assert ROWS == sum(band.rows for band in stored.draw.bands)
    shares = stored.table["inclusion_probability"].to_pylist()
    assert pytest.approx(ROWS) == sum(1 / share for share in shares)
    assert str(draw_id) == answer.data["draw"]


def test_it_says_the_power_of_several_counts_and_a_dry_run_draws_nothing(
    target: FakeTarget, tmp_path: Path
) -> None:
    answer = _run(target, count=220, out=tmp_path / "a.csv", dry_run=True)

    lines = render(answer.shown[0]).splitlines()
    first = [line.split()[0] for line in lines if line.endswith("%")]
    assert ["100", "150", "200", "220", "300", "500"] == first
    assert [] == list(list_draws(target.only))
    assert not (tmp_path / "a.csv").exists()


def test_another_seed_draws_other_predictions_and_the_same_seed_the_same(
    target: FakeTarget, tmp_path: Path
) -> None:
    drawn = []
    for number, seed in enumerate((1, 1, 2)):
        path = tmp_path / f"{number}.csv"
        _run(target, seed=seed, out=path)
        drawn.append(_read(path))
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_file_that_exists_is_not_overwritten_and_nothing_is_drawn(
    target: FakeTarget, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(OpsError, match=r"a\.csv exists already"):
        _run(target, out=tmp_path / "a.csv")
    assert [] == list(list_draws(target.only))


def test_fewer_predictions_than_labels_are_refused_with_their_number(
    target: FakeTarget, tmp_path: Path
) -> None:
    with pytest.raises(OpsError, match=r"has 2,000 predictions in the last 28 days, fewer"):
        _run(target, count=2_001, out=tmp_path / "a.csv")


def test_without_a_champion_or_its_predictions_there_is_nothing_to_draw(
    moto_bucket: Bucket, contract: Contract, tmp_path: Path
) -> None:
    with pytest.raises(OpsError, match="There is no champion yet"):
        _run(FakeTarget(moto_bucket), out=tmp_path / "a.csv")
    publish_model(moto_bucket, contract)
    with pytest.raises(OpsError, match="has no predictions in this time"):
        _run(FakeTarget(moto_bucket), out=tmp_path / "a.csv")
    assert [] == list(moto_bucket.list(keys.LABEL_DRAWS))
