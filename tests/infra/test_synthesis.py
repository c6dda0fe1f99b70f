"""What the command line says when the application can't be synthesised."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from app import build
from stacks.common import assets
from stacks.settings import Settings
from tests.infra.conftest import cdk_context
from tests.repository import ROOT


def synth(
    folder: Path | None = None, umask: int = -1, **context: str
) -> subprocess.CompletedProcess[str]:
    """Run the application as the CDK CLI does; `folder`: where the templates go."""
    environ = os.environ | {"CDK_CONTEXT_JSON": json.dumps(cdk_context() | context)}
    if folder is not None:
        environ["CDK_OUTDIR"] = str(folder)
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        umask=umask,
    )


def test_a_private_umask_leaves_everything_in_images_and_zips_readable(tmp_path: Path) -> None:
    result = synth(tmp_path, umask=0o077, target="emulator")
    assert (0, "") == (result.returncode, result.stderr)
    staged = [path for asset in tmp_path.glob("asset.*") for path in asset.rglob("*")]
    assert {True, False} == {path.is_dir() for path in staged}
    wrong = {oct(p.stat().st_mode & 0o777) for p in staged} - {oct(0o755), oct(0o644)}
    assert set() == wrong


def test_a_private_file_is_made_readable_and_keeps_whether_it_is_a_program(tmp_path: Path) -> None:
    for name, mode in {"plain": 0o600, "program": 0o700}.items():
        (tmp_path / name).touch(mode)
    assets.fix_modes(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert {"plain": 0o644, "program": 0o755} == modes


def test_a_wrong_context_ends_with_one_sentence_and_no_traceback() -> None:
    result = synth(target="emulator", stage="staging")
    assert 1 == result.returncode
    assert "Unknown stage: write -c stage= one of dev, prod.\n" == result.stderr


def test_without_the_layer_everything_is_written_and_synth_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assets, "LAYER", ROOT / "build" / "no-layer")
    app = App(context=cdk_context() | {"target": "emulator"}, outdir=str(tmp_path))
    build(app, Settings.from_context(app.node.try_get_context, ROOT))
    with pytest.raises(RuntimeError, match="build/layer/python is missing: run `make setup`"):
        app.synth()
    assert 4 == len(list(tmp_path.glob("*.template.json")))


def test_a_finding_of_either_pack_that_nobody_accepted_stops_synth(tmp_path: Path) -> None:
    context = {"target": "aws", "mail_from": "sender@example.org"}
    app = App(context=cdk_context() | context, outdir=str(tmp_path))
    build(app, Settings.from_context(app.node.try_get_context, ROOT))
    storage: Any = app.node.find_child("circle-dev-Storage")
    sns.Topic(storage, "Planted")
    sqs.Queue(storage, "PlantedToo")
    with pytest.raises(RuntimeError) as error:
        app.synth()
    for finding in ("AwsSolutions-SNS3", "Serverless-SQSRedrivePolicy"):
        assert finding in str(error.value)
