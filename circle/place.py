"""Where a call works: found as the command line finds it."""

import os
from pathlib import Path

from ops.laptop import FOLDER_VARIABLE, ROOT
from ops.session import Session
from ops.target import Target

_USERS: dict[str, str] = {}
"""The variables that the first call found; the emulator's replace them while it is the place."""


def find_place(*, stage: str | None, name: str | None, local: Path | None) -> Target:
    """Find a deployment; raises OpsError with the next step.

    `stage`: of the AWS account; None for this machine. `name`: of the deployment. `local`: folder
    of what this machine keeps; without it, that of OPS_LOCAL. As the command line does, it points
    boto3 to the place.
    """
    if not _USERS:
        _USERS.update(os.environ)
    for variable in [v for v in os.environ if v.startswith("AWS_")]:
        del os.environ[variable]
    os.environ.update({v: text for v, text in _USERS.items() if v.startswith("AWS_")})
    folder = local or Path(os.environ.get(FOLDER_VARIABLE) or ROOT / ".local")
    session = Session(stage=stage, name=name, folder=folder.resolve(), environ=os.environ)
    return session.find_target()
