"""The checklist of a long command: when, what, how it ended."""

import re

import pytest

from ops.console import Checklist


def test_each_station_ends_with_its_result_and_times(capsys: pytest.CaptureFixture[str]) -> None:
    stations = Checklist()
    with stations.station("train") as station:
        station.result = "promoted"
    with stations.station("predict"):
        pass
    lines = re.sub(r"\d+(\.\d)? s", "N s", capsys.readouterr().err).splitlines()
    assert [
        "[   N s]   train ...",
        "[   N s] ✓ train: promoted (N s)",
        "[   N s]   predict ...",
        "[   N s] ✓ predict (N s)",
    ] == lines
    assert ["train", "predict"] == list(stations.seconds)


def test_a_station_that_fails_is_marked_and_not_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stations = Checklist()
    with pytest.raises(KeyError), stations.station("train"):
        raise KeyError
    assert capsys.readouterr().err.endswith("✗ train\n")
    assert {} == stations.seconds
