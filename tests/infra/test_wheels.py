"""Every pin of the images and of the layer has a wheel for both processors: nothing is compiled."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import ROOT

REQUIREMENTS = (
    "training_job/requirements.txt",
    "mlflow_server/requirements.txt",
    "lambdas/drift/requirements.txt",
    "lambdas/requirements.txt",
)
UV = Path(sys.executable).with_name("uv")
OFFLINE = ("error sending request", "Failed to fetch", "network was disabled", "dns error")


def resolved(platform: str, *requirements: str) -> subprocess.CompletedProcess[str]:
    """Ask the index, without installing anything; skips where none can be reached."""
    options = ["--python-version=3.13", "--only-binary=:all:", f"--python-platform={platform}"]
    result = subprocess.run(
        [UV, "pip", "compile", "--quiet", *options, *requirements],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if any(sign in result.stderr for sign in OFFLINE):
        pytest.skip("No package index can be reached from here.")
    return result


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["aarch64-manylinux_2_28", "x86_64-manylinux_2_28"])
def test_every_pin_has_a_wheel_for_python_3_13(platform: str) -> None:
    result = resolved(platform, *REQUIREMENTS)
    assert (0, "") == (result.returncode, result.stderr)
    assert "xgboost-cpu==" in result.stdout


@pytest.mark.slow
def test_a_package_that_would_have_to_be_compiled_is_seen(tmp_path: Path) -> None:
    source_only = tmp_path / "requirements.txt"
    source_only.write_text("psycopg2==2.9.10\n")
    result = resolved("aarch64-manylinux_2_28", str(source_only))
    assert 1 == result.returncode
    assert "psycopg2==2.9.10 has no usable wheels" in result.stderr
