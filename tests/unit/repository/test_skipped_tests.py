"""The end of a test run says what was skipped, and how to have it run."""

import subprocess
import sys
from pathlib import Path

from tests.repository import ROOT

TESTS = """
import pytest


def test_runs():
    pass


@pytest.mark.parametrize("number", range(3))
def test_needs_a_browser(number):
    pytest.skip("No browser: apt-get install it.")
"""


def _run(folder: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, "--rootdir", str(folder), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_each_reason_is_told_once_with_the_number_of_tests(tmp_path: Path) -> None:
    (tmp_path / "test_any.py").write_text(TESTS)
    assert ["3 skipped: No browser: apt-get install it."] == [
        line for line in _run(tmp_path).splitlines() if "No browser" in line
    ]


def test_a_whole_run_says_nothing_of_skipped_tests(tmp_path: Path) -> None:
    (tmp_path / "test_any.py").write_text("def test_runs():\n    pass\n")
    assert "did not run" not in _run(tmp_path)
