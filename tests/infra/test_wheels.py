"""Every pin of the images and of the layer has a wheel for both processors: nothing is compiled.

What is installed is the file that was resolved: uv and pip compare its hash.
"""

import re
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


def tampered(folder: Path, lock: str) -> Path:
    """A copy of a lock file in which every hash is another one."""
    copy = folder / "tampered.txt"
    copy.write_text(re.sub("sha256:.{8}", "sha256:deadbeef", (ROOT / lock).read_text()))
    return copy


def run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if any(sign in done.stderr for sign in OFFLINE):
        pytest.skip("No package index can be reached from here.")
    return done


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["aarch64-manylinux_2_28", "x86_64-manylinux_2_28"])
def test_the_layer_installs_with_its_hashes_and_not_with_others(
    tmp_path: Path, platform: str
) -> None:
    lock = "lambdas/requirements.lock"
    options = ["--require-hashes", "--no-cache", "--only-binary=:all:", "--python-version=3.13"]
    install: list[str | Path] = [UV, "pip", "install", *options, f"--python-platform={platform}"]
    done = run(*install, "--target", tmp_path / "layer", "-r", lock)
    assert 0 == done.returncode, done.stderr
    refused = run(*install, "--target", tmp_path / "none", "-r", tampered(tmp_path, lock))
    assert refused.returncode != 0
    assert "hash" in refused.stderr.lower()


@pytest.mark.slow
def test_pip_in_the_images_takes_the_hashes_from_the_constraints(tmp_path: Path) -> None:
    options: list[str | Path] = [
        "--no-cache-dir",
        "--only-binary=:all:",
        "--target",
        tmp_path / "none",
    ]
    options += ["-c", tampered(tmp_path, "constraints.txt")]
    refused = run(sys.executable, "-m", "pip", "install", *options, "jmespath")
    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stderr
