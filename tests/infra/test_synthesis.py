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

from app import build
from stacks.common import assets
from stacks.settings import Settings
from tests.infra.conftest import cdk_context
from tests.repository import ROOT


def synth(**context: str) -> subprocess.CompletedProcess[str]:
    """Run the application as the CDK CLI does."""
    environ = os.environ | {"CDK_CONTEXT_JSON": json.dumps(cdk_context() | context)}
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wrong_context_ends_with_one_sentence_and_no_traceback() -> None:
    result = synth(target="emulator", stage="staging")
    assert result.returncode == 1
    assert result.stderr == "Unknown stage: write -c stage= one of dev, prod.\n"


def test_without_the_layer_everything_is_written_and_synth_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assets, "LAYER", ROOT / "build" / "no-layer")
    app = App(context=cdk_context() | {"target": "emulator"}, outdir=str(tmp_path))
    build(app, Settings.from_context(app.node.try_get_context, ROOT))
    with pytest.raises(RuntimeError, match="build/layer/python is missing: run `make setup`"):
        app.synth()
    assert len(list(tmp_path.glob("*.template.json"))) == 4


def test_a_finding_of_cdk_nag_that_nobody_accepted_stops_synth(tmp_path: Path) -> None:
    context = {"target": "aws", "mail_from": "sender@example.org"}
    app = App(context=cdk_context() | context, outdir=str(tmp_path))
    build(app, Settings.from_context(app.node.try_get_context, ROOT))
    storage: Any = app.node.find_child("circle-dev-Storage")
    sns.Topic(storage, "Planted")
    with pytest.raises(RuntimeError, match="AwsSolutions-SNS3"):
        app.synth()
