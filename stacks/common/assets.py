"""What goes into each artefact: allow-lists of the repository's paths."""

import stat
import sys
from compileall import compile_dir
from pathlib import Path
from py_compile import PycInvalidationMode

from aws_cdk import IgnoreMode
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_

ROOT = Path(__file__).resolve().parents[2]
LAYER = ROOT / "build" / "layer"

RUNTIME = lambda_.Runtime.PYTHON_3_13
"""What the zip functions run in."""

SHARED = ("domain", "adapters")
"""What every function and job may import."""

DRIFT = (*SHARED, "tabular", "monitoring_job", "lambdas/__init__.py", "lambdas/drift")
TRAINING = (*SHARED, "tabular", "training_job")
MLFLOW = ("domain", "mlflow_server")

_NEVER = ("**/__pycache__", "**/*.pyc", "**/.DS_Store")


def component_paths(name: str) -> tuple[str, ...]:
    """The paths that go into the zip of ``lambdas/<name>``."""
    return (*SHARED, "lambdas/__init__.py", f"lambdas/{name}")


def allow_list(*paths: str) -> list[str]:
    """Docker ignore patterns that let only these paths in; each path is written out in full.

    ``!lambdas/drift`` lets in that folder; ``!lambdas`` would let in its siblings too.
    """
    return ["**", *(f"!{path}" for path in paths), *_NEVER]


def zip_sources(*paths: str) -> lambda_.Code:
    """A zip of these paths, which it holds as the repository does."""
    return lambda_.Code.from_asset(
        str(ROOT), exclude=allow_list(*paths), ignore_mode=IgnoreMode.DOCKER
    )


def runs_runtimes_python() -> bool:
    """Whether what is compiled here is compiled for the zip functions."""
    return RUNTIME.name == f"python{sys.version_info.major}.{sys.version_info.minor}"


def compile_modules(folder: Path) -> None:
    """Compile the modules of what was staged for a zip.

    A function can't keep what it compiles, so it would compile again at each cold start. Each
    compiled file holds a hash of its source, and is ignored beside another source: a zip keeps no
    times to compare. Python finds the name of the source by itself.
    """
    mode = PycInvalidationMode.CHECKED_HASH
    compile_dir(folder, quiet=1, stripdir=str(folder), invalidation_mode=mode)


def fix_modes(folder: Path) -> None:
    """Let everybody read what was staged, whatever umask the checkout was made with.

    Images and zips keep these modes, and are read by users that own nothing in them.
    """
    for path in folder.rglob("*"):
        if path.is_symlink():
            continue
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if executable else 0o644)


def platform(architecture: lambda_.Architecture) -> ecr_assets.Platform:
    """The platform that an image is built for, whatever machine builds it."""
    arm = architecture.name == lambda_.Architecture.ARM_64.name
    return ecr_assets.Platform.LINUX_ARM64 if arm else ecr_assets.Platform.LINUX_AMD64
