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


def test_modules_for_aws_are_compiled_where_this_python_is_the_functions_own(
    tmp_path: Path,
) -> None:
    result = synth(tmp_path, target="aws", mail_from="sender@example.org")
    assert 0 == result.returncode, result.stderr
    images = {path.parent for path in tmp_path.glob("asset.*/Dockerfile")}
    assert images
    for asset in tmp_path.glob("asset.*"):
        modules = {path.with_suffix("") for path in asset.rglob("*.py")}
        compiled = {_module(path) for path in asset.rglob("*.pyc")}
        is_wanted = assets.runs_runtimes_python() and asset not in images
        assert (modules if is_wanted else set()) == compiled


def test_modules_for_an_emulator_are_not_compiled(tmp_path: Path) -> None:
    result = synth(tmp_path, target="emulator")
    assert 0 == result.returncode, result.stderr
    assert [] == list(tmp_path.glob("asset.*/**/*.pyc"))


@pytest.mark.parametrize(("word", "is_own"), [("one", True), ("two", False)])
def test_a_compiled_module_serves_its_own_source_only_and_that_whatever_its_time(
    tmp_path: Path, word: str, is_own: bool
) -> None:
    source = tmp_path / "module.py"
    source.write_text("print('one')")
    assets.compile_modules(tmp_path)
    (compiled,) = tmp_path.rglob("*.pyc")
    assert str(tmp_path).encode() not in compiled.read_bytes()
    source.write_text(f"print('{word}')")
    os.utime(source, (0, 0))
    command = [sys.executable, "-v", "-c", "import module"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert word == run.stdout.strip()
    assert is_own == (f"{compiled} matches {source}" in run.stderr)


def _module(compiled: Path) -> Path:
    return compiled.parents[1] / compiled.name.partition(".")[0]


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
