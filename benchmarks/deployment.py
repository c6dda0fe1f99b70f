"""Measure a deployment: time of synthesis, template sizes, idle cost, the predictor's zip."""

import json
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Figure, main
from ops.bill.cost_idle import Stage, estimate_idle
from ops.bill.cost_usage import estimate_drift_runs
from ops.commands.account.cost import synthesise, total

PREDICTOR = "Predictor/Function/Code"


def measure(_: int) -> Iterator[Figure]:
    """Synthesise stage dev for AWS once, and measure the result; nothing in it is random."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.perf_counter()
        synthesise("dev", folder)
        yield Figure("synth of all stacks", time.perf_counter() - started, "s", "<= 40")
        templates = [path.read_text() for path in folder.glob("*.template.json")]
        counts = [len(json.loads(text)["Resources"]) for text in templates]
        yield Figure("resources of the largest template", max(counts), "", "<= 499")
        yield Figure("largest template", max(map(len, templates)) / 1e6, "MB", "<= 1")
        stage = Stage.read(folder)
        usd = total([*estimate_idle(stage), *estimate_drift_runs(stage)])
        yield Figure("dev, idle, a month in us-east-1", usd, "USD", "<= 35")
        yield Figure("NAT gateways", len(list(stage.of("AWS::EC2::NatGateway"))), "", "<= 0")
        endpoints = [p["VpcEndpointType"] for _, p in stage.of("AWS::EC2::VPCEndpoint")]
        yield Figure("interface endpoints", endpoints.count("Interface"), "", "<= 0")
        files = [path for path in _predictor(folder).rglob("*") if path.is_file()]
        yield Figure("predictor's zip", _zipped(files, folder / "zip") / 2**20, "MiB", "<= 5")
        compiled = [path for path in files if path.suffix in (".so", ".pyd", ".dylib")]
        yield Figure("files of machine code in it", len(compiled), "", "<= 0")


def _predictor(folder: Path) -> Path:
    """Return the folder in which the function's asset was staged."""
    manifests = [json.loads(path.read_text()) for path in folder.glob("*.assets.json")]
    files = [file for manifest in manifests for file in manifest["files"].values()]
    asset = next(file for file in files if file["displayName"] == PREDICTOR)
    return folder / str(asset["source"]["path"])


def _zipped(files: list[Path], path: Path) -> int:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file)
    return path.stat().st_size


if __name__ == "__main__":
    main("deployment", measure)
