"""`ops user views`: who opened which prediction."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from domain import keys, times
from domain.api.inspection import PredictionView
from domain.erasure import hash_prediction
from ops.commands.people import user_views
from ops.console import render
from ops.errors import OpsError
from tests.unit.fakes import FakeS3

ONE, OTHER = "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10", "1b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10"


def _view(prediction_id: str, viewer: str, days_ago: float, shown: str = "") -> PredictionView:
    return PredictionView(
        viewer=viewer,
        viewed_at=time.time_ns() // 1_000_000 - round(days_ago * times.DAY_MS),
        prediction=shown or prediction_id,
        prediction_sha256=hash_prediction(prediction_id),
        model_version="3-0a1b2c3d",
    )


@pytest.fixture
def target() -> Any:
    s3 = FakeS3()
    for number, view in enumerate(
        (
            _view(ONE, "ada@example.org", 2),
            _view(ONE, "bob@example.org", 1),
            _view(OTHER, "ada@example.org", 3, shown="erased"),
            _view(OTHER, "old@example.org", 31),
        )
    ):
        key = keys.prediction_view(view.prediction_sha256, view.viewed_at, f"{number:016x}")
        s3.objects[key] = view.to_json()
    s3.objects[f"{keys.PREDICTION_VIEWS}else"] = b"somebody's"
    return SimpleNamespace(
        bucket=lambda _: s3.bucket(), s3=s3, deployment=SimpleNamespace(retention="")
    )


def _viewers(answer: Any) -> list[str]:
    return [view["viewer"].partition("@")[0] for view in answer.data["views"]]


def test_views_are_listed_latest_first(target: Any) -> None:
    answer = user_views.run(target)
    assert ["bob", "ada", "ada"] == _viewers(answer)
    shown = "".join(map(render, answer.shown))
    assert ONE in shown
    assert "erased" in shown
    assert OTHER not in shown
    assert ["bob"] == _viewers(user_views.run(target, days=2))[:1]
    assert 4 == len(_viewers(user_views.run(target, days=40)))


def test_views_of_one_prediction_are_found_even_once_it_was_erased(target: Any) -> None:
    assert ["ada"] == _viewers(user_views.run(target, OTHER.upper()))
    with pytest.raises(OpsError, match="UUID"):
        user_views.run(target, "visit-4711")


def test_a_damaged_record_is_named_and_hides_no_other(target: Any) -> None:
    key = next(key for key in target.s3.objects if hash_prediction(ONE) in key)
    target.s3.objects[key] = b"{}"
    answer = user_views.run(target)
    assert (2, 1) == (len(answer.data["views"]), len(answer.data["damaged"]))


def test_without_views_it_says_so() -> None:
    deployment = SimpleNamespace(retention="")
    empty: Any = SimpleNamespace(bucket=lambda _: FakeS3().bucket(), deployment=deployment)
    assert "Nobody has opened" in str(user_views.run(empty, days=7).shown[0])


def test_where_records_of_views_expire_it_says_after_how_many_days(target: Any) -> None:
    target.deployment = SimpleNamespace(retention='{"views":730}')
    assert "Records of views expire after 730 days." == user_views.run(target).shown[-1]
