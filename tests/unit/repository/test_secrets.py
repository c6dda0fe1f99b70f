"""No key, token or password in the repository; detect-secrets looks at every tracked file."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.repository import ROOT

OFF = ("KeywordDetector",)
"""It takes every variable that is called `secret` for one."""


def scan(folder: Path, files: Sequence[str]) -> dict[str, list[str]]:
    """File → kinds of secrets in it."""
    off = [option for plugin in OFF for option in ("--disable-plugin", plugin)]
    done = subprocess.run(
        [Path(sys.executable).with_name("detect-secrets"), "scan", *off, *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)["results"]
    return {file: [secret["type"] for secret in secrets] for file, secrets in found.items()}


def test_no_tracked_file_holds_a_secret() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    locks = ("constraints.txt", "package-lock.json")  # hashes
    files = [name for name in listed if name and not name.endswith((*locks, ".lock", ".png"))]
    assert {} == scan(ROOT, files)


def test_a_key_of_aws_and_a_private_key_are_seen(tmp_path: Path) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLF"
    (tmp_path / "settings.py").write_text(f'aws = "{key}"\n')
    (tmp_path / "id.pem").write_text("-----BEGIN RSA " + "PRIVATE KEY-----\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert {"settings.py": ["AWS Access Key"], "id.pem": ["Private Key"]} == scan(
        tmp_path, ["settings.py", "id.pem"]
    )
