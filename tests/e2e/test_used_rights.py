"""What every function and step asked of AWS. The last module, so that all others have run."""

import os
from pathlib import Path

from tests.e2e.conftest import Circle
from tests.recorder.calls import RARE, read_committed, read_recorded, write_committed


def test_no_call_was_made_that_the_table_lacks(circle: Circle, recorded: Path) -> None:
    found = {
        (role, action, resource)
        for role, action, resource in read_recorded(recorded, circle.target.deployment)
        if (role, action) not in RARE  # a slow machine brings some of them about
    }
    if os.environ.get("UPDATE_CALLS"):
        write_committed(found)
    assert set() == found - read_committed(), "UPDATE_CALLS=1 make e2e writes the table"
    roles = {role for role, _, _ in found}
    assert {"PredictorRole", "StepsTaskTaskRole", "PromotionTaskTaskRole", "DriftRole"} <= roles
