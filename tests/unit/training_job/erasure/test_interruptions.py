"""An erasure that is killed between any two of its writes ends the same when it runs again."""

from typing import Any

import pytest
from moto import mock_aws

from domain import keys
from domain.erasure import Certificate
from tests.unit.training_job.erasure.world import (
    ERASURE,
    LATER,
    REQUEST,
    SHE,
    ask,
    fill_log,
    find_traces,
    make_buckets,
    prediction_id,
    read_all,
    read_latest,
    run,
)
from training_job.erasure.erase import Buckets
from training_job.errors import BadInput

HERS = [SHE, "her-own-visit", *(prediction_id(n) for n in (20, 21, 24, 26))]


class Killed(BaseException):
    """As a process that is killed: nothing of ours catches it."""


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def _fill() -> Buckets:
    buckets = make_buckets()
    fill_log(buckets)
    ask(buckets, SHE)
    return buckets


def _kill_before(buckets: Buckets, number: int) -> None:
    """Kill the erasure before its write of that number, from 0."""
    events = buckets.data.client.meta.events
    seen = 0

    def count(**_: Any) -> None:
        nonlocal seen
        if seen == number:
            raise Killed
        seen += 1

    for operation in ("PutObject", "DeleteObject"):
        events.register(f"before-call.s3.{operation}", count, unique_id=f"kill-{operation}")
    try:
        run(buckets)
    finally:
        for operation in ("PutObject", "DeleteObject"):
            events.unregister(f"before-call.s3.{operation}", unique_id=f"kill-{operation}")


def _content(buckets: Buckets) -> dict[tuple[str, str], bytes]:
    """All that isn't about the erasure itself."""
    return {p: d for p, d in read_latest(buckets).items() if not p[1].startswith(keys.ERASURES)}


def _expected() -> dict[tuple[str, str], bytes]:
    with mock_aws():
        buckets = _fill()
        run(buckets)
        return _content(buckets)


@pytest.mark.parametrize(
    ("another", "step"),
    [
        pytest.param(False, 4, id="the same again"),
        pytest.param(True, 5, id="another erasure"),
        pytest.param(False, 1, id="the same again, any write", marks=pytest.mark.slow),
    ],
)
def test_killed_before_any_write_and_run_again_it_ends_the_same(another: bool, step: int) -> None:
    expected, number, killed = _expected(), 0, True
    while killed:
        with mock_aws():
            buckets = _fill()
            killed = False
            try:
                _kill_before(buckets, number)
            except Killed:
                killed = True
            if another and killed:  # of somebody who isn't there
                buckets.data.put(LATER.subjects, b"patient-9999")
                run(buckets, LATER)
            run_again = killed and not another
            if run_again:
                run(buckets)
            assert expected == _content(buckets), number
            assert [] == find_traces(buckets, *HERS), number
            left = {key for _, key, _ in read_all(buckets) if key.startswith(keys.ERASURES)}
            assert {key for key in left if not key.endswith(".json")} == set(), number
            assert [] == [key for key in left if "/objects/" in key or "links" in key], number
        number += step
    assert number > 20


@pytest.mark.parametrize("number", [5, 12, 20])
def test_the_erasure_that_completes_another_certifies_what_that_one_did(number: int) -> None:
    with mock_aws():
        buckets = _fill()
        run(buckets)
        expected = _certified(buckets, ERASURE)
    with mock_aws():
        buckets = _fill()
        with pytest.raises(Killed):
            _kill_before(buckets, number)
        ask(buckets, "patient-9999", request=LATER)
        run(buckets, LATER)
        assert expected == _certified(buckets, LATER.erasure)


def _certified(buckets: Buckets, erasure: str) -> list[tuple[str, str, int]]:
    stored = buckets.data.get(keys.erasure_certificate(erasure))
    assert stored is not None
    return [(one.bucket, one.key, one.rows) for one in Certificate.from_json(stored.data).objects]


def test_the_erasures_are_named_apart() -> None:
    assert ERASURE != LATER.erasure
    assert REQUEST.erasure == ERASURE


@pytest.mark.parametrize(
    "links", [b"{", b"{}", b"[]", b'{"predictions": "x", "references": [], "shared": []}']
)
def test_links_that_cannot_be_read_stop_the_erasure_by_a_sentence(links: bytes) -> None:
    """Without them it would end, and leave labels of predictions whose rows are gone."""
    with mock_aws():
        buckets = _fill()
        buckets.data.put(keys.erasure_links(ERASURE), links)
        with pytest.raises(BadInput, match=r"links\.json can't be read: .* Restore an earlier"):
            run(buckets)
        assert find_traces(buckets, *HERS)
