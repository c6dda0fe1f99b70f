"""Files that a command writes for its user."""

from pathlib import Path

from ops.errors import OpsError


def require_writable(path: Path, option: str) -> None:
    """Raise OpsError before the work where a file can't be written, since its folder is missing."""
    if path.is_dir():
        raise OpsError(f"{path} is a folder.", f"Name a file with {option}.")
    if not path.parent.is_dir():
        raise OpsError(f"There is no folder {path.parent}.", f"Name another file with {option}.")
