"""`ops acknowledge`."""

from types import SimpleNamespace
from typing import Any

import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.drift.alert_state import AlertState
from domain.drift.drift import Outcome
from domain.drift.incident import Incident
from ops.commands.monitoring import acknowledge
from ops.errors import OpsError

ARN = "arn:aws:iam::123456789012:user/ann"


@pytest.fixture
def target(moto_bucket: Bucket) -> Any:
    sts = SimpleNamespace(get_caller_identity=lambda: {"Arn": ARN})
    return SimpleNamespace(bucket=lambda _: moto_bucket, client=lambda _: sts)


def test_the_open_incident_is_acknowledged_once(target: Any, moto_bucket: Bucket) -> None:
    nothing = acknowledge.run(target)
    assert ({"acknowledgements": []}, 1) == (nothing.data, len(nothing.shown))
    opened = Incident(last_window_end=9, outcome=Outcome.DATA_DRIFT, opened_at=86_400_000)
    moto_bucket.put(keys.ALERT_STATE, AlertState(opened).to_json())
    first = acknowledge.run(target, note="Ticket 4711.")
    assert "since 1970-01-01 is acknowledged by " + ARN in str(first.shown[0])
    again = acknowledge.run(target, note="Another one.")
    assert first.data == again.data
    with pytest.raises(OpsError, match="one line"):
        acknowledge.run(target, note="a\nb")
