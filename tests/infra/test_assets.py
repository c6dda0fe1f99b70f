"""Each artefact holds exactly the folders it needs."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.common.assets import LAYER
from tests.infra.assembly import Assembly, files, top

ZIPPED_LIMIT = 5 * 1024 * 1024


@pytest.mark.parametrize(
    ("function", "component"),
    [
        ("Predictor", "predictor"),
        ("Labels", "labels"),
        ("TaskWatcher", "task_watcher"),
        ("Retraining/Guard", "retrain_guard"),
    ],
)
def test_a_zip_function_holds_domain_adapters_and_its_own_function(
    aws: Assembly, function: str, component: str
) -> None:
    found = files(aws.file_assets()[f"{function}/Function/Code"])
    assert top(found) == {"domain", "adapters", "lambdas"}
    own = {path for path in found if path.startswith("lambdas/")}
    assert top(own, depth=2) == {"lambdas/__init__.py", f"lambdas/{component}"}
    assert f"lambdas/{component}/handler.py" in own
    assert not [path for path in found if not path.endswith(".py")]


def test_the_dashboards_zip_holds_its_page_too(aws: Assembly) -> None:
    found = files(aws.file_assets()["Dashboard/Backend/Function/Code"])
    assert top(found) == {"domain", "adapters", "lambdas", "web"}
    assert top({p for p in found if p.startswith("lambdas/")}, depth=2) == {
        "lambdas/__init__.py",
        "lambdas/dashboard",
    }
    assert "web/index.html" in found


def test_the_emulators_drift_function_holds_the_images_folders(
    aws: Assembly, emulator: Assembly
) -> None:
    zipped = files(emulator.file_assets()["Drift/Function/Code"])
    image = files(aws.folder / aws.image_assets()["lambdas/drift/Dockerfile"]["directory"])
    assert top(zipped) == {"domain", "adapters", "tabular", "lambdas", "monitoring_job"}
    assert image - zipped == {"constraints.txt"}
    assert top({p for p in zipped if p.startswith("lambdas/")}, depth=2) == {
        "lambdas/__init__.py",
        "lambdas/drift",
    }


def test_the_training_image_is_built_from_its_own_folders_only(aws: Assembly) -> None:
    source = aws.image_assets()["training_job/Dockerfile"]
    found = files(aws.folder / source["directory"])
    assert top(found) == {"domain", "adapters", "tabular", "training_job", "constraints.txt"}


def test_the_tracking_servers_image_is_built_from_its_own_folders_only(aws: Assembly) -> None:
    source = aws.image_assets()["mlflow_server/Dockerfile"]
    assert top(files(aws.folder / source["directory"])) == {
        "domain",
        "mlflow_server",
        "constraints.txt",
    }


def test_images_are_built_for_the_stages_platform_whatever_the_builder_is(aws: Assembly) -> None:
    assert set(aws.image_assets()) == {
        "training_job/Dockerfile",
        "lambdas/drift/Dockerfile",
        "mlflow_server/Dockerfile",
    }
    assert {image["platform"] for image in aws.image_assets().values()} == {"linux/arm64"}


def test_each_image_is_told_its_base_and_the_servers_its_certificates(
    varied: Callable[..., Assembly],
) -> None:
    url = "https://example.org/bundle.pem"
    assembly = varied("aws", base_image="mirror/python@sha256:0", rds_bundle_url=url)
    told = {name: a["dockerBuildArgs"] for name, a in assembly.image_assets().items()}
    base = {"BASE_IMAGE": "mirror/python@sha256:0"}
    assert told == {
        "training_job/Dockerfile": base,
        "lambdas/drift/Dockerfile": base,
        "mlflow_server/Dockerfile": base | {"RDS_BUNDLE_URL": url},
    }


@pytest.mark.parametrize("stage", ["aws", "prod"])
def test_the_base_is_pinned_to_a_patch_release(request: pytest.FixtureRequest, stage: str) -> None:
    assembly: Assembly = request.getfixturevalue(stage)
    bases = {a["dockerBuildArgs"]["BASE_IMAGE"] for a in assembly.image_assets().values()}
    assert len(bases) == 1
    assert re.search(r":3\.13\.\d+-slim-trixie(@sha256:[0-9a-f]{64})?$", bases.pop())


def test_a_stage_on_x86_is_x86_throughout(varied: Callable[..., Assembly]) -> None:
    x86 = varied("aws", architecture="x86_64")
    assert {image["platform"] for image in x86.image_assets().values()} == {"linux/amd64"}
    functions = x86.resources("AWS::Lambda::Function")
    assert {tuple(f.properties["Architectures"]) for f in functions} == {("x86_64",)}
    tasks = x86.resources("AWS::ECS::TaskDefinition")
    platforms = {t.properties["RuntimePlatform"]["CpuArchitecture"] for t in tasks}
    assert platforms == {"X86_64"}


def test_everything_a_dockerfile_copies_is_in_its_context(aws: Assembly) -> None:
    for dockerfile, source in aws.image_assets().items():
        context = aws.folder / source["directory"]
        lines = (context / dockerfile).read_text().splitlines()
        copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
        wanted = [path for paths in copies for path in paths if not path.startswith(("--", "/"))]
        assert wanted
        assert [path for path in wanted if not (context / path).exists()] == []


def test_no_compiled_file_gets_into_a_zip(aws: Assembly) -> None:
    for name, folder in aws.file_assets().items():
        compiled = [f for f in files(folder) if f.endswith((".so", ".pyc", ".pyd"))]
        assert compiled == [], name


@pytest.mark.skipif(not LAYER.is_dir(), reason="build/layer is made by `make setup`")
def test_predictor_and_layer_together_are_small(aws: Assembly, tmp_path: Path) -> None:
    assets = aws.file_assets()
    layers = [folder for name, folder in assets.items() if name.endswith("Layer/Code")]
    size = sum(
        _zipped(folder, tmp_path) for folder in (assets["Predictor/Function/Code"], layers[0])
    )
    assert size <= ZIPPED_LIMIT


def _zipped(folder: Path, tmp_path: Path) -> int:
    path = tmp_path / f"{folder.name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in files(folder):
            archive.write(folder / name, name)
    return path.stat().st_size
