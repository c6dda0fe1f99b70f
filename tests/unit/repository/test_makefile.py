"""The Makefile's words: what a target says when it fails, and paths with blanks."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repository import ROOT


def _make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    shutil.copy(ROOT / "Makefile", folder)
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout under a path with a blank, whose Python only notes its arguments."""
    folder = tmp_path / "My Projects"
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > calls\nexit ${CODE:-0}\n')
    python.chmod(0o755)
    return folder


def test_without_an_environment_nothing_runs(tmp_path: Path) -> None:
    done = _make(tmp_path, "down")
    assert (0, "Nothing is installed, so nothing runs.\n") == (done.returncode, done.stdout)


def test_a_down_that_fails_does_not_say_that_nothing_is_installed(checkout: Path) -> None:
    (checkout / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    done = _make(checkout, "down")
    assert done.returncode != 0
    assert "Nothing is installed" not in done.stdout + done.stderr


@pytest.mark.parametrize(("name", "expected"), [("circle", []), ("churn", ["--name", "churn"])])
def test_the_deployments_name_is_passed_on(checkout: Path, name: str, expected: list[str]) -> None:
    assert 0 == _make(checkout, "down", f"NAME={name}").returncode
    assert ["-m", "ops", *expected, "down"] == (checkout / "calls").read_text().splitlines()


def test_the_program_works_under_a_path_with_blanks(checkout: Path) -> None:
    assert 0 == _make(checkout, "-o", ".venv/.laptop", ".venv/bin/ops").returncode
    program = checkout / ".venv" / "bin" / "ops"
    subprocess.run([program, "upload", "a b.csv"], cwd=checkout, check=True)
    assert ["upload", "a b.csv"] == (checkout / "calls").read_text().splitlines()[-2:]


def test_a_copy_that_borrows_the_environment_leaves_the_program_to_its_checkout(
    checkout: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "copy"
    copied.mkdir()
    (copied / ".venv").symlink_to(checkout / ".venv")
    assert 0 == _make(copied, "-o", ".venv/.laptop", ".venv/bin/ops").returncode
    shutil.rmtree(copied)
    python = checkout / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$PYTHONPATH"\n')
    program = checkout / ".venv" / "bin" / "ops"
    done = subprocess.run([program], env={}, capture_output=True, text=True, check=True)
    assert f"{checkout}\n" == done.stdout
