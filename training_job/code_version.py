"""Which code made a model: a name for the sources of the training image."""

import hashlib
from functools import cache
from pathlib import Path

PACKAGES = ("adapters", "domain", "tabular", "training_job")
"""What the image holds of the repository."""


@cache
def code_version() -> str:
    """12 hex digits of a sha256 over the names and contents of the Python files.

    A checkout has the same one as the image that was built from it.
    """
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
