"""Each artefact holds exactly the folders it needs."""

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stacks.common.assets import LAYER
from tests.infra.assembly import Assembly, files, top

SHARED = ("constraints.txt", "Dockerfile")
"""What every image is built with."""
ZIPPED_LIMIT = 5 * 1024 * 1024


@pytest.mark.parametrize(
    ("function", "component"),
    [
        ("Predictor", "predictor"),
        ("Labels", "labels"),
        ("TaskWatcher", "task_watcher"),
        ("Retraining/Guard", "retrain_guard"),
        ("Decisions/Notifier", "decisions"),
    ],
)
def test_a_zip_function_holds_domain_adapters_and_its_own_function(
    aws: Assembly, function: str, component: str
) -> None:
    found = files(aws.file_assets()[f"{function}/Function/Code"])
    assert {"domain", "adapters", "lambdas"} == top(found)
    own = {path for path in found if path.startswith("lambdas/")}
    assert {"lambdas/__init__.py", f"lambdas/{component}"} == top(own, depth=2)
    assert f"lambdas/{component}/handler.py" in own
    assert not [path for path in found if not path.endswith(".py")]


def test_the_dashboards_zip_holds_its_page_too(aws: Assembly) -> None:
    found = files(aws.file_assets()["Dashboard/Backend/Function/Code"])
    assert {"domain", "adapters", "lambdas", "web"} == top(found)
    assert {
        "lambdas/__init__.py",
        "lambdas/dashboard",
    } == top({p for p in found if p.startswith("lambdas/")}, depth=2)
    assert "web/index.html" in found


def test_the_emulators_drift_function_holds_the_images_folders(
    aws: Assembly, emulator: Assembly
) -> None:
    zipped = files(emulator.file_assets()["Drift/Function/Code"])
    image = files(aws.folder / aws.image_assets()["drift"]["directory"])
    assert {"domain", "adapters", "tabular", "lambdas", "monitoring_job"} == top(zipped)
    assert {"constraints.txt", "Dockerfile"} == image - zipped
    assert {
        "lambdas/__init__.py",
        "lambdas/drift",
    } == top({p for p in zipped if p.startswith("lambdas/")}, depth=2)


def test_the_training_image_is_built_from_its_own_folders_only(aws: Assembly) -> None:
    source = aws.image_assets()["training"]
    found = files(aws.folder / source["directory"])
    assert {"domain", "adapters", "tabular", "training_job", *SHARED} == top(found)


def test_the_tracking_servers_image_is_built_from_its_own_folders_only(aws: Assembly) -> None:
    source = aws.image_assets()["mlflow"]
    assert {
        "domain",
        "mlflow_server",
        *SHARED,
    } == top(files(aws.folder / source["directory"]))


def test_images_are_built_for_the_stages_platform_whatever_the_builder_is(aws: Assembly) -> None:
    assert {"training", "drift", "mlflow"} == set(aws.image_assets())
    assert {"linux/arm64"} == {image["platform"] for image in aws.image_assets().values()}


def test_each_image_is_told_its_base_and_the_servers_its_certificates(
    varied: Callable[..., Assembly],
) -> None:
    url = "https://example.org/bundle.pem"
    assembly = varied("aws", base_image="mirror/python@sha256:0", rds_bundle_url=url)
    told = {name: a["dockerBuildArgs"] for name, a in assembly.image_assets().items()}
    base = {"BASE_IMAGE": "mirror/python@sha256:0"}
    assert {
        "training": base,
        "drift": base,
        "mlflow": base | {"RDS_BUNDLE_URL": url},
    } == told


@pytest.mark.parametrize("stage", ["aws", "prod"])
def test_the_base_is_pinned_to_a_patch_release(request: pytest.FixtureRequest, stage: str) -> None:
    assembly: Assembly = request.getfixturevalue(stage)
    bases = {a["dockerBuildArgs"]["BASE_IMAGE"] for a in assembly.image_assets().values()}
    assert 1 == len(bases)
    assert re.search(r":3\.13\.\d+-slim-trixie(@sha256:[0-9a-f]{64})?$", bases.pop())


def test_a_stage_on_x86_is_x86_throughout(varied: Callable[..., Assembly]) -> None:
    x86 = varied("aws", architecture="x86_64")
    assert {"linux/amd64"} == {image["platform"] for image in x86.image_assets().values()}
    functions = x86.resources("AWS::Lambda::Function")
    assert {("x86_64",)} == {tuple(f.properties["Architectures"]) for f in functions}
    tasks = x86.resources("AWS::ECS::TaskDefinition")
    platforms = {t.properties["RuntimePlatform"]["CpuArchitecture"] for t in tasks}
    assert {"X86_64"} == platforms


def test_everything_that_a_target_copies_is_in_its_context_and_nothing_else_is(
    aws: Assembly,
) -> None:
    for target, source in aws.image_assets().items():
        context = aws.folder / source["directory"]
        stages = _needed(target, (context / source["dockerFile"]).read_text())
        copies = [words[1:-1] for stage in stages for words in stage if words[0] == "COPY"]
        wanted = {path for paths in copies for path in paths if not path.startswith(("--", "/"))}
        assert [] == [path for path in wanted if not (context / path).exists()]
        assert top(files(context)) - {"Dockerfile"} == top(wanted)


def test_each_image_runs_as_a_user_without_a_name_or_rights(aws: Assembly) -> None:
    for target, source in aws.image_assets().items():
        text = (aws.folder / source["directory"] / source["dockerFile"]).read_text()
        chain = list(_needed(target, text, copies=False))
        users = [words for stage in chain for words in stage if words[0] == "USER"]
        assert [["USER", "10001:10001"]] == users


def _needed(target: str, text: str, copies: bool = True) -> Iterator[list[list[str]]]:
    """Instructions of a target's stage, of those it is built on, and of those it copies from."""
    lines = text.replace("\\\n", " ").splitlines()
    instructions = [line.split() for line in lines if line and not line.startswith("#")]
    stages: dict[str, list[list[str]]] = {}
    name = ""
    for words in instructions:
        name = words[3] if words[0] == "FROM" else name
        stages.setdefault(name, []).append(words)
    todo = [target]
    while todo:
        stage = stages.get(todo.pop(), [])  # the base image is no stage
        if stage:
            yield stage
            todo.append(stage[0][1])
            sources = [words[1].removeprefix("--from=") for words in stage if words[0] == "COPY"]
            todo += [source for source in sources if copies and source in stages]


def test_no_compiled_file_of_the_checkout_gets_into_a_zip(aws: Assembly) -> None:
    for name, folder in aws.file_assets().items():
        compiled = [f for f in files(folder) if f.endswith((".so", ".pyc", ".pyd"))]
        assert [] == compiled, name


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
