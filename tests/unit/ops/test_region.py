"""`ops` works in the region and with the profile that the CDK's command line deploys with."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from moto import mock_aws

from ops import region
from ops.local.deploy import CLI
from ops.region import follow_cdk, resolve_region
from ops.target import Target

CREDENTIALS = """
[default]
region = credentials-default
[work]
region = credentials-work
[bare]
aws_access_key_id = x
"""
CONFIG = """
[default]
region = config-default
[profile work]
region = config-work
[profile home]
region = config-home
[profile bare]
output = json
"""


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Environment variables that name AWS's two files."""
    (tmp_path / "credentials").write_text(CREDENTIALS)
    (tmp_path / "config").write_text(CONFIG)
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }


CASES = [
    ({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, "a"),
    ({"AMAZON_REGION": "a", "AWS_DEFAULT_REGION": "b"}, "a"),
    ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "b", "AMAZON_DEFAULT_REGION": "c"}, "b"),
    ({"AMAZON_DEFAULT_REGION": "c", "AWS_PROFILE": "work"}, "c"),
    ({"AWS_PROFILE": "work"}, "credentials-work"),
    ({"AWS_PROFILE": "home"}, "config-home"),
    ({"AWS_PROFILE": "home", "AWS_DEFAULT_PROFILE": "work"}, "config-home"),
    ({"AWS_DEFAULT_PROFILE": "work"}, "credentials-work"),
    ({"AWS_PROFILE": "bare"}, "credentials-default"),
    ({"AWS_PROFILE": "nobody"}, "credentials-default"),
    ({}, "credentials-default"),
]


@pytest.mark.parametrize(("environ", "expected"), CASES)
def test_the_region_comes_from_variables_then_the_profile_then_the_default(
    files: dict[str, str], environ: dict[str, str], expected: str
) -> None:
    assert expected == resolve_region(files | environ, lambda _: "instance")


def test_without_files_the_instance_is_asked_and_then_there_is_a_fallback(tmp_path: Path) -> None:
    nowhere = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }
    assert "instance" == resolve_region(nowhere, lambda _: "instance")
    assert "us-east-1" == resolve_region(nowhere | {"AWS_EC2_METADATA_DISABLED": "true"})


def test_boto3_is_given_both_the_region_and_the_profile(files: dict[str, str]) -> None:
    both = {"AWS_REGION": "a", "AWS_PROFILE": "home", "AWS_DEFAULT_PROFILE": "work"}
    assert {"AWS_DEFAULT_REGION": "a", "AWS_DEFAULT_PROFILE": "home"} == follow_cdk(files | both)
    assert {"AWS_DEFAULT_REGION": "a"} == follow_cdk(files | {"AWS_REGION": "a"})


@pytest.mark.slow
@pytest.mark.skipif(not CLI.exists(), reason="the CDK's command line is installed by `make setup`")
@pytest.mark.parametrize("environ", [environ for environ, _ in CASES])
def test_the_cdks_own_command_line_finds_the_same_region(
    files: dict[str, str], environ: dict[str, str], tmp_path: Path
) -> None:
    kept = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    # An application that says which region it was given, and makes nothing.
    app = tmp_path / "app.sh"
    app.write_text('echo "$CDK_DEFAULT_REGION" > region; exit 1\n')
    subprocess.run(
        [shutil.which("node") or "node", str(CLI), "synth", "--no-notices", "--app", f"sh {app}"],
        cwd=tmp_path,
        env=kept | keys | files | environ,
        capture_output=True,
        check=False,
        timeout=120,
    )
    told = (tmp_path / "region").read_text().strip()
    assert resolve_region(files | environ | kept) == told


def test_a_command_for_an_account_says_once_where_it_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    region.announce.cache_clear()
    with mock_aws():
        for service in ("s3", "ecs"):
            Target("dev", None, tmp_path).client(service)
    region.announce.cache_clear()
    said = capsys.readouterr()
    assert ("", "Account 123456789012, region eu-central-1.\n") == (said.out, said.err)
